"""grade.py's command line, its progress and score, and its reports for other programs.

grade.py has the tests, graderun.py runs them, gradelib.py judges them. Results are printed in the order of the list, in
whatever order the runs end, so that two gradings of one kernel print the same lines.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

from built import OBJ
from gradelib import judge
from graderun import Bench, reproduce, run_machine

# The tags of tests whose machines wait most of the time. These run beside the others, so many at a time as those.
WAITING = {"idle", "clock"}


@dataclass
class Result:
    """A test, its run, and the complaints about it."""

    test: object
    run: object
    complaints: list
    kept: str = ""  # the file with the output, if it failed

    @property
    def passed(self):
        """Whether there are no complaints."""
        return not self.complaints

    @property
    def score(self):
        """The points it earned: all or none."""
        return self.test.points if self.passed else 0


def parse(arguments, tests):
    """The command line; picks the tests too, as options.tests."""
    parser = argparse.ArgumentParser(
        prog="grade.py", description="Boot JOS64 in QEMU on many machines and score what it does.",
        epilog="The status is 0 only if every test that was picked has passed.",
    )
    add = parser.add_argument
    add("filters", nargs="*", metavar="FILTER", help="only tests whose title holds FILTER, or matches it as a glob")
    add("--arch", help="the machine, as ARCH names it for make (default: ARCH of the environment, or x86_64)")
    add("-v", "--verbose", action="store_true", help="show every test's command and output")
    add("-l", "--list", action="store_true", help="list the tests, and run none")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")
    add("--timeout", type=positive(float), default=30, metavar="SECONDS", help="for one run (default: 30)")
    add("--jobs", "-j", type=positive(int), default=os.cpu_count(), metavar="N",
        help="runs at a time, and as many again of machines that mostly wait")
    add("--json", metavar="FILE", type=Path, help="write Gradescope's results.json")
    add("--junit", metavar="FILE", type=Path, help="write a JUnit report")
    add("--no-build", action="store_true", help="do not run make first")
    options = parser.parse_args(arguments)
    for report in (options.json, options.junit):
        if report and not report.parent.is_dir():
            parser.error(f"there is no directory {report.parent}")
    for word in options.filters:
        if not any(picks(word, test.title) for test in tests):
            parser.error(f"no test's title matches {word!r}; --list shows the titles")
    words = options.filters
    options.tests = [test for test in tests if not words or any(picks(word, test.title) for word in words)]
    return options


def positive(kind):
    """An argparse type: a number above zero."""

    def convert(text):
        number = kind(text)
        if not number > 0:
            raise ValueError
        return number

    convert.__name__ = f"positive {kind.__name__}"
    return convert


def picks(word, title):
    """Whether a filter picks a title, regardless of case."""
    word, title = word.lower(), title.lower()
    return word in title or fnmatch.fnmatchcase(title, word)


class Screen:
    """Prints results; in colour and with a progress line only on a terminal."""

    def __init__(self, color, total, stream):
        self.stream, self.total = stream, total
        self.live = stream.isatty()
        self.color = color == "always" or (color == "auto" and self.live and "NO_COLOR" not in os.environ)

    def paint(self, code, text):
        """The text in a colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def count(self, done):
        """Show how many tests are done."""
        if self.live:
            self.stream.write(f"\r\x1b[K  {done}/{self.total} done")
            self.stream.flush()

    def line(self, text):
        """Print a line, over the progress line."""
        self.stream.write(("\r\x1b[K" if self.live else "") + text + "\n")
        self.stream.flush()

    def result(self, result, verbose):
        """Print the result of a test."""
        verdict = self.paint("32", "OK") if result.passed else self.paint("31", "FAIL")
        points = f"{result.score}/{result.test.points}"
        self.line(f"{result.test.title + ':':<44} {verdict} ({points}, {result.run.seconds:.1f}s)")
        for complaint in result.complaints:
            self.line(f"    {printable(complaint)}")
        if result.kept:
            self.line(f"    output: {result.kept}")
        if verbose:
            for line in transcript(result).splitlines():
                self.line(f"    | {printable(line)}")


