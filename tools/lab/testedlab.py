"""A lab under test: its trees, and runs of its tests with some of its bodies.

One build serves all sets of bodies: in the tree `switched` each body is the answer, a usual mistake or missing, as each run
picks (tools/lab/src/switched.rs). labN/tested.py says what the tests expect of the lab.
"""

import concurrent.futures
import dataclasses
import importlib
import os
import shutil
import subprocess
import sys
import unittest
from functools import cache, cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "grading"))

import hosttests  # noqa: E402 (found by the line above)
from thelab import ROOT, Lab  # noqa: E402

from arch import ARCH  # noqa: E402 (found by thelab)
from elf import Image  # noqa: E402
from gradelib import judge  # noqa: E402
from graderun import Bench, run_machine  # noqa: E402
from reading import Reading  # noqa: E402

MISSING = 255
# Registry crates are built already where the project is built.
TARGET = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
ENVIRONMENT = {**os.environ, "CARGO_TARGET_DIR": TARGET, "CARGO_INCREMENTAL": "0", "ARCH": ARCH.name}
ENVIRONMENT.pop("JOS_PROGRAMS", None)  # make's word for the programs in this project's kernel; a handout has its own


class TestedLab(Lab):
    """A lab under test."""

    def __init__(self, number):
        super().__init__(number)
        self.tested = importlib.import_module(f"lab{number}.tested")

    def tool(self, command, *words):
        """Runs tools/lab, which must do it."""
        try:
            return super().tool(command, *words)
        except SystemExit as why:
            raise AssertionError(why) from why

    @cached_property
    def points(self):
        """Exercise -> its points."""
        return {number: points for number, _, points in self.exercises}

    @cached_property
    def mistakes(self):
        """(exercise, what is to be said, name), from 1 on."""
        rows = (line.split("\t") for line in self.tool("mistakes")[1])
        return [(int(exercise), says, name) for exercise, says, name in rows]

    def needs(self, number):
        """All exercises whose bodies the tests of one exercise need."""
        return {number, *self.tested.NEEDS[number]}

    def needs_in_qemu(self, test):
        """All exercises whose bodies a test in QEMU needs."""
        return {*self.tested.needs_in_qemu(test)}

    def some(self, everything):
        """The tests in QEMU; or some of them, if `everything` is not asked for."""
        return [test for test in self.graded.TESTS if test.is_for(ARCH) and (everything or self.tested.is_quick(test))]

    # Trees.

    @cache
    def handout(self, name, command=None):
        """A new handout, with something done to it; with switched bodies, the grader's own tests are in it too."""
        tree = ROOT / f"obj/lab/lab{self.number}-{name}"
        shutil.rmtree(tree, ignore_errors=True)
        self.tool("pristine" if command == "switched" else "handout", str(tree))
        if command:
            self.tool(command, str(tree))
        return tree

    @property
    def switched(self):
        """The tree with switched bodies."""
        return self.handout("switched", "switched")

    @cache
    def bench(self, tree):
        """A Bench with the images of a tree."""
        make(tree, *self.images)
        return Bench(tree, os.environ.get("QEMU") or ARCH.qemu, self.graded.IMAGES)

    # Runs.

    @cached_property
    def program(self):
        """The host tests of the switched tree."""
        return hosttests.build(self.switched, self.tests, ENVIRONMENT)

    def on_host(self, picked, exercises=None):
        """The outcome of each exercise's tests, or of some exercises', with some bodies: number -> outcome."""
        choice = ",".join(f"{number}={body}" for number, body in picked.items())
        environment = {**ENVIRONMENT, "LAB_BODIES": choice}
        exercises = exercises or self.points
        return {number: hosttests.exercise(self.program, self.switched, number, environment) for number in exercises}

    def hidden_on_host(self, number):
        """The outcome of one of the grader's own tests, with all answers."""
        return hosttests.exercise(self.program, self.switched, number, ENVIRONMENT, "h")

    def in_qemu(self, picked, tests):
        """The complaints of tests in QEMU, with some bodies: title -> complaints."""
        if not tests:
            return {}
        bench = self.bench(self.switched)
        machines = {test.machine: with_bodies(test.machine, picked, bench) for test in tests}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = {machine: pool.submit(run_machine, made, bench, 60 * made.patience) for machine, made in machines.items()}
            return {test.title: judge(test, runs[test.machine].result()) for test in tests}


def make(tree, *targets):
    """Builds in a handout."""
    made = subprocess.run(["make", "-s", *targets], cwd=tree, env=ENVIRONMENT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


def with_bodies(machine, picked, bench):
    """The machine, in whose RAM some bodies are picked before its kernel starts."""
    image = Image(bench.root / bench.images[machine.image])

    def pick(stub, symbols):
        stub.run_to(image.symbols["pvh_start"])
        at = image.symbol("10lab_switch6BODIES") - ARCH.kernbase
        stub.write_memory(at, bytes(picked.get(number, 0) for number in range(32)))

    look = Reading("pvh_start", before=pick, path=bench.images[machine.image])

    def by_look(act):
        return getattr(look, act.__name__) if isinstance(getattr(act, "__self__", None), Reading) else act

    return dataclasses.replace(machine, at_entry=look.read_loader, typed=tuple(map(by_look, machine.typed)))


LABS = [TestedLab(folder.name.removeprefix("lab")) for folder in sorted((ROOT / "tools/lab").glob("lab[0-9]*"))]


def of_each_lab(names):
    """A decorator: puts a test case of each lab, made of a class of tests, among a module's names."""

    def add(tests):
        for lab in LABS:
            name, own = f"{tests.__name__}OfLab{lab.number}", {"lab": lab, "__module__": names["__name__"]}
            names[name] = type(name, (tests, unittest.TestCase), own)
        return tests

    return add
