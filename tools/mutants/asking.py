"""Chooses and runs the tests that are asked about a mutant.

A test is named by its program and its name in it: "libjos mem::addr::tests::pages", "grade memory: 16M". A program has
the methods of `hosttests.Program`; `graded.Program` is the other kind.
"""

import collections
import contextlib
import os
import re
import signal
import threading
import time
from dataclasses import dataclass

# A run may take FACTOR times its time without a mutant, plus SECONDS, since machines are noisy.
FACTOR, SECONDS = 8, 5
# The number of tests that are run first, one by one: those likeliest to fail. Tests of the host and graded ones.
LIKELIEST, LIKELIEST_GRADED = 20, 10
# A test that reaches this many mutants is half as likely to catch one of them as a test that reaches few.
MANY = 100
# The seconds that a test takes beside its own: it is a process.
START = 0.02
# The longest test that is run together with others.
SHORT = 0.3


@dataclass
class Outcome:
    """The outcome of a run of tests."""

    verdict: str  # "passed", "caught" or "timeout"
    seconds: float
    failed: str = ""  # the name of the test that failed
    output: str = ""


class Runner:
    """Starts processes. `stop` ends all that run, and makes every further run fail."""

    def __init__(self):
        self.lock, self.running, self.stopped = threading.Lock(), set(), threading.Event()

    def stop(self):
        with self.lock:
            self.stopped.set()
            for process in self.running:
                self.kill(process)

    @staticmethod
    def kill(process):
        """Ends a process and all that it started."""
        # The process may have ended just now.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    @contextlib.contextmanager
    def started(self, start):
        """Starts a process that is ended by `stop`."""
        with self.lock:
            self.check()
            process = start()
            self.running.add(process)
        try:
            yield process
        finally:
            with self.lock:
                self.running.discard(process)
        self.check()

    def check(self):
        """Raises KeyboardInterrupt if `stop` was called: the results of runs mean nothing then."""
        if self.stopped.is_set():
            raise KeyboardInterrupt


def split(test):
    """The program and the name of a test."""
    program, _, name = test.partition(" ")
    return program, name


def names_of(programs, runner):
    """All tests of these programs, each as "program name"."""
    return [f"{name} {test}" for name, program in sorted(programs.items()) for test in program.names(runner)]


class Asker:
    """Chooses and runs tests, and learns which of them catch most in the least time. It is given the seconds of each
    test and the mutants that it `reached`, and begins with those that were `caught` before: the file of each, and the
    test that caught it.
    """

    def __init__(self, runner, seconds, reached, caught=()):
        self.runner, self.seconds, self.reached = runner, seconds, reached
        self.failed = collections.Counter(caught)
        self.asked = self.failed.copy()

    def cost(self, mutant, test):
        """The estimated seconds to catch a fault with this test; the estimate improves with each result."""
        file = mutant["file"]
        module = re.sub(r"/mod$", "", file.partition("/src/")[2].removesuffix(".rs")).replace("/", "::")
        program, name = split(test)
        # A test in the mutant's own module, or one whose title has a word in common with it.
        near = program == mutant["package"] and name.startswith(module + "::")
        akin = not set(re.findall("[a-z]+", name)).isdisjoint(re.findall("[a-z]{4,}", module))
        prior = 3 if near else 1 if akin else 0.3
        rate = (self.failed[file, test] + prior) / (self.asked[file, test] + 3)
        # A test that reaches few mutants is aimed at them.
        rate *= MANY / (MANY + len(self.reached.get(test, ())))
        return (self.seconds[test] + START) / rate

    def likeliest(self, mutant, tests, programs, first=()):
        """The tests of each kind that are best run first, those in `first` before all others."""
        kinds = collections.defaultdict(list)
        for test in sorted(tests, key=lambda test: (test not in first, self.cost(mutant, test))):
            kinds[programs[split(test)[0]].batches].append(test)
        return kinds[True][:LIKELIEST] + kinds[False][:LIKELIEST_GRADED]

    def ask_each(self, mutant, tests, programs, active=None):
        """Runs one test after the other. Returns ("caught" or "timeout", the test) or ("missed", None)."""
        return self.ask_batches(mutant, [[test] for test in tests], programs, active)

    def ask_all(self, mutant, tests, programs, active=None):
        """Runs many short tests of a program in one run, and long ones by themselves and last; returns the same."""
        batches = collections.defaultdict(list)
        for test in tests:
            program = split(test)[0]
            together = programs[program].batches and self.seconds[test] < SHORT
            batches[program if together else test].append(test)
        order = sorted(batches.values(), key=lambda batch: sum(self.seconds[test] for test in batch))
        return self.ask_batches(mutant, order, programs, active)

    def ask_batches(self, mutant, batches, programs, active):
        for batch in batches:
            outcome = self.run(mutant, batch, programs, active)
            if outcome:
                return outcome
        return "missed", None

    def run(self, mutant, tests, programs, active):
        """Runs tests of one program; None if all of them pass."""
        program = split(tests[0])[0]
        limit = FACTOR * sum(self.seconds[test] for test in tests) + SECONDS
        outcome = programs[program].run(self.runner, [split(test)[1] for test in tests], limit, active)
        for test in tests:
            self.asked[mutant["file"], test] += 1
        if outcome.verdict == "passed":
            return None
        test = f"{program} {outcome.failed}"
        self.failed[mutant["file"], test] += 1
        return outcome.verdict, test


class Progress:
    """A line that shows the progress: continually on a terminal, elsewhere every half minute."""

    def __init__(self, what, total, terminal):
        self.what, self.total, self.terminal = what, total, terminal
        self.counts, self.done, self.began, self.told = collections.Counter(), 0, time.monotonic(), 0

    def add(self, outcome):
        self.done += 1
        self.counts[outcome] += 1
        now = time.monotonic()
        if self.done == self.total or now - self.told > (0.5 if self.terminal else 30):
            self.told = now
            left = (now - self.began) * (self.total - self.done) / self.done
            found = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
            line = f"{self.what}: {self.done} of {self.total}: {found}; {left / 60:.0f} min left"
            print(f"\r\033[K{line}" if self.terminal else line, end="" if self.terminal else "\n", flush=True)
            if self.terminal and self.done == self.total:
                print()
