"""Tests of each lab: what is handed out, what is asked for, and what the grader says of missing and of wrong bodies.

`make check-lab` runs all of it (LAB_ALL=1); `make test-tools` one of each kind.
"""

import os
import re
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from testedlab import ENVIRONMENT, MISSING, ROOT, make, of_each_lab  # noqa: E402 (found by the line above)

import built  # noqa: E402 (found by testedlab, as those that follow)
from arch import ARCH, ARCHES  # noqa: E402
from gradelib import Machine, judge  # noqa: E402
from graderun import Bench, run_machine  # noqa: E402

ALL = os.environ.get("LAB_ALL") == "1"
# Names of the language, of its prelude, and of the types that a function is generic over.
EVERYWHERE = {
    "Some", "None", "Ok", "Err", "Option", "Result", "self", "Self", "true", "false", "size_of", "size_of_val", "L", "M", "F",
    "bool", "u8", "u16", "u32", "u64", "usize", "i32", "i64",
}


@of_each_lab(globals())
class HandedOut:
    """The tree that students get."""

    def test_has_no_bodies(self):
        tree, tested = self.lab.handout("handout"), self.lab.tested
        answers = (ROOT / f"tools/lab/answers/lab{self.lab.number}.rs").read_text().splitlines()
        own = {line.strip() for line in answers if re.search(tested.TELLING, line)}
        self.assertTrue(own)
        for path in tree.rglob("*"):
            if not path.is_file() or {".git", "obj"} & {*path.relative_to(tree).parts}:
                continue
            text = path.read_bytes().decode("utf-8", "replace")
            for name in tested.ENGINE:
                self.assertNotRegex(text, rf"\b{name}\b", path)
            lines = {line.strip() for line in text.splitlines()}
            self.assertFalse(own & lines, path)

    def test_has_no_marks_and_no_other_lab(self):
        tree = self.lab.handout("handout")
        self.assertEqual([path.name for path in (tree / "tools/lab").glob("lab[0-9]*")], [f"lab{self.lab.number}"])
        for path in (tree / "Makefile", *tree.rglob("*.rs"), *tree.rglob("*.toml"), *tree.rglob("*.md")):
            self.assertNotRegex(path.read_text(), r"(?m)^\s*(//|#|<!--) lab( \d+)?: (begin|end)", path)

    def test_links_lead_somewhere(self):
        tree = self.lab.handout("handout")
        for page in tree.rglob("*.md"):
            for link in re.findall(r"\]\(([^)#\s]+)[)#]", page.read_text()):
                if not re.match(r"\w+:", link):
                    self.assertTrue((page.parent / link).exists(), f"{page}: {link}")

    def test_has_no_history(self):
        tree = self.lab.handout("handout")
        log = subprocess.run(["git", "log", "--all", "--format=%s"], cwd=tree, capture_output=True, text=True).stdout
        self.assertEqual(log.splitlines(), [f"Lab {self.lab.number} as handed out"])
        state = subprocess.run(["git", "status", "--porcelain"], cwd=tree, capture_output=True, text=True).stdout
        self.assertEqual(state, "")

    def test_has_no_graded_tests_but_its_own(self):
        tree = self.lab.handout("handout")
        texts = [path.read_text() for path in tree.rglob("*.py")]
        imported = set(re.findall(r"^\s*(?:import|from) (\w+)", "\n".join(texts), re.M))
        there = {path.stem for path in (tree / "tools/grade").glob("*.py")}
        self.assertEqual(there - imported, set())

    def test_has_none_of_the_graders_own_tests(self):
        tree, pristine = self.lab.handout("handout"), self.lab.switched
        self.assertTrue((pristine / self.lab.folder.relative_to(ROOT) / "hidden.py").exists())
        for folder in (tree, tree / "libjos"):
            self.assertFalse([*folder.rglob("property.rs"), *folder.rglob("hidden.py")])

    def test_boots_and_says_what_is_missing(self):
        if not self.lab.runs_here:
            self.skipTest(f"lab {self.lab.number} does not run on {ARCH.name}")
        run = run_machine(Machine(words=self.lab.tested.WORDS, typed=()), self.lab.bench(self.lab.handout("handout")), 60)
        self.assertRegex("\n".join(run.lines), self.lab.tested.AT_FIRST)

    def test_every_hole_is_there_once(self):
        tree = self.lab.handout("handout")
        text = "".join((tree / file).read_text() for file in self.lab.tool("files")[1])
        for number in self.lab.points:
            self.assertEqual(text.count(f'panic!("exercise {number}: not yet implemented")'), 1)

    def test_bodies_can_name_what_they_may_use(self):
        """A body comes without `use`: each name that it may use is in scope where the body stands."""
        tree, lab = self.lab.handout("handout"), tomllib.loads((self.lab.folder / "exercises.toml").read_text())
        for exercise in lab["exercise"]:
            text = (tree / exercise["file"]).read_text()
            before = text.partition(f"// exercise {exercise['number']} (")[0]
            items = re.findall(r"^use [^;]+;|^(?:pub(?:\(\w+\))? )?(?:const )?(?:fn|struct|enum|type|const) \w+", text, re.M)
            there = {*re.findall(r"\w+", " ".join((*items, before[before.rindex("fn ") :])))}
            names = {path.split("::")[0] for path in lab["all"]["paths"] + exercise["paths"]}
            self.assertEqual(names - there - EVERYWHERE, set(), exercise["name"])

    def test_is_graded_where_it_runs(self):
        tree = self.lab.handout("handout")
        for arch in ARCHES:
            grade = ["./grade.py", "--complaints", "/nowhere"]
            ran = subprocess.run(grade, cwd=tree, env={**ENVIRONMENT, "ARCH": arch}, capture_output=True, text=True)
            self.assertIn("/nowhere" if arch in self.lab.machines else f"the kernel of {arch} does not have", ran.stderr)


