"""Tests of the lab: what is handed out, what is asked for, and what the grader says of missing and of wrong bodies.

`make check-lab` runs all of it (LAB_ALL=1); `make test-tools` one of each kind. One build serves all sets of bodies: in the
tree obj/lab/switched each body is the answer, a usual mistake or missing, as each run picks (tools/lab/src/switched.rs).
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import unittest
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / folder) for folder in ("lab/grading", "lab/autograder", "grade", "gdb")]

import built  # noqa: E402 (found by the line above)
import gdbtests  # noqa: E402
import hosttests  # noqa: E402
import labgrade  # noqa: E402
import pack  # noqa: E402
import qemutests  # noqa: E402
from arch import ARCH  # noqa: E402
from elf import Image  # noqa: E402
from gradelib import Machine, judge  # noqa: E402
from graderun import Bench, run_machine  # noqa: E402
from reading import Reading  # noqa: E402

WORK = ROOT / "obj/lab"
ALL = os.environ.get("LAB_ALL") == "1"
MISSING = 255
# Registry crates are built already where the project is built.
TARGET = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
ENVIRONMENT = {**os.environ, "CARGO_TARGET_DIR": TARGET, "CARGO_INCREMENTAL": "0", "ARCH": ARCH.name}
ENVIRONMENT.pop("JOS_PROGRAMS", None)  # make's word for the programs in this project's kernel; the handout's has none


def tool(*words):
    """Runs tools/lab; returns its status and what it says."""
    done = subprocess.run(["cargo", "run", "-q", "-p", "lab", "--", *words], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def rows(command):
    """The lines of a list that tools/lab prints, split at tabs."""
    return [line.split("\t") for line in tool(command, "2")[1].splitlines()]


POINTS = {int(number): int(points) for number, _, points in rows("exercises")}
NUMBERS = list(POINTS)
MISTAKES = rows("mistakes")  # (exercise, what is to be said, name), from 1 on
# Exercise -> those whose functions its tests call, beside its own.
NEEDS = {1: {}, 2: {1}, 3: {}, 4: {3}, 5: {3, 4}, 6: {}, 7: {3, 4, 6}, 8: {6}, 9: {7}, 10: {6}, 11: {4, 5, 6}, 12: {5, 7, 11},
         13: {*range(1, 13)}}
# JOS's four tests. The machine is read at the prompt, which needs all bodies.
FOUR = [test for test in qemutests.TESTS if "jos" in test.tags]

# Names of the engine's own bodies, of which nothing may be handed out.
ENGINE = ("make_tables", "pgdir_walk_slow", "page_insert_slow", "page_remove_slow", "fast_walk", "prepend_linked",
          "append_linked", "link_upwards", "free_on_empty_list", "map_in_table", "release_tree", "count_run", "drop_page")


def needs(number):
    """All exercises whose bodies the tests of one exercise need."""
    found = {number}
    for other in NEEDS[number]:
        found |= needs(other)
    return found


@cache
def handout(name, command=None):
    """A new handout, with something done to it."""
    tree = WORK / name
    shutil.rmtree(tree, ignore_errors=True)
    for words in (("handout", "2", str(tree)), (command, "2", str(tree))):
        if words[0]:
            status, said = tool(*words)
            assert status == 0, said
    if command == "switched":
        pack.add_own_tests(tree)
    return tree


def make(tree, *targets):
    """Builds in a handout."""
    made = subprocess.run(["make", "-s", *targets], cwd=tree, env=ENVIRONMENT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


@cache
def images(name, command=None):
    """A Bench with the images of a handout."""
    tree = handout(name, command)
    make(tree, "lab-images")
    return Bench(tree, os.environ.get("QEMU") or ARCH.qemu, qemutests.IMAGES)


@cache
def program():
    """The host tests of the switched tree."""
    return hosttests.build(handout("switched", "switched"), labgrade.lab("tests")[1], ENVIRONMENT)


def on_host(picked):
    """The outcome of each exercise's tests, with some bodies: number -> outcome."""
    tree, choice = handout("switched", "switched"), ",".join(f"{number}={body}" for number, body in picked.items())
    environment = {**ENVIRONMENT, "LAB_BODIES": choice}
    binary = program()
    return {number: hosttests.exercise(binary, tree, number, environment) for number in NUMBERS}


