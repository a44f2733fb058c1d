"""Tests of the autograder, end to end: packed, prepared, and run on good, wrong and hostile submissions as Gradescope runs it.

They take a long time, so only `make check-lab` runs them (LAB_ALL=1).
"""

import json
import os
import shutil
import subprocess
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = Path(os.environ.get("AUTOGRADER_BASE") or ROOT / "obj/autograder-base")
SKIPS_PREPARATION = bool(os.environ.get("AUTOGRADER_BASE"))
ENVIRONMENT = {**os.environ, "AUTOGRADER_BASE": str(BASE), "AUTOGRADER_TOOLS_ARE_THERE": "1"}
ENVIRONMENT.pop("CARGO_TARGET_DIR", None)
FULL = 180 + 25 + 10

ALLOCATOR = "libjos/src/mem/pages/allocator.rs"
PAGE_ALLOC = 'panic!("exercise 4: not yet implemented")'


def lab(*words):
    """Runs tools/lab."""
    subprocess.run(["cargo", "run", "-q", "-p", "lab", "--", *words], cwd=ROOT, check=True)


@unittest.skipUnless(os.environ.get("LAB_ALL") == "1", "make check-lab runs this")
class Autograder(unittest.TestCase):
    """One prepared autograder, many submissions."""

    @classmethod
    def setUpClass(cls):
        cls.answered, cls.empty = BASE / "answered", BASE / "empty"
        if not SKIPS_PREPARATION:
            shutil.rmtree(BASE, ignore_errors=True)
            subprocess.run([ROOT / "tools/lab/autograder/pack.py", "2"], check=True)
            with zipfile.ZipFile(ROOT / "obj/autograder-lab2.zip") as packed:
                packed.extractall(BASE / "source")
            subprocess.run(["sh", BASE / "source/setup.sh"], env=ENVIRONMENT, check=True)
        for tree in (cls.answered, cls.empty):
            shutil.rmtree(tree, ignore_errors=True)
            lab("handout", "2", str(tree))
        lab("answer", "2", str(cls.answered))

    def grade(self, submission=None, archive=None, seconds=1800):
        """The report on a submission: a tree, or an archive's name and bytes."""
        for folder in ("submission", "results"):
            shutil.rmtree(BASE / folder, ignore_errors=True)
        if submission:
            shutil.copytree(submission, BASE / "submission", symlinks=True)
        else:
            (BASE / "submission").mkdir()
        if archive:
            (BASE / "submission" / archive[0]).write_bytes(archive[1])
        environment = {**ENVIRONMENT, "AUTOGRADER_SECONDS": str(seconds)}
        done = subprocess.run([BASE / "run_autograder"], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads((BASE / "results/results.json").read_text())

    def changed(self, file, old, new):
        """The answered tree with a change."""
        tree = BASE / "changed"
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(self.answered, tree)
        text = (tree / file).read_text()
        self.assertEqual(text.count(old), 1, old)
        (tree / file).write_text(text.replace(old, new))
        return tree

    def said(self, report):
        """All words of a report."""
        return "\n".join([report.get("output", ""), *(test["output"] for test in report["tests"])])

    def test_answers_get_full_marks(self):
        report = self.grade(self.answered)
        self.assertEqual(report["score"], FULL, self.said(report))
        self.assertEqual({test["visibility"] for test in report["tests"]}, {"visible", "after_due_date"})

    def test_what_handin_packs_gets_full_marks(self):
        subprocess.run(["make", "-s", "handin"], cwd=self.answered, env=ENVIRONMENT, check=True)
        report = self.grade(archive=("lab2.tar.gz", (self.answered / "lab2.tar.gz").read_bytes()))
        self.assertEqual(report["score"], FULL, self.said(report))

    def test_the_empty_handout_gets_nothing(self):
        report = self.grade(self.empty)
        self.assertEqual(report["score"], 0)
        self.assertIn("exercise 1: not yet implemented", self.said(report))

    def test_no_submission_at_all(self):
        self.assertIn("none of the lab's files is there", self.grade()["output"])

    def test_an_archive_that_is_none(self):
        self.assertIn("cannot be unpacked", self.grade(archive=("lab2.tar.gz", b"\1" * 999))["output"])

    def test_a_binary_file(self):
        tree = self.changed(ALLOCATOR, "use layout::PGSIZE;", "use layout::PGSIZE;")
        (tree / ALLOCATOR).write_bytes(bytes(range(256)) * 9)
        report = self.grade(tree)
        self.assertIn("is not text in UTF-8", self.said(report))
        self.assertLess(report["score"], FULL)

    def test_a_body_that_does_not_compile(self):
        report = self.grade(self.changed(ALLOCATOR, "let frame = Frame(self.list.head);", "let frame = 5;"))
        self.assertEqual(report["score"], 0)
        self.assertIn("error[E", self.said(report))

    def test_a_body_without_end(self):
        report = self.grade(self.changed(ALLOCATOR, "let frame = Frame(self.list.head);", "loop {} let frame = Frame(self.list.head);"))
        self.assertIn("a loop without end?", self.said(report))
        scores = {test["name"]: test["score"] for test in report["tests"]}
        self.assertEqual(scores["Exercise 3: page_init"], 5)

    def test_too_little_time(self):
        self.assertIn("did not end within 2 seconds", self.grade(self.answered, seconds=2)["output"])

    def test_cheats(self):
        first = "let frame = Frame(self.list.head);"
        for name, new, says in (
            ("unsafe", "unsafe { core::hint::unreachable_unchecked() } " + first, "no unsafe code"),
            ("the engine's own", "self.page_alloc_run(mem, flags, 1); " + first, "`.page_alloc_run()` is not among"),
            ("printing", 'println!("check_page_alloc() succeeded!"); ' + first, "`println!` is not among"),
            ("another function", "return None; } fn steal() { " + first, "exercise 4"),
            ("a file of the grader's", 'include!("/etc/passwd"); ' + first, "`include!` is not among"),
        ):
            with self.subTest(name):
                report = self.grade(self.changed(ALLOCATOR, first, new))
                scores = {test["name"]: test["score"] for test in report["tests"]}
                self.assertEqual(scores["Exercise 4: page_alloc"], 0)
                if says != "exercise 4":
                    self.assertIn(says, self.said(report))

    def test_nothing_else_of_a_submission_counts(self):
        tree = BASE / "changed"
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(self.empty, tree)
        (tree / "grade.py").write_text("print('Score: 180/180')\n")
        (tree / "tools/lab/grading/labgrade.py").write_text("raise SystemExit(0)\n")
        for file in tree.glob("libjos/src/lab_tests/*.rs"):
            file.write_text("")
        self.assertEqual(self.grade(tree)["score"], 0)


if __name__ == "__main__":
    unittest.main()