@of_each_lab(globals())
class Answers:
    """The answers: plain, and enough."""

    def test_are_short(self):
        lines = (ROOT / f"tools/lab/answers/lab{self.lab.number}.rs").read_text().splitlines()
        self.assertLess(len(lines), 250)

    def test_use_only_what_is_listed(self):
        tree = self.lab.handout("answered", "answer")
        self.assertEqual(self.lab.tool("check", str(tree)), (0, []))

    def test_get_full_marks(self):
        outcomes = self.lab.on_host({})
        self.assertEqual({number: outcome.complaints for number, outcome in outcomes.items() if outcome.complaints}, {})
        # The engine passes the same tests in `make test`, against the same plain model.
        for number, title, _ in self.lab.hidden.HOST:
            self.assertEqual(self.lab.hidden_on_host(number).complaints, [], title)
        said = self.lab.in_qemu({}, self.lab.some(ALL))
        self.assertEqual({title: complaints for title, complaints in said.items() if complaints}, {})

    def test_do_as_the_documents_say(self):
        tests = [test for test in self.lab.tested.documents(self.lab.switched) if test.is_for(ARCH)]
        if not tests:
            self.skipTest(f"the documents of lab {self.lab.number} are not about {ARCH.name}")
        bench = self.lab.bench(self.lab.switched)
        images = {test.machine.image: str(built.IMAGES[test.machine.image]) for test in tests}
        make(bench.root, f"obj/{ARCH.name}/facts.json", *images.values())
        bench = Bench(bench.root, bench.qemu, {**bench.images, **images})
        for test in tests if ALL else tests[:1]:
            with self.subTest(test.title):
                self.assertEqual(judge(test, run_machine(test.machine, bench, 120)), [])


@of_each_lab(globals())
class Text:
    """docs/labs/N.md, beside the grader."""

    def test_names_the_points_of_each_exercise(self):
        said = re.findall(r"^\*\*Exercise (\d+), `(\w+)`\*\* \(.*?(\d+) points\)", self.text(), re.M)
        self.assertEqual([(int(number), name, int(points)) for number, name, points in said], self.lab.exercises)

    def test_has_the_score_at_each_step(self):
        said = re.findall(r"^\| (?:none|1|1 to \d+) \| (\d+) \|$", self.text(), re.M)
        steps = [self.score(done) for done in range(len(self.lab.points) + 1)]
        self.assertEqual([int(points) for points in said], steps)
        self.assertIn(f"| with the bodies of exercises | score of {steps[-1]} |", self.text())

    def text(self):
        """The lab's text."""
        return (ROOT / f"docs/labs/{self.lab.number}.md").read_text()

    def score(self, done):
        """The score with the first bodies."""
        there = [*self.lab.points][:done]
        passed = [test for test in self.lab.graded.TESTS if self.lab.needs_in_qemu(test) <= {*there}]
        return sum(self.lab.points[number] for number in there) + sum(test.points for test in passed)


@of_each_lab(globals())
class Missing:
    """Trees without some of the bodies."""

    def test_each_one_fails_what_depends_on_it(self):
        tests = self.lab.some(False)
        for left_out in self.lab.points if ALL else self.lab.tested.LEFT_OUT:
            with self.subTest(left_out=left_out):
                outcomes, machines = self.lab.on_host({left_out: MISSING}), self.lab.in_qemu({left_out: MISSING}, tests)
                failed = {number for number, outcome in outcomes.items() if outcome.complaints}
                self.assertEqual(failed, {number for number in self.lab.points if left_out in self.lab.needs(number)})
                words = f"exercise {left_out}: not yet implemented"
                for number in failed:
                    self.assertIn(words, " ".join(outcomes[number].complaints))
                needing = {test.title for test in tests if left_out in self.lab.needs_in_qemu(test)}
                self.assertEqual({title for title, said in machines.items() if said}, needing)
                for title in needing:
                    self.assertIn(words, " ".join(machines[title]))

    def test_each_body_raises_the_score(self):
        tests = self.lab.some(False)
        for done in range(len(self.lab.points) + 1) if ALL else self.lab.tested.STEPS:
            there, left = [*self.lab.points][:done], dict.fromkeys([*self.lab.points][done:], MISSING)
            outcomes, machines = self.lab.on_host(left), self.lab.in_qemu(left, tests)
            # As docs/labs/N.md has it, without the tests that are not run here.
            self.assertEqual([number for number, outcome in outcomes.items() if not outcome.complaints], there, done)
            passing = [test.title for test in tests if self.lab.needs_in_qemu(test) <= {*there}]
            self.assertEqual([title for title, said in machines.items() if not said], passing, done)


@of_each_lab(globals())
class Mistakes:
    """The usual mistakes."""

    def test_each_loses_points_with_words_that_lead_to_it(self):
        for mistake, (exercise, says, name) in list(enumerate(self.lab.mistakes, 1))[:: 1 if ALL else 4]:
            with self.subTest(name):
                outcome = self.lab.on_host({exercise: mistake}, [exercise])[exercise]
                self.assertRegex(" ".join(outcome.complaints), says)


if __name__ == "__main__":
    unittest.main()
