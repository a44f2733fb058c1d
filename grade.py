#!/usr/bin/env python3
"""Boot JOS64 in QEMU on many machines, and score the results: `make grade`, or ./grade.py --help.

The tests are lists by subject in tools/grade/: boottests.py (the first four are those of JOS's lab 2, with its titles and
points), readertests.py, faulttests.py, machinetests.py, and so on. They are the same for each ARCH: arch.py is the table
of what a machine has, and picks the one that is graded. In the same folder, gradelib.py judges runs, graderun.py makes
them, control.py lets a test control a running machine, and gradeui.py is the program's user interface.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT / "tools" / "grade"), str(ROOT / "tools" / "gdb")]

from arch import ARCH  # noqa: E402 (found by the line above)
import apptests  # noqa: E402
import boottests  # noqa: E402
import clocktests  # noqa: E402
import consoletests  # noqa: E402
import contracttests  # noqa: E402
import devicetreetests  # noqa: E402
import envdoctests  # noqa: E402
import envmonitortests  # noqa: E402
import envtests  # noqa: E402
import exittests  # noqa: E402
import faulttests  # noqa: E402
import gdbtests  # noqa: E402
import gdbusertests  # noqa: E402
import idletests  # noqa: E402
import keptofftests  # noqa: E402
import keyboardtests  # noqa: E402
import leaftests  # noqa: E402
import loadertests  # noqa: E402
import machinetests  # noqa: E402
import maptests  # noqa: E402
import moduletests  # noqa: E402
import monitortests  # noqa: E402
import readertests  # noqa: E402
import screentests  # noqa: E402
import serialtests  # noqa: E402
import statetests  # noqa: E402
import traptests  # noqa: E402
import usertests  # noqa: E402
from built import IMAGES  # noqa: E402
from gradeui import main  # noqa: E402

# In the order in which they are listed, run and reported. Those that need what ARCH does not have are left out.
TESTS = [
    *boottests.TESTS,
    *readertests.TESTS,
    *faulttests.TESTS,
    *machinetests.TESTS,
    *devicetreetests.TESTS,
    *maptests.TESTS,
    *statetests.TESTS,
    *keptofftests.TESTS,
    *traptests.TESTS,
    *usertests.TESTS,
    *moduletests.TESTS,
    *envtests.TESTS,
    *loadertests.TESTS,
    *clocktests.TESTS,
    *idletests.TESTS,
    *leaftests.TESTS,
    *apptests.TESTS,
    *monitortests.TESTS,
    *envmonitortests.TESTS,
    *consoletests.TESTS,
    *screentests.TESTS,
    *keyboardtests.TESTS,
    *serialtests.TESTS,
    *exittests.TESTS,
    *gdbtests.tests(ROOT),
    *gdbusertests.TESTS,
    *envdoctests.tests(ROOT),
    *contracttests.TESTS,
]
TESTS = [test for test in TESTS if test.is_for(ARCH)]

if __name__ == "__main__":
    sys.exit(main(TESTS, ROOT, IMAGES, ARCH.qemu))
