"""Tests of what comes in: archives and folders of all kinds, the end of whatever grading has started, and names for a CSV."""

import contextlib
import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "autograder"))

import submission  # noqa: E402 (found by the line above)

FILE = "libjos/src/pmap.rs"


def script(path):
    """A script as a module."""
    loader = SourceFileLoader(path.name.replace("-", "_"), str(path))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def tar(*members):
    """A tar of (name, contents), or of headers with a contents of their own."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        for name, contents in members:
            header = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            header.size = len(contents)
            packed.addfile(header, io.BytesIO(contents))
    return file.getvalue()


def zipped(*members, password=False):
    """A zip of (name, contents)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, contents in members:
            packed.writestr(name, contents)
    data = bytearray(file.getvalue())
    if password:  # bit 0 of each file's flags
        data[6] |= 1
        data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def odd(name, kind, to=""):
    """The header of a member that is no file."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, to
    return header


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.folder = Path(kept.name)
        self.handed_in, self.unpacked = self.folder / "submission", self.folder / "unpacked"
        self.handed_in.mkdir()
        self.unpacked.mkdir()

    def find(self):
        """The folder with the lab's file, from the test's own."""
        return submission.find(self.handed_in, [FILE], self.unpacked).relative_to(self.folder).as_posix()

    def find_in(self, name, contents):
        """That in an archive."""
        (self.handed_in / name).write_bytes(contents)
        return self.find()

    def refuses(self, name, contents, words):
        """Asserts that an archive is refused by these words, and that nothing lies outside of the folder for it."""
        with self.assertRaisesRegex(submission.Unusable, words):
            self.find_in(name, contents)
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"submission", "unpacked"})
        (self.handed_in / name).unlink()


class Archives(Case):
    """Archives that students hand in."""

    def test_of_each_kind(self):
        for name, contents in (
            ("a.tar", tar((FILE, b"x"))), ("b.tgz", gzip.compress(tar((f"jos/{FILE}", b"x")))), ("c.zip", zipped((FILE, "x"))),
            ("d.tar.gz", gzip.compress(tar((odd("libjos", tarfile.DIRTYPE), b""), (f"./{FILE}", b"x")))),
        ):
            with self.subTest(name):
                self.assertIn(self.find_in(name, contents), ("unpacked", "unpacked/jos"))
                (self.handed_in / name).unlink()

    def test_files_that_lie_there_come_first(self):
        (self.handed_in / FILE).parent.mkdir(parents=True)
        (self.handed_in / FILE).write_text("x")
        self.assertEqual(self.find_in("old.tar.gz", b"no archive"), "submission")

    def test_nothing_is_written_outside(self):
        up, link = f"../{FILE}", odd("libjos", tarfile.SYMTYPE, "../submission")
        for name, contents in (
            ("a.tar", tar((up, b"x"))), ("b.zip", zipped((up, "x"))), ("c.tar", tar((f"{self.folder}/{FILE}", b"x"))),
            ("d.tar", tar((link, b""))), ("e.tar", tar((odd(FILE, tarfile.LNKTYPE, "/etc/passwd"), b""))),
            ("f.tar", tar((odd(FILE, tarfile.CHRTYPE), b""))), ("g.zip", zipped((f"{self.folder}/{FILE}"[1:] + "/../..", "x"))),
        ):
            with self.subTest(name):
                self.refuses(name, contents, "none of the lab's files is there")

    def test_too_much(self):
        zeros = bytes(submission.MOST_BYTES + 1)
        many = [(f"{n}", b"") for n in range(submission.MOST_FILES + 1)]
        negative = bytearray(tar(("a", b"")))
        negative[124:136] = b"\xff" * 4 + bytes(8)  # a size below 0, with its checksum
        negative[148:156] = b" " * 8
        negative[148:156] = b"%06o\0 " % sum(negative[:512])
        for name, contents in (
            ("a.tar.gz", gzip.compress(tar(("a", zeros)))), ("b.zip", zipped(("a", zeros))), ("c.tar", tar(*many)),
            ("d.zip", zipped(*many)), ("e.tar", tar(("a", zeros))), ("f.tgz", gzip.compress(zeros)),
        ):
            with self.subTest(name):
                self.refuses(name, contents, "more than 5000 files or 16 MB")
        self.refuses("g.tar", bytes(negative), "cannot be unpacked|more than|none of")

    def test_broken_ones(self):
        packed = gzip.compress(tar((FILE, os.urandom(9999))))
        for name, contents in (
            ("a.tar.gz", b"\1" * 999), ("b.zip", b"\1" * 999), ("c.tar.gz", packed[:5000]), ("d.tar", b""), ("e.zip", b"PK\5\6"),
            ("f.tar.gz", packed[:3000] + b"\0" * 99 + packed[3099:]), ("g.zip", zipped((FILE, "x" * 99), password=True)),
            ("h.tar", tar(("a", b""), ("a/b", b""))), ("i.zip", zipped(("a", ""), ("a/b", ""))), ("j.tar", tar(("b" * 99, b""))[:700]),
            ("k.tar", tar(("/".join(["d" * 99] * 60), b""))),
        ):
            with self.subTest(name):
                self.refuses(name, contents, f"^{name} cannot be unpacked: |none of")

    def test_a_name_that_is_no_text(self):
        header = tarfile.TarInfo(os.fsdecode(b"\xff/") + FILE)
        self.assertEqual(self.find_in("a.tar", tar((header, b"x"))), os.fsdecode(b"unpacked/\xff"))

    def test_no_archive_at_all(self):
        (self.handed_in / "a.zip").mkdir()
        (self.handed_in / "b.tar").symlink_to("/dev/zero")
        with self.assertRaisesRegex(submission.Unusable, "Hand in what `make handin` packs"):
            self.find()

    def test_links_are_not_followed(self):
        other = self.folder / "other"
        (other / FILE).parent.mkdir(parents=True)
        (other / FILE).write_text("x")
        (self.handed_in / "libjos").symlink_to(other / "libjos")
        with self.assertRaisesRegex(submission.Unusable, "none of the lab's files"):
            self.find()


class Processes(unittest.TestCase):
    """The processes of a grading whose time is up."""

    def test_all_are_ended_in_sessions_of_their_own_too(self):
        grader = script(HERE / "autograder/run_autograder")
        command = ["setsid", "sh", "-c", "setsid -w sh -c 'echo $$; exec sleep 600'; exec sleep 600"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
            inner = Path("/proc", started.stdout.readline().decode().strip(), "stat")
            self.assertRaises(grader.TimeIsUp, grader.time_is_up)
        self.assertEqual(started.returncode, -signal.SIGKILL)
        while inner.exists() and inner.read_text().rpartition(")")[2].split()[0] != "Z":
            pass  # it was killed, and ends


class Classes(Case):
    """tools/lab/grade-all."""

    def setUp(self):
        super().setUp()
        self.grade_all = script(HERE / "grade-all")
        (self.folder / "base/source").mkdir(parents=True)
        grader = self.folder / "base/source/run_autograder"
        grader.write_text("#!/bin/sh\nmkdir -p $AUTOGRADER_BASE/results\n")
        grader.chmod(0o755)

    def said(self, path):
        """What becomes of a submission, by a grader that leaves no result."""
        return self.grade_all.grade(path, self.folder / "base")["output"]

    def test_a_submission_that_cannot_be_copied_costs_its_own_points_alone(self):
        (self.handed_in / "here").write_text("x")
        os.mkfifo(self.handed_in / "pipe")
        self.assertIn("left no result", self.said(self.handed_in))
        self.assertEqual([path.name for path in (self.folder / "base/submission").iterdir()], ["here"])
        (self.folder / "gone").symlink_to("nowhere")
        self.assertIn("cannot be read", self.said(self.folder / "gone"))
        self.assertIn("cannot be read", self.said(self.handed_in / "pipe"))

    def test_a_class_gets_a_table_and_a_page(self):
        report = '{"score": 7, "tests": [{"name": "walk", "score": 7, "max_score": 9, "status": "failed", "output": "<why>"}]}'
        grader = self.folder / "base/source/run_autograder"
        grader.write_text(
            f"#!/bin/sh\nmkdir $AUTOGRADER_BASE/results\ntest ! -e $AUTOGRADER_BASE/submission/{FILE} ||\n"
            f"  echo '{report}' > $AUTOGRADER_BASE/results/results.json\n"
        )
        (self.handed_in / "ada" / FILE).parent.mkdir(parents=True)
        (self.handed_in / "ada" / FILE).write_text("x")
        (self.handed_in / "bob.zip").write_bytes(b"no archive")
        (self.handed_in / "gone").symlink_to("nowhere")
        self.grade_all.pack = lambda lab: None
        self.grade_all.prepare = lambda base, source: self.folder / "base"
        for _ in range(2):  # the second time, what was written is no submission
            with contextlib.redirect_stdout(io.StringIO()):
                self.grade_all.main([str(self.handed_in)])
            rows = list(csv.reader(io.StringIO((self.handed_in / "grades.csv").read_text())))
            self.assertEqual(rows[0], ["submission", "score", "walk", "remark"])
            self.assertEqual([row[:3] for row in rows[1:]], [["ada", "7", "7"], ["bob.zip", "0", "0"], ["gone", "0", "0"]])
            self.assertIn("left no result", rows[2][3])
            self.assertIn("cannot be read", rows[3][3])
            page = (self.handed_in / "grades.html").read_text()
            self.assertIn("walk: 7/9<pre>&lt;why&gt;</pre>", page)
            self.assertIn("<a href='#0'>ada</a><td>7", page)

    def test_wrong_words_are_answered_in_words(self):
        for arguments, said in (
            (["/nowhere"], "/nowhere is no folder"),
            ([str(self.handed_in), "--jobs", "0"], "--jobs: at least one"),
            ([str(self.handed_in), "--lab", "9"], "there is no lab9"),
        ):
            (self.handed_in / "ada").mkdir(exist_ok=True)
            ran = subprocess.run([HERE / "grade-all", *arguments], capture_output=True, text=True, check=False)
            self.assertNotEqual(ran.returncode, 0)
            self.assertIn(said, ran.stderr)
            self.assertNotIn("Traceback", ran.stderr)

    def test_names_are_text_and_no_formulas(self):
        name = self.grade_all.shown(Path(os.fsdecode(b"=1+1\xff")))
        self.assertEqual(name, "=1+1?")
        path = self.folder / "grades.csv"
        self.grade_all.write_csv(path, {name: {"score": 1, "tests": [{"name": "a", "score": 1}], "output": "@x"}})
        self.assertEqual(list(csv.reader(io.StringIO(path.read_text())))[1], ["'=1+1?", "1", "1", "'@x"])
        page = self.folder / "grades.html"
        self.grade_all.write_page(page, {"<b>": {"score": 1, "tests": [], "output": "<i>"}})
        self.assertNotIn("<b>", page.read_text())
        self.assertNotIn("<i>", page.read_text())


if __name__ == "__main__":
    unittest.main()
