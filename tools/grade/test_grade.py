"""Tests of the grader: bad runs fail, for the right reason. A script stands in for QEMU; nothing is booted."""

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gdb"))

import gradeui
from arch import ARCH, ARCHES
from built import OBJ
from control import require
from gdbstub import Stub
from gradelib import BY_DEVICE, BY_TRIPLE_FAULT, FAILURE, SUCCESS, Machine, Run, Test, judge
from graderun import Bench, run_machine

GRADE = Path(__file__).resolve().parents[2] / "grade.py"

# A stand-in for QEMU that greets by QMP, waits for "cont", prints, answers typed lines, and ends.
FAKE = r"""#!{python}
import os, re, socket, sys, time
text, status, event, prompt, hang = {text!r}, {status!r}, {event!r}, {prompt!r}, {hang!r}
sys.stderr.write({errors!r})
open({pidfile!r}, "w").write(str(os.getpid()))
path = sys.argv[sys.argv.index("-qmp") + 1].split(":", 1)[1].split(",")[0]
qmp = socket.socket(socket.AF_UNIX)
qmp.connect(path)
qmp.sendall(b'{{"QMP": {{}}}}\r\n')
asked = b""
while b'"cont"' not in asked:
    asked += qmp.recv(4096)
def say(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
say(text)
while prompt:
    say(b"K> ")
    typed = b""
    while not typed.endswith(b"\r"):
        typed += os.read(0, 1)
    say(typed + b"\n")
    if typed == b"exit\r":
        break
while hang:
    time.sleep(1)
if event:
    qmp.sendall(b'{{"event": "SHUTDOWN", "data": {{"guest": true, "reason": "%s"}}}}\r\n' % event)
sys.exit(status)
"""

GOOD = b"check_page() succeeded!\r\n"
LINE = "check_page() succeeded!"