def in_qemu(picked, tests):
    """The complaints of tests in QEMU, with some bodies: title -> complaints."""
    bench = images("switched", "switched")

    def boots(machine):
        image = Image(bench.root / bench.images[machine.image])

        def pick(stub, symbols):
            stub.run_to(image.symbols["pvh_start"])
            at = image.symbol("10lab_switch6BODIES") - ARCH.kernbase
            bodies = bytes(picked.get(number, 0) for number in range(32))
            stub.write_memory(at, bodies)

        look = Reading("pvh_start", before=pick, path=bench.images[machine.image])
        typed = tuple(
            getattr(look, act.__name__) if getattr(act, "__name__", "") in ("read_machine", "drive_machine") else act
            for act in machine.typed
        )
        return Machine(
            machine.image, memory=machine.memory, options=machine.options, at_entry=look.read_loader, typed=typed,
            patience=machine.patience,
        )

    machines = {machine: boots(machine) for machine in dict.fromkeys(test.machine for test in tests)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {machine: pool.submit(run_machine, made, bench, 60 * made.patience) for machine, made in machines.items()}
        return {test.title: judge(test, runs[test.machine].result()) for test in tests}


def score(outcomes, machines):
    """The points of a run."""
    host = sum(points for number, points in POINTS.items() if not outcomes[number].complaints)
    return host + sum(test.points for test in qemutests.TESTS if test.title in machines and not machines[test.title])



class HandedOut(unittest.TestCase):
    """The tree that students get."""

    def test_has_no_bodies(self):
        tree = handout("handout")
        answers = (ROOT / "tools/lab/answers/lab2.rs").read_text().splitlines()
        own = {line.strip() for line in answers if re.search(r"\b(store.*(leaf|table)|load|zero_frame|pp_link|nfree -)", line)}
        for path in tree.rglob("*"):
            if not path.is_file() or {".git", "obj"} & {*path.relative_to(tree).parts}:
                continue
            text = path.read_bytes().decode("utf-8", "replace")
            for name in ENGINE:
                self.assertNotRegex(text, rf"\b{name}\b", path)
            lines = {line.strip() for line in text.splitlines()}
            self.assertFalse(own & lines, path)

    def test_has_no_history(self):
        tree = handout("handout")
        log = subprocess.run(["git", "log", "--all", "--format=%s"], cwd=tree, capture_output=True, text=True).stdout
        self.assertEqual(log.splitlines(), ["Lab 2 as handed out"])
        state = subprocess.run(["git", "status", "--porcelain"], cwd=tree, capture_output=True, text=True).stdout
        self.assertEqual(state, "")

    def test_has_no_graded_tests_but_its_own(self):
        tree = handout("handout")
        texts = [path.read_text() for path in tree.rglob("*.py")]
        imported = set(re.findall(r"^\s*(?:import|from) (\w+)", "\n".join(texts), re.M))
        there = {path.stem for path in (tree / "tools/grade").glob("*.py")}
        self.assertEqual(there - imported, set())

    def test_boots_and_says_what_is_missing(self):
        run = run_machine(Machine(typed=()), images("handout"), 60)
        text = "\n".join(run.lines)
        self.assertRegex(text, r"kernel panic at libjos/src/mem/boot_alloc.rs:\d+:\d+: exercise 1: not yet implemented")

    def test_every_hole_is_there_once(self):
        tree = handout("handout")
        text = "".join((tree / file[0]).read_text() for file in rows("files"))
        for number in NUMBERS:
            self.assertEqual(text.count(f'panic!("exercise {number}: not yet implemented")'), 1)


class Answers(unittest.TestCase):
    """The answers: plain, and enough."""

    def test_are_short(self):
        lines = (ROOT / "tools/lab/answers/lab2.rs").read_text().splitlines()
        self.assertLess(len(lines), 250)

    def test_use_only_what_is_listed(self):
        tree = handout("answered", "answer")
        self.assertEqual(tool("check", "2", str(tree)), (0, ""))

    def test_get_full_marks(self):
        outcomes = on_host({})
        self.assertEqual({number: outcome.complaints for number, outcome in outcomes.items() if outcome.complaints}, {})
        # The engine passes the same tests in `make test`, against the same plain model.
        for number, title, _ in labgrade.OWN:
            outcome = hosttests.exercise(program(), handout("switched", "switched"), number, ENVIRONMENT, "h")
            self.assertEqual(outcome.complaints, [], title)
        tests = qemutests.TESTS if ALL else FOUR
        self.assertEqual({title: said for title, said in in_qemu({}, tests).items() if said}, {})


    def test_step_as_the_tour_in_gdb_does(self):
        bench = images("switched", "switched")
        make(bench.root, *(f"obj/{ARCH.name}/{file}" for file in ("facts.json", "jos.iso")))
        bench = Bench(bench.root, bench.qemu, {**bench.images, "grub": built.IMAGES["grub"]})
        test = gdbtests.the_tour(bench.root)
        self.assertEqual(judge(test, run_machine(test.machine, bench, 120)), [])


class Text(unittest.TestCase):
    """docs/labs/2.md, beside the grader."""

    TEXT = (ROOT / "docs/labs/2.md").read_text()

    def test_names_the_points_of_each_exercise(self):
        said = re.findall(r"^\*\*Exercise (\d+), `(\w+)`\*\* \(.*?(\d+) points\)", self.TEXT, re.M)
        self.assertEqual([list(row) for row in said], rows("exercises"))

    def test_has_the_score_at_each_step(self):
        said = [int(points) for points in re.findall(r"^\| (?:none|1|1 to \d+) \| (\d+) \|$", self.TEXT, re.M)]
        points, machines = [*POINTS.values()], sum(test.points for test in qemutests.TESTS)
        steps = [sum(points[:done]) for done in range(len(points))]
        self.assertEqual(said, [*steps, sum(points) + machines])
        self.assertIn(f"| score of {said[-1]} |", self.TEXT)


class Missing(unittest.TestCase):
    """Trees without some of the bodies."""

    def test_each_one_fails_what_depends_on_it(self):
        for left_out in NUMBERS if ALL else NUMBERS[4:5]:
            with self.subTest(left_out=left_out):
                outcomes, machines = on_host({left_out: MISSING}), in_qemu({left_out: MISSING}, FOUR)
                failed = {number for number, outcome in outcomes.items() if outcome.complaints}
                self.assertEqual(failed, {number for number in NUMBERS if left_out in needs(number)})
                words = f"exercise {left_out}: not yet implemented"
                for number in failed:
                    self.assertIn(words, " ".join(outcomes[number].complaints))
                for said in machines.values():
                    self.assertIn(words, " ".join(said))

    def test_each_body_raises_the_score(self):
        for done in range(len(NUMBERS) + 1) if ALL else (0, 4, 13):
            left = dict.fromkeys(NUMBERS[done:], MISSING)
            machines = sum(test.points for test in FOUR) if done == len(NUMBERS) else 0
            # As docs/labs/2.md has it, without the tests that are not run here.
            self.assertEqual(score(on_host(left), in_qemu(left, FOUR)), sum(list(POINTS.values())[:done]) + machines, done)


class Mistakes(unittest.TestCase):
    """The usual mistakes."""

    def test_each_loses_points_with_words_that_lead_to_it(self):
        for mistake, (exercise, says, name) in list(enumerate(MISTAKES, 1))[:: 1 if ALL else 4]:
            with self.subTest(name):
                outcome = on_host({int(exercise): mistake})[int(exercise)]
                self.assertRegex(" ".join(outcome.complaints), says)


if __name__ == "__main__":
    unittest.main()
