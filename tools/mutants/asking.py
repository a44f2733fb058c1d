"""Runs tests on a mutant: each in a process of its own, bounded in time and memory."""

import collections
import contextlib
import os
import re
import signal
import subprocess
import threading
import time

# The limit of a test's memory: enough for every test, and a bound for mutants that allocate without end.
KILOBYTES = 6 << 20
# A run may take FACTOR times its time without a mutant, plus SECONDS, since machines are noisy.
FACTOR, SECONDS = 8, 5
# The number of tests that are run first, one by one: those likeliest to fail.
LIKELIEST = 10


class Runner:
    """Runs tests. `stop` ends all running tests, and makes every further run fail."""

    def __init__(self):
        self.lock, self.running, self.stopped = threading.Lock(), set(), False

    def stop(self):
        with self.lock:
            self.stopped = True
            for process in self.running:
                # The process may have ended just now.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, program, arguments, limit, environment=()):
        """Returns "passed", "caught" or "timeout", the output, and the seconds that the run took."""
        path, folder = program
        command = ["sh", "-c", f'ulimit -c 0; ulimit -d {KILOBYTES}; exec "$0" "$@"', path, *arguments]
        began = time.monotonic()
        with self.lock:
            if self.stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True, errors="replace",
                                       env={**os.environ, "RUST_BACKTRACE": "0", **dict(environment)},
                                       start_new_session=True)
            self.running.add(process)
        try:
            output, _ = process.communicate(timeout=limit)
            outcome = "caught" if process.returncode else "passed"
        except subprocess.TimeoutExpired:
            with self.lock:
                os.killpg(process.pid, signal.SIGKILL)
            output, outcome = process.communicate()[0], "timeout"
        finally:
            with self.lock:
                self.running.discard(process)
        if self.stopped:
            raise KeyboardInterrupt
        return outcome, output, time.monotonic() - began


def split(test):
    """The program and the name of a test."""
    program, _, name = test.partition(" ")
    return program, name


def names_of(programs, runner):
    """All tests of these programs, each as "program name"."""
    tests = []
    for program, executable in sorted(programs.items()):
        _, output, _ = runner.run(executable, ["--list", "--format=terse"], 60)
        tests += [f"{program} {name}" for name in re.findall("^(.*): test$", output, re.M)]
    return tests


class Asker:
    """Chooses and runs tests, and learns which of them catch most in the least time."""

    def __init__(self, runner, seconds):
        self.runner, self.seconds = runner, seconds
        self.asked, self.failed = collections.Counter(), collections.Counter()

    def cost(self, mutant, test):
        """The estimated seconds to catch a fault with this test; the estimate improves with each result."""
        file = mutant["file"]
        module = re.sub(r"/mod$", "", file.partition("/src/")[2].removesuffix(".rs")).replace("/", "::")
        program, name = split(test)
        prior = 3 if program == mutant["package"] and name.startswith(module + "::") else 0.3
        rate = (self.failed[file, test] + prior) / (self.asked[file, test] + 3)
        return (self.seconds[test] + 0.005) / rate

    def likeliest(self, mutant, tests, first=None):
        """The tests that are best run first, `first` before all others."""
        return sorted(tests, key=lambda test: (test != first, self.cost(mutant, test)))[:LIKELIEST]

    def ask_each(self, mutant, tests, programs, environment=()):
        """Runs one test after the other. Returns ("caught" or "timeout", the test) or ("missed", None)."""
        return self.ask_batches(mutant, [[test] for test in tests], programs, environment)

    def ask_all(self, mutant, tests, programs, environment=()):
        """Runs many short tests of a program in one run, and long ones by themselves and last; returns the same."""
        batches = collections.defaultdict(list)
        for test in tests:
            batches[split(test)[0] if self.seconds[test] < 0.3 else test].append(test)
        order = sorted(batches.values(), key=lambda batch: sum(self.seconds[test] for test in batch))
        return self.ask_batches(mutant, order, programs, environment)

    def ask_batches(self, mutant, batches, programs, environment):
        for batch in batches:
            outcome = self.run(mutant, batch, programs, environment)
            if outcome:
                return outcome
        return "missed", None

    def run(self, mutant, tests, programs, environment):
        """Runs tests of one program; None if all of them pass."""
        program = split(tests[0])[0]
        limit = FACTOR * sum(self.seconds[test] for test in tests) + SECONDS
        arguments = ["--exact", "--test-threads=1", *(split(test)[1] for test in tests)]
        outcome, output, _ = self.runner.run(programs[program], arguments, limit, environment)
        for test in tests:
            self.asked[mutant["file"], test] += 1
        if outcome == "passed":
            return None
        # The one that failed, or the last that began.
        began = re.findall(r"^test (\S+)(?: - should panic)? \.\.\.", output, re.M)
        seen = re.findall(r"^test (\S+)(?: - should panic)? \.\.\. FAILED", output, re.M) or began[-1:]
        test = f"{program} {seen[0]}" if seen else tests[0]
        self.failed[mutant["file"], test] += 1
        return outcome, test


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
