"""Tests of each lab's autograder, end to end: packed, prepared, and run on good, wrong and hostile submissions as Gradescope
runs it.

They take a long time, so only `make check-lab` runs them (LAB_ALL=1). With AUTOGRADER_ROOT=DIR (`make
check-lab-bare`) they run in a bare Debian system below that folder, where setup.sh has to install everything.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/lab"), str(ROOT / "tools/grade/planted")]

from testedlab import of_each_lab  # noqa: E402 (found by the line above)

from faults import KERNELS, STUB  # noqa: E402

BARE = os.environ.get("AUTOGRADER_ROOT")
BASE = Path(BARE) / "autograder" if BARE else ROOT / "obj/autograder-base"
# As on a machine of Gradescope's: without the words of the `make` that runs these tests.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "JOS_PROGRAMS")}
if not BARE:
    ENVIRONMENT |= {"AUTOGRADER_BASE": str(BASE), "AUTOGRADER_TOOLS_ARE_THERE": "1"}

def run(script, *settings):
    """Runs a script of BASE, where the settings of the environment hold."""
    inside = Path("/autograder") if BARE else BASE
    enter = [ROOT / "tools/lab/autograder/in-root", BARE] if BARE else []
    command = [*enter, "env", *settings, inside / script]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)


def copy(tree):
    """A copy of a tree, to be changed. There is one at a time."""
    changed = BASE / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    return shutil.copytree(tree, changed)


@of_each_lab(globals())
class Autograder:
    """One prepared autograder, many submissions."""

    @classmethod
    def setUpClass(cls):
        if os.environ.get("LAB_ALL") != "1":
            raise unittest.SkipTest("make check-lab runs this")
        lab = cls.lab
        cls.full = sum(lab.points.values()) + sum(points for *_, points in lab.hidden.HOST)
        cls.full += sum(test.points for test in (*lab.graded.TESTS, *lab.hidden.TESTS))
        cls.answered, cls.empty = BASE / "answered", BASE / "empty"
        shutil.rmtree(BASE, ignore_errors=True)
        subprocess.run([ROOT / "tools/lab/autograder/pack.py", lab.number], check=True)
        with zipfile.ZipFile(ROOT / f"obj/autograder-lab{lab.number}.zip") as packed:
            packed.extractall(BASE / "source")
        (BASE / "source/setup.sh").chmod(0o755)  # extractall() forgets modes
        done = run("source/setup.sh")
        assert done.returncode == 0, done.stdout + done.stderr
        for tree in (cls.answered, cls.empty):
            shutil.rmtree(tree, ignore_errors=True)
            lab.tool("handout", str(tree))
        lab.tool("answer", str(cls.answered))

    def grade(self, submission=None, archive=None, seconds=1800, build_seconds=900):
        """The report on a submission: a tree, or an archive's name and bytes."""
        for folder in ("submission", "results"):
            shutil.rmtree(BASE / folder, ignore_errors=True)
        if submission:
            shutil.copytree(submission, BASE / "submission", symlinks=True)
        else:
            (BASE / "submission").mkdir()
        if archive:
            (BASE / "submission" / archive[0]).write_bytes(archive[1])
        done = run("run_autograder", f"AUTOGRADER_SECONDS={seconds}", f"LAB_BUILD_SECONDS={build_seconds}")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads((BASE / "results/results.json").read_text())
        print(f"{self.id().rpartition('.')[2]}: {report['score']}", file=sys.stderr)
        return report

    def changed(self, before="", instead=None):
        """The answered tree with something put before a line of one of its bodies, or instead of it."""
        tree, old = copy(self.answered), self.lab.tested.LINE
        file = tree / self.lab.tested.FILE
        text = file.read_text()
        self.assertEqual(text.count(old), 1, old)
        file.write_text(text.replace(old, f"{before}{old}" if instead is None else instead))
        return tree

    def said(self, report):
        """All words of a report."""
        return "\n".join([report.get("output", ""), *(test["output"] for test in report["tests"])])

    def test_answers_get_full_marks(self):
        report = self.grade(self.answered)
        self.assertEqual(report["score"], self.full, self.said(report))
        self.assertEqual({test["visibility"] for test in report["tests"]}, {"visible", "after_due_date"})

    def test_what_handin_packs_gets_full_marks(self):
        subprocess.run(["make", "-s", "handin"], cwd=self.answered, env=ENVIRONMENT, check=True)
        packed = self.answered / f"lab{self.lab.number}.tar.gz"
        report = self.grade(archive=(packed.name, packed.read_bytes()))
        self.assertEqual(report["score"], self.full, self.said(report))

    def test_the_empty_handout_gets_nothing(self):
        report = self.grade(self.empty)
        self.assertEqual(report["score"], 0)
        self.assertIn("exercise 1: not yet implemented", self.said(report))

    def test_no_submission_at_all(self):
        self.assertIn("none of the lab's files is there", self.grade()["output"])

    def test_an_archive_that_is_none(self):
        self.assertIn("cannot be unpacked", self.grade(archive=("lab.tar.gz", b"\1" * 999))["output"])

    def test_a_binary_file(self):
        tree = copy(self.answered)
        (tree / self.lab.tested.FILE).write_bytes(bytes(range(256)) * 9)
        report = self.grade(tree)
        self.assertIn("is not text in UTF-8", self.said(report))
        self.assertLess(report["score"], self.full)

    def test_a_body_that_does_not_compile(self):
        report = self.grade(self.changed(instead="let frame = 5;"))
        self.assertEqual(report["score"], 0)
        self.assertIn("error[E", self.said(report))

    def test_a_body_that_the_compiler_does_not_end_with(self):
        doubled = "let twice = (1, 1); " + "let twice = (twice, twice);\n" * 60
        report = self.grade(self.changed(doubled), build_seconds=30)
        self.assertEqual(report["score"], 0)
        self.assertIn("the compiler did not end within 30 s", self.said(report))

    def test_a_body_that_is_nested_deeply(self):
        report = self.grade(self.changed(f"let _ = {'!' * 12000}true; "))
        self.assertEqual(report["score"], 0)
        self.assertIn("does not compile", self.said(report))

    def test_a_body_without_end(self):
        report = self.grade(self.changed("loop {} "))
        self.assertIn("a loop without end?", self.said(report))
        scores = {test["name"]: test["score"] for test in report["tests"]}
        self.assertGreater(scores[self.lab.tested.OTHER], 0)

    def test_too_little_time(self):
        self.assertIn("did not end within 2 seconds", self.grade(self.answered, seconds=2)["output"])

    def test_cheats(self):
        short_cut = self.lab.tested.SHORT_CUT
        refused = f"`.{re.findall(r'[a-z_]+[(]', short_cut)[-1]})` is not among"
        for name, before, says in (
            ("unsafe", "unsafe { core::hint::unreachable_unchecked() } ", "no unsafe code"),
            ("the engine's own", f"{short_cut}; ", refused),
            ("printing", 'println!("check_page_alloc() succeeded!"); ', "`println!` is not among"),
            ("another function", "return None; } fn steal() { ", ""),
            ("a file of the grader's", 'include!("/etc/passwd"); ', "`include!` is not among"),
            ("lines that vanish", " /*\n\u0085*/ unsafe { steal() } /*\n\u0085*/\n        ", "nobody sees, U+0085"),
            ("a call on the left", f"assert_eq!([0][{{ {short_cut}; 0 }}] = 1, ()); ", refused),
            ("code for one build", "#[cfg(test)] for _ in 0..1 {} ", "no attributes"),
            ("a constant block", "const { panic!() }; ", "kind of expression"),
            ("a module", "mod m {} ", "no items"),
            ("a path through core", "core::hint::spin_loop(); ", "`core::hint::spin_loop` is not among"),
            ("too much", "// " + "x" * 17000 + "\n", "more than 200 lines, or 16 KB"),
        ):
            with self.subTest(name):
                report = self.grade(self.changed(before))
                scores = {test["name"]: test["score"] for test in report["tests"]}
                self.assertEqual(scores[self.lab.tested.EXERCISE], 0)
                self.assertIn(says, self.said(report))

    def test_mistakes(self):
        for number, (exercise, says, name) in enumerate(self.lab.mistakes, 1):
            with self.subTest(name):
                tree = copy(self.answered)
                self.lab.tool("mistake", str(tree), str(number))
                report = self.grade(tree)
                own = next(test for test in report["tests"] if test["name"].startswith(f"Exercise {exercise}:"))
                self.assertEqual(own["score"], 0)
                self.assertRegex(own["output"], says)

    def test_a_kernel_that_prints_the_lines(self):
        tree = copy(self.empty)
        for file, old, new in STUB.edits:
            text = (tree / file).read_text()
            self.assertEqual(text.count(old), 1, old)
            (tree / file).write_text(text.replace(old, new.replace(KERNELS, "true")))
        self.assertEqual(self.grade(tree)["score"], 0)

    def test_nothing_else_of_a_submission_counts(self):
        tree = copy(self.empty)
        (tree / "grade.py").write_text("print('Score: 255/255')\n")
        (tree / "tools/lab/grading/labgrade.py").write_text("raise SystemExit(0)\n")
        for file in (tree / self.lab.tested.TESTS).glob("*.rs"):
            file.write_text("")
        self.assertEqual(self.grade(tree)["score"], 0)


if __name__ == "__main__":
    unittest.main()
