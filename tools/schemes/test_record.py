"""Tests that tools/schemes/record.py makes a correct trace from tracefs's lines, and reports errors."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import record

SCHEMES = Path(__file__).resolve().parent

# As Linux prints them: a process's name may have blanks and brackets, and an event may have no page.
ALLOC = "  kworker/u8:1-ev [x]-{} [001] ..... 35601.905801: mm_page_alloc: page=000000003db7c67e pfn={:#x} order={} " \
        "migratetype=0 gfp_flags=GFP_KERNEL|__GFP_ZERO"
FREE = "              sh-{}    [000] d.h1. 35601.905838: mm_page_free: page=000000003f8af25c pfn={:#x} order={}"
FORK = "              sh-{0}    [000] ..... 35601.919694: sched_process_fork: comm=sh pid={0} child_comm=a-1 " \
       "child_pid={1}"
FAILED = ALLOC.replace("page=000000003db7c67e", "page=(null)")
ROOT, STRANGER, CHILD = 10, 20, 30
PAGE = os.sysconf("SC_PAGE_SIZE")


def trace(*lines):
    """The trace of ROOT, from `lines`."""
    made = record.Trace(ROOT)
    for line in lines:
        made.take(line)
    return made


def events(*lines):
    """Its events, as the file has them."""
    return [f"{what} {value}" for what, value in trace(*lines).events]


class Traces(unittest.TestCase):
    """Tests of the translation of tracefs's lines."""

    def test_what_is_asked_for_and_given_back_by_whomsoever(self):
        made = trace("# tracer: nop", ALLOC.format(ROOT, 64, 3), ALLOC.format(ROOT, 5, 0),
                     FREE.format(STRANGER, 64, 3), FREE.format(ROOT, 5, 0))
        self.assertEqual(made.events, [("a", 8), ("a", 1), ("f", 0), ("f", 1)])
        self.assertEqual((made.in_parts, made.unseen), (set(), 0))

    def test_what_strangers_have_is_left_out(self):
        self.assertEqual(events(ALLOC.format(STRANGER, 5, 0), FREE.format(STRANGER, 5, 0), FREE.format(ROOT, 6, 0)), [])

    def test_descendants_belong_to_it(self):
        self.assertEqual(events(FORK.format(STRANGER, ROOT), FORK.format(ROOT, CHILD), FORK.format(CHILD, CHILD + 1),
                                ALLOC.format(CHILD + 1, 5, 0), ALLOC.format(ROOT, 6, 0)), ["a 1", "a 1"])

    def test_a_stranger_may_have_the_number_of_a_child_that_ended(self):
        self.assertEqual(events(FORK.format(ROOT, CHILD), FORK.format(STRANGER, CHILD), ALLOC.format(CHILD, 5, 0)), [])

    def test_parts_are_given_back_with_the_last(self):
        made = trace(ALLOC.format(ROOT, 8, 1), FREE.format(ROOT, 9, 0), ALLOC.format(ROOT, 9, 0),
                     FREE.format(ROOT, 8, 0))
        self.assertEqual(made.events, [("a", 2), ("a", 1), ("f", 0)])
        self.assertEqual((made.in_parts, made.unseen), ({0}, 0))

    def test_one_free_of_several(self):
        self.assertEqual(events(ALLOC.format(ROOT, 8, 0), ALLOC.format(ROOT, 9, 0), FREE.format(ROOT, 8, 2)),
                         ["a 1", "a 1", "f 0", "f 1"])

    def test_given_out_again_means_freed(self):
        for again, after in ((ROOT, ["f 0", "a 1"]), (STRANGER, ["f 0"])):
            made = trace(ALLOC.format(ROOT, 8, 0), ALLOC.format(again, 8, 0))
            self.assertEqual([f"{what} {value}" for what, value in made.events], ["a 1", *after])
            self.assertEqual(made.unseen, 1)

    def test_a_request_that_failed_is_none(self):
        self.assertEqual(events(FAILED.format(ROOT, 0, 9)), [])

    def test_frames_leave_a_tenth_free_at_the_peak(self):
        made = trace(ALLOC.format(ROOT, 16, 4), FREE.format(ROOT, 16, 4), ALLOC.format(ROOT, 5, 0))
        self.assertEqual((made.in_use, made.peak, made.frames), (1, 16, 18))

    def test_the_file(self):
        made = trace(ALLOC.format(ROOT, 5, 0), ALLOC.format(ROOT, 8, 3), FREE.format(ROOT, 8, 3))
        lines = made.text("6.1", "cc x.c\nand more").splitlines()
        self.assertIn("Linux 6.1 ", lines[0])
        self.assertEqual(lines[1:3], ["# cc x.c", "# and more"])
        self.assertEqual([line for line in lines if not line.startswith("#")], ["frames 10", "a 1", "a 8", "f 1"])


class Recording(unittest.TestCase):
    """Tests of the program."""

    def test_where_there_is_no_tracefs(self):
        with mock.patch.object(record, "TRACEFS", Path("/nonexistent")), self.assertRaises(SystemExit) as end:
            record.record(["true"])
        self.assertIn("It takes root", str(end.exception))

    def test_help_and_no_command(self):
        for arguments, status, said in (["--help"], 0, b"make schemes"), (["-o", "x"], 2, b"command"):
            run = subprocess.run([SCHEMES / "record.py", *arguments], capture_output=True, check=False)
            self.assertEqual(run.returncode, status)
            self.assertIn(said, run.stdout + run.stderr)

    def test_a_recording_where_linux_lets_one(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "a.trace"
            child = f"{sys.executable} -c 'b\"x\" * {1024 * PAGE}'; true"
            run = subprocess.run([SCHEMES / "record.py", "-o", file, "--", "sh", "-c", child],
                                 capture_output=True, text=True, check=False)
            if "no tracefs to record with" in run.stderr:
                self.skipTest(run.stderr.splitlines()[0])
            self.assertEqual((run.returncode, run.stdout), (0, ""), run.stderr)
            lines = file.read_text().splitlines()
            self.assertIn("# sh -c '", lines[1])
            said = [(what, int(value)) for what, value in (line.split() for line in lines if line[0] != "#")]
            sizes = [value for what, value in said if what == "a"]
            self.assertGreater(sum(sizes), 1024)  # the pages of the child's bytes
            self.assertLess(sum(sizes) - sum(sizes[value] for what, value in said if what == "f"), 1024)
            self.assertEqual(list((record.TRACEFS / "instances").glob("jos-record-*")), [])

    def test_a_command_that_fails_or_is_none(self):
        for command, said in ((["false"], "false ended with 1"), (["/nonexistent"], "No such file")):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "a.trace"
                run = subprocess.run([SCHEMES / "record.py", "-o", file, "--", *command],
                                     capture_output=True, text=True, check=False)
                if "no tracefs to record with" in run.stderr:
                    self.skipTest(run.stderr.splitlines()[0])
                self.assertEqual((run.returncode, file.exists()), (1, False))
                self.assertIn(said, run.stderr)
                self.assertTrue(run.stderr.startswith("record.py: "), run.stderr)  # and no traceback

    def test_processes_of_other_numbers(self):
        with mock.patch.object(record.Trace, "take"), self.assertRaises(SystemExit) as end:
            record.record(["true"])
        if "no tracefs to record with" in str(end.exception):
            self.skipTest(str(end.exception).splitlines()[0])
        self.assertIn("nothing was seen of process", str(end.exception))


if __name__ == "__main__":
    unittest.main()
