"""tools/build/test_image.py as a program of one test: it reads the kernel's file, and runs nothing."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from asking import Outcome

# The program's name, and its test's.
PROGRAM, TEST = "image", "test_image"


@dataclass(frozen=True)
class Program:
    """The test of a folder's image. Mutants do not change it, since they are in the image together."""

    folder: Path
    batches = True
    none = None

    def names(self, _runner):
        """The names of its tests."""
        return [TEST]

    def run(self, runner, _names, limit, active=None):
        """Runs the test on the image as it is."""
        command = [sys.executable, "-m", "unittest", "discover", "-q", "-s", "tools/build", "-p", f"{TEST}.py", "-k", "X86_64"]
        began = time.monotonic()
        with runner.started(lambda: subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, start_new_session=True)) as process:
            output, _ = process.communicate(timeout=limit)
        return Outcome("caught" if process.returncode else "passed", time.monotonic() - began, TEST, output)

    def record(self, runner, name, limit):
        """Runs the test; it reaches no mutant."""
        return self.run(runner, [name], limit), []