def printable(text):
    """A line with unprintable characters escaped, so that output cannot control the reader's terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def transcript(result):
    """The command and the output of a test's run, as kept and reported."""
    parts = [f"$ {reproduce(result.test.machine, result.run.command)}"]
    parts += [f"! {complaint}" for complaint in result.complaints]
    parts.append("--- serial output ---\n" + "\n".join(result.run.lines).rstrip("\n"))
    if result.run.gdb_output:
        parts.append("--- gdb ---\n" + result.run.gdb_output.rstrip("\n"))
    if result.run.errors:
        parts.append("--- QEMU's messages ---\n" + result.run.errors.rstrip("\n"))
    return "\n".join(parts) + "\n"


def grade(options, bench, screen):
    """Run every picked test and print the results in order; returns them."""
    folder = bench.root / OBJ / "grade"
    folder.mkdir(parents=True, exist_ok=True)
    results, runs = [], {}
    pool = lambda: concurrent.futures.ThreadPoolExecutor(options.jobs)
    with pool() as busy, pool() as waiting:
        for test in options.tests:
            machine = test.machine
            if machine not in runs:  # Equal machines are run once.
                threads = waiting if WAITING & set(test.tags) else busy
                runs[machine] = threads.submit(run_machine, machine, bench, options.timeout * machine.patience)
        try:
            for test in options.tests:
                while not runs[test.machine].done():
                    screen.count(sum(runs[other.machine].done() for other in options.tests))
                    concurrent.futures.wait([runs[test.machine]], timeout=0.2)
                run = runs[test.machine].result()
                result = Result(test, run, judge(test, run))
                keep(result, folder, bench.root)
                screen.result(result, options.verbose)
                results.append(result)
        except BaseException:
            bench.stop.set()  # The pool waits for its threads.
            raise
    return results


def keep(result, folder, root):
    """Keep the output of a failed test; remove that of an earlier grading."""
    path = folder / (re.sub(r"[^a-z0-9]+", "-", result.test.title.lower()).strip("-") + ".out")
    if result.passed:
        path.unlink(missing_ok=True)
    else:
        path.write_text(transcript(result))
        result.kept = str(path.relative_to(root))


def write_json(path, results, seconds):
    """Gradescope's results.json."""
    tests = [
        {
            "name": result.test.title,
            "score": result.score,
            "max_score": result.test.points,
            "status": "passed" if result.passed else "failed",
            "output": "" if result.passed else transcript(result),
            "tags": list(result.test.tags),
            "visibility": "visible",
        }
        for result in results
    ]
    report = {
        "score": sum(result.score for result in results),
        "output": summary(results),
        "execution_time": round(seconds),
        "visibility": "visible",
        "tests": tests,
    }
    path.write_text(json.dumps(report, indent=2) + "\n")


def write_junit(path, results, seconds):
    """A JUnit report, as continuous-integration services read it."""
    failures = sum(not result.passed for result in results)
    suite = xml.Element(
        "testsuite", name="grade", tests=str(len(results)), failures=str(failures), errors="0", time=f"{seconds:.3f}"
    )
    for result in results:
        case = xml.SubElement(
            suite, "testcase", classname="grade", name=result.test.title, time=f"{result.run.seconds:.3f}"
        )
        if not result.passed:
            text = "\n".join(printable(line) for line in transcript(result).splitlines())
            xml.SubElement(case, "failure", message=printable("; ".join(result.complaints))).text = text
    root = xml.Element("testsuites")
    root.append(suite)
    xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def summary(results):
    """The last line, with the total score."""
    return f"Score: {sum(result.score for result in results)}/{sum(result.test.points for result in results)}"


def main(tests, root, images, qemu, arguments=None):
    """Run the program, and return its exit status."""
    options = parse(arguments, tests)
    if options.list:
        for test in options.tests:
            print(f"{test.points:>4}  {test.title}")
        return 0
    if not options.no_build:
        made = subprocess.run(["make", "--no-print-directory", "grade-images"], cwd=root)
        if made.returncode:
            return 2
    missing = [str(path) for path in images.values() if not (root / path).exists()]
    if missing:
        print(f"grade.py: there is no {', '.join(missing)}: run make grade", file=sys.stderr)
        return 2

    bench = Bench(root, os.environ.get("QEMU") or qemu, images)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    try:
        results = grade(options, bench, Screen(options.color, len(options.tests), sys.stdout))
    except KeyboardInterrupt:
        print("\ngrade.py: interrupted", file=sys.stderr)
        return 130
    seconds = time.monotonic() - start
    if options.json:
        write_json(options.json, results, seconds)
    if options.junit:
        write_junit(options.junit, results, seconds)
    print(summary(results))
    return 0 if all(result.passed for result in results) else 1
