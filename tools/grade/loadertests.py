"""The graded tests of deliberate faults after each way of booting: report and status are those of faulttests.py.

Permissions, no-execute pages, SMAP and the stacks of exceptions rest on registers and tables that each loader leaves in
another state. The faults are committed by the monitor's command `fault`, since an ISO image has its own command line.
"""

from dataclasses import replace

import faulttests
import statetests
from arch import ARCH, PC
from gradelib import Machine
from statetests import UEFI

WAYS = {
    "GRUB": Machine("grub", cpu="max"), "UEFI": replace(UEFI, typed=()), "bare": Machine("bare"),
}
# By way: the faults, picked by the names of their tests.
FAULTS = {
    "GRUB": (
        "write-text", "write-rodata", "exec-data", "stack-overflow", "read-user", "lost-stack", "divide",
        "registers-handled",
    ),
    "UEFI": ("exec-data", "stack-overflow"),  # a boot takes some seconds
} if ARCH.has(PC) else {
    "bare": (
        "write-text", "exec-data", "stack-overflow", "read-user", "lost-stack", "access-fault", "registers-handled",
    ),
}


def by_loader(way, name):
    """The test of test=name, with the fault committed at the prompt."""
    test = next(test for test in faulttests.TESTS + statetests.TESTS if test.machine.words == f"test={name}")
    machine = replace(WAYS[way], typed=(f"fault {name}\r",))
    # The line with the command follows the checks, and there was a prompt.
    forbidden = tuple(pattern for pattern in test.forbidden if not pattern.fullmatch("K> "))
    return replace(test, title=f"{test.title}, after {way}", machine=machine, forbidden=forbidden)


TESTS = [by_loader(way, name) for way, names in FAULTS.items() for name in names]
