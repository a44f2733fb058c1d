"""Test programs of the host, as cargo builds them: each run is a process, bounded in time and memory.

The bound of time counts the processor's time that the process used, so a busy machine changes no verdict. A process
that waits for ever uses none: the bound by the clock is for it.
"""

import math
import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from asking import Outcome

# The limit of a test's memory: enough for every test, and a bound for mutants that allocate without end.
KILOBYTES = 6 << 20
# A run may take WAIT times the limit of its processor's time by the clock: as much as a very busy machine needs.
WAIT = 30


@dataclass(frozen=True)
class Program:
    """A test program, and the folder in which it runs."""

    path: str
    folder: Path
    # Many tests may run in one process.
    batches = True
    # What `run` is told if no mutant is to be active.
    none = None

    def names(self, runner):
        """The names of its tests."""
        return re.findall("^(.*): test$", self.process(runner, ["--list", "--format=terse"], 60, {})[1], re.M)

    def run(self, runner, names, limit, active=None):
        """Runs tests with at most one mutant active, for at most `limit` seconds."""
        return self.tests(runner, names, limit, {} if active is None else {"MUTANT": str(active)})

    def record(self, runner, name, limit):
        """Runs a test without a mutant; returns its outcome, and the mutants that it reaches."""
        with tempfile.TemporaryDirectory() as folder:
            record = Path(folder, "record")
            outcome = self.tests(runner, [name], limit, {"MUTANT_RECORD": str(record)})
            # A test may run itself again in another process, which records for itself.
            return outcome, sorted({int(line) for line in record.read_text().split()}) if record.exists() else []

    def tests(self, runner, names, limit, environment):
        """Runs tests; the one to blame is the one that failed, or the last that began."""
        began = time.monotonic()
        verdict, output = self.process(runner, ["--exact", "--test-threads=1", *names], limit, environment)
        seconds = time.monotonic() - began
        if verdict == "passed":
            return Outcome(verdict, seconds)
        started = re.findall(r"^test (\S+)(?: - should panic)? \.\.\.", output, re.M)
        failed = re.findall(r"^test (\S+)(?: - should panic)? \.\.\. FAILED", output, re.M) or started[-1:] or names
        return Outcome(verdict, seconds, failed[0], output)

    def process(self, runner, arguments, limit, environment):
        """Runs the program; returns "passed", "caught" or "timeout", and its output."""
        command = ["sh", "-c", f'ulimit -c 0; ulimit -d {KILOBYTES}; ulimit -S -t {math.ceil(limit)}; exec "$0" "$@"',
                   self.path, *arguments]
        with runner.started(lambda: subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, errors="replace", env={**os.environ, "RUST_BACKTRACE": "0", **environment},
                start_new_session=True)) as process:
            try:
                output, _ = process.communicate(timeout=WAIT * limit)
                out_of_time = process.returncode == -signal.SIGXCPU
                return "timeout" if out_of_time else "caught" if process.returncode else "passed", output
            except subprocess.TimeoutExpired:
                runner.kill(process)
                return "timeout", process.communicate()[0]