class GraderCase(unittest.TestCase):
    """Tests with a folder and a QEMU of their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.pidfile = self.root / "pid"
        for name in ("kernel", "iso"):
            (self.root / name).touch()
        self.bench = Bench(self.root, str(self.root / "qemu"), {"kernel": Path("kernel"), "grub": Path("iso")})

    def qemu(self, text=GOOD, status=SUCCESS, event=None, prompt=True, hang=False, errors=""):
        """Write the script that stands in for QEMU."""
        path = self.root / "qemu"
        path.write_text(FAKE.format(python=sys.executable, pidfile=str(self.pidfile), **{
            "text": text, "status": status, "event": event, "prompt": prompt, "hang": hang, "errors": errors
        }))
        path.chmod(0o755)

    def judge(self, timeout=10, machine=Machine(), **test):
        """The complaints about a test on that QEMU."""
        test = Test("a test", 5, machine, **{"lines": (LINE,), **test})
        return judge(test, run_machine(machine, self.bench, timeout))

    def assert_fails(self, complaints, pattern):
        self.assertTrue(any(re.search(pattern, text) for text in complaints), complaints)

    def assert_no_qemu(self):
        with self.assertRaises(ProcessLookupError):
            os.kill(int(self.pidfile.read_text()), 0)


class Judgement(GraderCase):
    """Tests of the judgement of runs."""

    def test_good_run_passes(self):
        self.qemu()
        self.assertEqual(self.judge(), [])

    def test_a_function_that_breaks_on_the_output_fails(self):
        def broken(control):
            return control.output.index(b"not there")

        self.qemu()
        self.assert_fails(self.judge(machine=Machine(typed=(broken,))), "ValueError: ")
        self.assert_no_qemu()

    def test_line_but_status_0_fails(self):
        self.qemu(status=0)
        self.assert_fails(self.judge(), "status is 0, not 33")

    def test_line_but_another_status_fails(self):
        for status in (1, 32, 34, FAILURE):
            self.qemu(status=status)
            self.assert_fails(self.judge(), f"status is {status}, not 33")

    def test_success_where_failure_is_wanted_fails(self):
        self.qemu()
        self.assert_fails(self.judge(status=FAILURE), "status is 33, not 35")

    def test_status_but_no_line_fails(self):
        self.qemu(text=b"")
        self.assert_fails(self.judge(), "missing line: check_page")

    def test_line_as_part_of_a_line_fails(self):
        spoiled = [GOOD.replace(b"!", b"!!"), GOOD.replace(b" ", b" \r"), GOOD.upper(), b"x" + GOOD, b" " + GOOD]
        for text in spoiled:
            self.qemu(text=text)
            self.assert_fails(self.judge(), "missing line")

    def test_pattern_as_part_of_a_line_fails(self):
        self.qemu(text=b"a check_page b\r\n")
        self.assert_fails(self.judge(lines=(re.compile("check_page"),)), "missing line")

    def test_order_counts(self):
        self.qemu(text=b"b\r\na\r\n")
        self.assert_fails(self.judge(lines=("a", "b")), "out of order")
        self.assertEqual(self.judge(lines=("b", "a")), [])

    def test_a_line_wanted_twice_must_come_twice(self):
        self.qemu()
        self.assert_fails(self.judge(lines=(LINE, LINE)), "missing line")

    def test_whole_output_allows_nothing_else(self):
        self.qemu(text=GOOD + b"something else\r\n")
        self.assertEqual(self.judge(), [])
        self.assert_fails(self.judge(lines=(LINE, "K> exit"), whole=True), "there is: something else")
        self.assert_fails(self.judge(lines=(LINE, "something else"), whole=True), "unexpected line: K> exit")
        self.assertEqual(self.judge(lines=(LINE, "something else", "K> exit"), whole=True), [])

    def test_forbidden_line_fails(self):
        self.qemu(text=GOOD + b"kernel panic at x\r\n")
        self.assert_fails(self.judge(forbidden=(re.compile("kernel panic.*"),)), "forbidden line: kernel panic at x")

    def test_last_words_are_told(self):
        self.qemu(text=b"kernel panic at x: why\r\n", status=FAILURE)
        self.assert_fails(self.judge(), "the kernel said: kernel panic at x: why")

    def test_triple_fault_is_named(self):
        self.qemu(status=0, event=b"guest-reset", prompt=False)
        self.assert_fails(self.judge(), "triple fault")

    def test_a_reset_that_is_wanted_must_come(self):
        self.qemu()
        self.assert_fails(self.judge(resets=BY_DEVICE), "did not reset itself")
        resets = {"status": 0, "event": b"guest-reset", "prompt": False}
        self.qemu(**resets)
        self.assert_fails(self.judge(resets=BY_DEVICE), "unknown: QEMU needs -d cpu_reset")
        by_port, by_triple_fault = "CPU Reset (CPU 0)\n", "CPU Reset (CPU 0)\nTriple fault\n"
        self.qemu(**resets, errors=by_port)
        self.assertEqual(self.judge(resets=BY_DEVICE), [])
        self.assert_fails(self.judge(resets=BY_TRIPLE_FAULT), "reset itself by a device, not by a triple fault")
        self.qemu(**resets, errors=by_triple_fault)
        self.assertEqual(self.judge(resets=BY_TRIPLE_FAULT), [])
        self.assert_fails(self.judge(resets=BY_DEVICE), "reset itself by a triple fault, not by a device")

    def test_power_off_is_no_end_even_with_the_right_status(self):
        self.qemu(event=b"guest-shutdown")
        self.assert_fails(self.judge(), "guest-shutdown")

    def test_hostile_output_is_judged_not_fatal(self):
        self.qemu(text=b"\xff\xfe\x00\x1b[2J\r\n" * 1000 + GOOD)
        self.assertEqual(self.judge(), [])


class Running(GraderCase):
    """Tests of starting and ending QEMU."""

    def test_timeout_fails_and_ends_qemu(self):
        self.qemu(prompt=False, hang=True)
        start = time.monotonic()
        self.assert_fails(self.judge(timeout=1), "no end after 1 s")
        self.assertLess(time.monotonic() - start, 5)
        self.assert_no_qemu()

    def test_output_before_a_timeout_is_kept(self):
        self.qemu(prompt=False, hang=True)
        self.assertEqual(run_machine(Machine(), self.bench, 1).lines[0], LINE)

    def test_output_without_end_is_ended(self):
        self.qemu(text=b"a line\r\n" * 1_000_000, prompt=False, hang=True)
        self.assert_fails(self.judge(timeout=30), "bytes of output")
        self.assert_no_qemu()

    def test_a_prompt_that_nobody_answers_is_ended(self):
        self.qemu()
        self.assert_fails(self.judge(timeout=1, machine=Machine(typed=())), "no end")
        self.assert_no_qemu()

    def test_each_line_is_typed_at_a_prompt_of_its_own(self):
        self.qemu()
        machine = Machine(typed=("help\r", "exit\r"))
        self.assertEqual(self.judge(machine=machine, lines=(LINE, "K> help", "K> exit"), whole=True), [])

    def test_each_of_several_prompts_is_answered(self):
        self.qemu()
        machine = Machine(typed=("help\r", "exit\r"), prompt=("Name? ", "K> "))
        self.assertEqual(self.judge(machine=machine, lines=(LINE, "K> help", "K> exit"), whole=True), [])
        self.assert_fails(self.judge(timeout=1, machine=Machine(prompt=("Name? ",))), "no end")

    def test_the_firmware_s_lines_are_none_of_the_kernel_s(self):
        run = Run([], bytearray(b"OpenSBI v1\r\nBoot HART MEDELEG : 0x0\r\na line\r\n"))
        with mock.patch("gradelib.ARCH", ARCHES["riscv64"]):
            self.assertEqual(run.lines, ["a line", ""])

    @unittest.skipUnless(ARCH.exit_device, "QEMU's board has one")
    def test_the_device_that_ends_qemu_can_be_elsewhere(self):
        self.assertIn("isa-debug-exit,iobase=0xf4,iosize=0x04", self.bench.command(Machine()))
        self.assertIn("isa-debug-exit,iobase=0xe4,iosize=0x04", self.bench.command(Machine(exit_port=0xE4)))

    def test_a_stub_that_goes_on_answering_is_left_at_the_deadline(self):
        here, there = socket.socketpair()
        with here, there:

            def answer():
                with contextlib.suppress(OSError):
                    while there.recv(4096):
                        there.sendall(b"+$OK#9a")

            threading.Thread(target=answer, daemon=True).start()
            end = time.monotonic() + 0.5

            def left():
                if time.monotonic() > end:
                    raise TimeoutError
                return 1

            stub = Stub(here, left)
            with self.assertRaises(TimeoutError):
                while True:
                    stub.write_memory(0, b"x")

    def test_qemu_that_does_not_start_is_reported(self):
        (self.root / "qemu").write_text("#!/bin/sh\necho no such machine >&2\nexit 1\n")
        (self.root / "qemu").chmod(0o755)
        self.assert_fails(self.judge(), r"did not start \(status 1\): no such machine")

    def test_no_qemu_is_reported(self):
        self.assert_fails(self.judge(), "FileNotFoundError")

    def test_equal_machines_run_once(self):
        self.qemu()
        (self.root / "count").write_text('#!/bin/sh\necho run >> runs\nexec ./qemu "$@"\n')
        (self.root / "count").chmod(0o755)
        self.bench.qemu = str(self.root / "count")
        tests = [Test(f"part {i}", 1, Machine(), (LINE,)) for i in range(3)] + [Test("other", 1, Machine(words="x"))]
        options = gradeui.parse([], tests)
        results = gradeui.grade(options, self.bench, gradeui.Screen("never", len(tests), io.StringIO()))
        self.assertTrue(all(result.passed for result in results))
        self.assertEqual((self.root / "runs").read_text().count("run"), 2)

    def test_a_machine_that_waits_holds_no_other_up(self):
        self.qemu()
        other_runs = threading.Event()
        waits = Machine(typed=(lambda _: require(other_runs.wait(5), "the other did not run"), "exit\r"))
        other = Machine(typed=(lambda _: other_runs.set(), "exit\r"))
        for tag, passes in (("idle", True), ("boot", False)):
            other_runs.clear()
            tests = [Test("waits", 1, waits, (LINE,), tags=(tag,)), Test("other", 1, other, (LINE,))]
            results = gradeui.grade(gradeui.parse(["--jobs", "1"], tests), self.bench,
                                    gradeui.Screen("never", len(tests), io.StringIO()))
            self.assertEqual(results[0].passed, passes, results[0].complaints)


class Program(GraderCase):
    """Tests of the command line, the score and the reports."""

    TESTS = [
        Test("Page management", 20, Machine(), (LINE,), tags=("jos",)),
        Test("fault: <none> & such", 5, Machine(), ("not there",)),
    ]

    def grade(self, *arguments):
        """(status, printed text) of a grading."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                with mock.patch.dict(os.environ, QEMU=self.bench.qemu):
                    status = gradeui.main(self.TESTS, self.root, self.bench.images, "qemu", ["--no-build", *arguments])
            except SystemExit as end:
                status = end.code
        return status, printed.getvalue()

    def test_score_and_status(self):
        self.qemu()
        status, text = self.grade()
        self.assertEqual(status, 1)
        self.assertTrue(text.endswith("\nScore: 20/25\n"), text)
        status, text = self.grade("page")
        self.assertEqual((status, text.splitlines()[-1]), (0, "Score: 20/20"))

    def test_output_of_a_failed_test_is_kept_and_named(self):
        self.qemu()
        _, text = self.grade()
        path = self.root / OBJ / "grade/fault-none-such.out"
        self.assertIn(f"output: {OBJ}/grade/fault-none-such.out", text)
        self.assertIn(LINE, path.read_text())
        self.assertIn(f"$ {self.bench.qemu} -accel tcg", path.read_text())
        self.assertFalse((self.root / OBJ / "grade/page-management.out").exists())

    def test_filters(self):
        self.qemu()
        self.assertEqual(self.grade("--list", "PAGE*")[1], "  20  Page management\n")
        self.assertEqual(self.grade("--list", "fault:")[1], "   5  fault: <none> & such\n")
        status, text = self.grade("page", "nothing like it")
        self.assertEqual(status, 2)
        self.assertIn("'nothing like it'", text)

    def test_bad_options_are_errors(self):
        for arguments in (["--jobs", "0"], ["--timeout", "-1"], ["--timeout", "nan"], ["--json", "/no/such/folder/x"]):
            self.assertEqual(self.grade(*arguments)[0], 2, arguments)

    def test_the_machine_is_named_by_an_option_or_the_environment(self):
        def listed(*arguments, **environment):
            done = subprocess.run(
                [GRADE, "--list", *arguments], env={**os.environ, **environment}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            return done.returncode, done.stdout

        here = listed("--arch=x86_64", ARCH="i386")
        self.assertEqual(here[0], 0)
        self.assertIn("UEFI", here[1])
        # JOS's four tests are everywhere, and UEFI is not.
        for other in ("i386", "riscv64"):
            there = listed(ARCH=other)
            self.assertEqual(there[0], 0)
            self.assertEqual(here[1].splitlines()[:4], there[1].splitlines()[:4])
            self.assertNotIn("UEFI", there[1])
        for unknown in (listed("--arch", "pdp11"), listed(ARCH="pdp11")):
            self.assertEqual(unknown, (2, 'grade.py: unknown ARCH "pdp11"; there are: x86_64 i386 riscv64\n'))

    def test_no_kernel_is_an_error(self):
        (self.root / "kernel").unlink()
        status, text = self.grade()
        self.assertEqual(status, 2)
        self.assertIn("there is no kernel", text)

    def test_color(self):
        self.qemu()
        self.assertIn("\x1b[31mFAIL", self.grade("--color", "always")[1])
        self.assertNotIn("\x1b", self.grade("--color", "auto")[1])
        self.assertNotIn("\x1b", self.grade("--color", "never")[1])

    def test_verbose_shows_commands_and_output_without_control_characters(self):
        self.qemu(text=GOOD + b"\x1b[2J\r\n")
        text = self.grade("-v", "page")[1]
        self.assertIn("-kernel kernel", text)
        self.assertIn("| K> exit", text)
        self.assertNotIn("\x1b", text)

    def test_json_is_what_gradescope_reads(self):
        self.qemu()
        self.grade("--json", str(self.root / "results.json"))
        report = json.loads((self.root / "results.json").read_text())
        self.assertEqual((report["score"], report["output"]), (20, "Score: 20/25"))
        first, second = report["tests"]
        self.assertEqual(set(first), {"name", "score", "max_score", "status", "output", "tags", "visibility"})
        self.assertEqual((first["status"], first["score"], first["tags"]), ("passed", 20, ["jos"]))
        self.assertEqual((second["status"], second["score"], second["max_score"]), ("failed", 0, 5))
        self.assertIn("missing line: not there", second["output"])

    def test_junit_is_well_formed_whatever_the_output(self):
        self.qemu(text=b"\x00\x1b<&>\xff\r\n" + GOOD)
        self.grade("--junit", str(self.root / "junit.xml"))
        suite = xml.parse(self.root / "junit.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("2", "1"))
        self.assertEqual(len(suite.findall("testcase/failure")), 1)


if __name__ == "__main__":
    unittest.main()
