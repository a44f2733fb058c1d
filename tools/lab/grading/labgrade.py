"""Grades a lab: the bodies of its exercises, one by one on simulated machines, and then all of it in QEMU.

`make grade` in a handout calls this. A body that uses what its exercise does not list gets no points.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import hosttests
from thelab import ROOT, Lab

from arch import ARCH  # found by thelab
from gradelib import judge
from graderun import Bench, run_machine


@dataclass
class Result:
    """A graded item."""

    title: str
    points: int
    complaints: list = field(default_factory=list)
    seconds: float = 0.0
    tags: tuple = ()

    @property
    def score(self):
        """All points or none."""
        return 0 if self.complaints else self.points


def refused(lines):
    """Complaints about the bodies, as tools/lab prints them: number -> sentences."""
    found = {}
    for line in lines:
        number = line.removeprefix("exercise ").split(" ", 1)[0]
        if number.isdigit():
            found.setdefault(int(number), []).append(line.split(": ", 1)[1])
    return found


def host(report, lab, complaints):
    """The exercises on simulated machines. `complaints` are those about the bodies. Returns whether the sources compile."""
    start = time.monotonic()
    try:
        program, failure = hosttests.build(ROOT, lab.tests), None
    except hosttests.BuildFailed as error:
        program, failure = None, str(error)
    for number, name, points in lab.exercises:
        result = Result(f"Exercise {number}: {name}", points, tags=("exercise",))
        if number in complaints:
            result.complaints = [f"refused: {text}" for text in complaints[number]]
        elif failure:
            result.complaints = [f"does not compile:\n{failure}"]
        else:
            result.complaints = hosttests.exercise(program, ROOT, number).complaints
        result.seconds, start = time.monotonic() - start, time.monotonic()
        report(result)
    for number, title, points in lab.hidden.HOST if lab.hidden else ():
        result = Result(title, points, tags=("hidden",))
        result.complaints = (
            [f"does not compile:\n{failure}"] if failure
            else hosttests.exercise(program, ROOT, number, letter="h").complaints
        )
        result.seconds, start = time.monotonic() - start, time.monotonic()
        report(result)
    return failure is None


def machines(report, bench, tests, seconds=30):
    """The tests in QEMU."""
    first, *others = dict.fromkeys(test.machine for test in tests)
    booted = run_machine(first, bench, seconds * first.patience)
    if booted.problem:  # A kernel that hangs hangs on every machine: one wait is enough.
        for test in tests:
            report(Result(test.title, test.points, [booted.problem], booted.seconds, test.tags))
        return
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {machine: pool.submit(run_machine, machine, bench, seconds * machine.patience) for machine in others}
        for test in tests:
            run = booted if test.machine == first else runs[test.machine].result()
            report(Result(test.title, test.points, judge(test, run), run.seconds, test.tags))


def build_images(lab):
    """Builds what the tests in QEMU boot; returns why it cannot be built."""
    made = hosttests.run(["make", "-s", *lab.images], ROOT, None, hosttests.BUILD_SECONDS, hosttests.BYTES)
    if made.returncode == 0:
        return None
    return made.stderr[-2000:] or f"the compiler did not end within {hosttests.BUILD_SECONDS} s"


def in_qemu(report, lab, compiles, build=True):
    """Builds the images, and runs the tests in QEMU."""
    tests = [*lab.graded.TESTS, *(lab.hidden.TESTS if lab.hidden else ())]
    failure = None if compiles else "see above"
    if compiles and build:
        failure = build_images(lab)
    if failure:
        for test in tests:
            report(Result(test.title, test.points, [f"the kernel does not build: {failure}"], tags=test.tags))
        return
    bench = Bench(ROOT, os.environ.get("QEMU") or ARCH.qemu, lab.graded.IMAGES)
    machines(report, bench, tests)


def show(result):
    """Prints a result, as grade.py of JOS64 does."""
    verdict = "FAIL" if result.complaints else "OK"
    print(f"{result.title + ':':<44} {verdict} ({result.score}/{result.points}, {result.seconds:.1f}s)")
    for complaint in result.complaints:
        for line in complaint.splitlines():
            print(f"    {''.join(c if c.isprintable() else '?' for c in line)}")
    sys.stdout.flush()


def main():
    """Grades, prints and writes; the status is 0 if nothing is to be complained of."""
    parser = argparse.ArgumentParser(prog="grade.py", description=__doc__.splitlines()[0])
    parser.add_argument("--host", action="store_true", help="only the exercises on simulated machines, without QEMU")
    parser.add_argument("--no-build", action="store_true", help="run the images as they were built the last time")
    parser.add_argument("--build", action="store_true", help="build all that grading builds, and grade nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--complaints", type=Path, metavar="FILE", help="what tools/lab says of the bodies; else it is asked")
    options = parser.parse_args()
    lab, results = Lab(), []
    if not options.host and not lab.runs_here:
        parser.error(
            f"lab {lab.number} is graded with ARCH={' or ARCH='.join(lab.machines)}: its tests need what the kernel of "
            f"{ARCH.name} does not have. ./grade.py --host grades the exercises alone, on simulated machines of every kind"
        )
    if options.build:
        hosttests.build(ROOT, lab.tests)
        return build_images(lab) or 0
    said = options.complaints.read_text().splitlines() if options.complaints else lab.tool("check", ".")[1]

    def report(result):
        results.append(result)
        show(result)

    compiles = host(report, lab, refused(said))
    if not options.host:
        in_qemu(report, lab, compiles, not options.no_build)
    score, most = sum(result.score for result in results), sum(result.points for result in results)
    if options.json:
        rows = [{**vars(result), "score": result.score} for result in results]
        options.json.write_text(json.dumps({"score": score, "most": most, "tests": rows}, indent=2) + "\n")
    print(f"Score: {score}/{most}")
    return 0 if score == most else 1
