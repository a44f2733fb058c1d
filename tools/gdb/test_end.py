"""Test of gdb's settings (init.gdb) when what it debugs ends: here a program of the host."""

import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GDB = shutil.which("gdb-multiarch") or shutil.which("gdb")


@unittest.skipUnless(GDB, "there is no gdb")
class End(unittest.TestCase):
    """The end of the machine is no error."""

    def test_the_end_is_said_and_nothing_else(self):
        command = [GDB, "-q", "-n", "-batch", "-x", "tools/gdb/init.gdb", "-ex", f"file {sys.executable}", "-ex", "run -V"]
        said = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False,
        ).stdout
        self.assertRegex(said, r"\[Inferior 1 \(process \d+\) exited normally\]")
        self.assertNotIn("Error", said)
        self.assertNotIn("Traceback", said)


if __name__ == "__main__":
    unittest.main()
