"""The tests of grade.py as a program of tests. A run of a machine is a test here, named by the first of the graded
tests that judge it: equal machines are run once.
"""

import contextlib
import os
import queue
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from asking import Outcome
from copies import OUT, ROOT

# The images are of this machine, whichever the environment names: grade.py, make and kcargo look there.
ARCH = "x86_64"
os.environ["ARCH"] = ARCH
os.environ.pop("RUST_TARGET", None)
sys.path.append(str(ROOT))
import grade  # noqa: E402 (found by the line above)
import built  # noqa: E402 (in tools/grade, which grade.py adds)
import images  # noqa: E402
from gradelib import judge  # noqa: E402
from graderun import Bench, run_machine  # noqa: E402

# The program's name, before that of each test.
PROGRAM = "grade"
IMAGES = set(grade.IMAGES)
# Graded tests that fail in an image with all mutants, though none is active: title -> reason.
LEFT_OUT = {
    "gdb: the tour of docs/stepping.md": "names an address on the stack, and frames are larger",
    **{test.title: "is a test of make, which is not in the copies" for test in grade.contracttests.TESTS},
}


def by_machine(tests):
    """The tests by the machine whose run they judge, as title of the first -> tests."""
    machines = {}
    for test in tests:
        machines.setdefault(test.machine, []).append(test)
    return {tests[0].title: tests for tests in machines.values()}


MACHINES = by_machine(test for test in grade.TESTS if test.title not in LEFT_OUT)


def files(name):
    """The files of tools/grade that define the graded tests of this name."""
    titles = {test.title for test in MACHINES.get(name, ())}
    named = {module: Path(module.__file__) for module in vars(grade).values() if hasattr(module, "__file__")}
    return sorted(str(file.relative_to(ROOT)) for module, file in named.items()
                  if any(test.title in titles for test in tests_of(module)))


def tests_of(module):
    """The graded tests of a module of tools/grade."""
    return module.TESTS if hasattr(module, "TESTS") else module.tests(ROOT)


@dataclass
class RecordingBench(Bench):
    """A bench whose machines report the mutants that they reach to a file, if it has one."""

    record: str = ""

    def command(self, machine):
        """As in Bench, with the device for the reports."""
        return super().command(machine) + (images.device(self.record) if self.record else [])


def copies(folder, number):
    """The graded tests of a folder's images, which are copied so that so many runs can be made at a time."""
    # All else in the folder is read alone.
    made = [OUT / f"images-{nth}" for nth in range(number)]
    for copy in made:
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for entry in folder.iterdir():
            if entry.name != "obj":
                (copy / entry.name).symlink_to(entry)
        for file in (folder / path for path in (*grade.IMAGES.values(), built.FACTS)):
            place = copy / file.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        (copy / built.MODULES).symlink_to(folder / built.MODULES)
    return Program(made, IMAGES)


class Program:
    """The graded tests of some images, which lie in one or more folders alike. At a time, a folder is one run's own:
    its images hold the number of the active mutant.
    """

    # Each machine is a run of its own.
    batches = False
    # What `run` is told if no mutant of images with all of them is to be active.
    none = images.NONE

    def __init__(self, folders, kinds):
        self.kinds, self.folders = kinds, queue.SimpleQueue()
        for folder in folders:
            self.folders.put(folder)

    def names(self, _runner):
        """The names of the machines that boot these images."""
        return [name for name, tests in MACHINES.items() if tests[0].machine.image in self.kinds]

    def run(self, runner, names, limit, active=None):
        """Runs machines with at most one mutant active, each for at most `limit` seconds."""
        seconds = 0
        for name in names:
            outcome = self.machine(runner, name, limit, active)
            seconds += outcome.seconds
            if outcome.verdict != "passed":
                return Outcome(outcome.verdict, seconds, name, outcome.output)
        return Outcome("passed", seconds)

    def record(self, runner, name, limit):
        """Runs a machine without a mutant; returns its outcome, and the mutants that it reaches."""
        with tempfile.TemporaryDirectory() as folder:
            record = Path(folder, "record")
            outcome = self.machine(runner, name, limit, images.RECORD, str(record))
            return outcome, images.reported(record.read_bytes()) if record.exists() else []

    def machine(self, runner, name, limit, active, record=""):
        """Runs a machine, once more if the run fails: on a busy host a good machine may, too."""
        outcome = self.once(runner, name, limit, active, record)
        return outcome if outcome.verdict == "passed" else self.once(runner, name, limit, active, record)

    def once(self, runner, name, limit, active, record):
        """Runs a machine, and judges the run by all its tests."""
        tests = MACHINES[name]
        with self.folder() as folder:
            if active is not None:
                images.patch(folder / grade.IMAGES[tests[0].machine.image], active)
            bench = RecordingBench(folder, os.environ.get("QEMU") or f"qemu-system-{ARCH}", grade.IMAGES,
                                   stop=runner.stopped, record=record)
            run = run_machine(tests[0].machine, bench, limit)
        runner.check()
        for test in tests:
            if complaints := judge(test, run):
                verdict = "timeout" if run.problem.startswith("no end after") else "caught"
                return Outcome(verdict, run.seconds, name, "\n".join([test.title, *complaints]))
        return Outcome("passed", run.seconds)

    @contextlib.contextmanager
    def folder(self):
        """A folder that nobody else uses meanwhile."""
        folder = self.folders.get()
        try:
            yield folder
        finally:
            self.folders.put(folder)
