"""The tests of a lab on simulated machines: built once, then each exercise's tests in a process of their own, with bounds
on its time and its memory. A body that loops, overflows the stack or takes all memory costs its own exercise's points.
"""

import json
import os
import re
import resource
import signal
import subprocess
from dataclasses import dataclass, field

SECONDS = 30  # for one exercise's tests
BUILD_SECONDS = int(os.environ.get("LAB_BUILD_SECONDS") or 900)
BYTES = 4 << 30  # of address space, of each process: types that double line by line take the compiler's time and memory, too
MOST = 3  # complaints about an exercise
RESULT = re.compile(r"^test \S*::([eh]\d\d_\w+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)$", re.M)
FAILURE = re.compile(r"^---- \S*::([eh]\d\d_\w+) stdout ----\n(.*?)(?=^---- |^failures:$|\Z)", re.M | re.S)
PANIC = re.compile(r"^thread '.*?' \(?\d*\)? ?panicked at [^\n]*:\n(.*?)(?=^note: |^stack backtrace:|^thread '|\Z)", re.M | re.S)


@dataclass
class Outcome:
    """The verdict of the tests of one exercise."""

    passed: list = field(default_factory=list)
    complaints: list = field(default_factory=list)


class BuildFailed(Exception):
    """Raised if the sources do not compile, with the compiler's first errors."""


def build(tree, tests, environment=None):
    """Builds the tests of a tree, as arguments of cargo's say; returns the path of the program."""
    command = ["cargo", "test", "-q", "--no-run", "-p", "libjos", *tests, "--message-format", "json"]
    made = run(command, tree, environment, BUILD_SECONDS, BYTES)
    if made.returncode is None:
        raise BuildFailed(f"the compiler did not end within {BUILD_SECONDS} s")
    errors, program = [], None
    for line in made.stdout.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if message.get("reason") == "compiler-message" and message["message"]["level"] == "error":
            errors.append(message["message"]["rendered"])
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            program = message["executable"]
    if made.returncode or not program:
        raise BuildFailed("\n".join(errors[:MOST]) or made.stderr[-2000:])
    return program


def exercise(program, tree, number, environment=None, letter="e"):
    """Runs the tests of one exercise."""
    command = [program, f"::{letter}{number:02}_", "--test-threads", "2"]
    ran = run(command, tree, {"RUST_BACKTRACE": "0", **(environment or {})}, SECONDS, BYTES)
    outcome, results = Outcome(), dict(RESULT.findall(ran.stdout))
    said = {name: words(text) for name, text in FAILURE.findall(ran.stdout)}
    for name, result in results.items():
        if result == "ok":
            outcome.passed.append(name)
        else:
            outcome.complaints.append(f"{name}: {said.get(name, 'fails')}")
    if ran.returncode is None:
        outcome.complaints.append(f"the tests did not end within {SECONDS} s: a loop without end?")
    elif ran.returncode < 0:
        name = signal.Signals(-ran.returncode).name
        outcome.complaints.append(f"the tests were ended by {name}: {last_line(ran.stderr) or 'no words'}")
    elif ran.returncode and not outcome.complaints:
        outcome.complaints.append(f"the tests ended with status {ran.returncode}: {last_line(ran.stderr)}")
    elif not results:
        outcome.complaints.append("no test ran")
    del outcome.complaints[MOST:]
    return outcome


def words(text):
    """The first panic's message in a test's output. Calls of the lab's functions are judged by the last, which names them."""
    found = [" ".join(message.split()) for message in PANIC.findall(text)]
    return found[-1] if found else "fails"


def last_line(text):
    """The last line that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


@dataclass
class Ran:
    """A process that has ended; its status is None if it had to be killed."""

    returncode: object
    stdout: str
    stderr: str


def run(command, folder, environment, seconds, limit=None):
    """Runs a command in a process group of its own, which is ended whole when the time is over."""
    bound = (lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) if limit else None
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, preexec_fn=bound,
    )
    try:
        out, err = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        status = None
    return Ran(status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
