"""The graded tests of an idle machine: its processor halts until an interrupt comes, so that QEMU uses next to no time.

QEMU's own processor time is compared with the time on the clock. A busy host makes the former no longer.
"""

import time

import processes
from arch import ARCH, LONG_MODE, PC
from control import require
from gradelib import Machine, Test
from words import CHECKS, MB, WELCOME, opening

# Seconds to watch QEMU, and the part of them that it may use: a processor that looks for keys in a loop uses all.
WATCHED, ALLOWED = 1.5, 0.25
# An isapc has an older processor than the kernel takes.
CPU = "qemu64" if ARCH.has(LONG_MODE) else "pentium"


def rests(control):
    """Watch QEMU for a while."""
    before, start = processes.seconds(control.qemu.pid), time.monotonic()
    time.sleep(WATCHED)
    used, gone = processes.seconds(control.qemu.pid) - before, time.monotonic() - start
    require(used <= ALLOWED * gone, f"QEMU used {used:.2f} s of {gone:.2f} s, while the machine had nothing to do")
    control.wait_for_halt()


def wakes_at_a_key(control):
    """Type a command on the keyboard."""
    control.press("uptime\r")
    return True


def tests():
    """All tests of idle machines."""

    def prompt(title, act=(), **machine):
        typed = (rests, *act, rests, "exit\r")
        lines = (*CHECKS, *WELCOME, *(("K> uptime",) if act else ()), "K> exit")
        return Test(f"idle: {title}", 5, Machine(typed=typed, **machine), lines, tags=("idle",), needs=(PC,))

    slept = (*opening(64 * MB), *CHECKS, "sleeping for 4000 ms", "slept long enough: true")
    return [
        prompt("at the prompt, until something is typed", ("uptime\r",)),
        prompt("until a key is pressed", (wakes_at_a_key,)),
        prompt("on q35", ("uptime\r",), board="q35"),
        prompt("on an isapc", ("uptime\r",), board="isapc", cpu=CPU),
        prompt("on a microvm", ("uptime\r",), board="microvm"),
        prompt("under GRUB", ("uptime\r",), image="grub"),
        prompt("from UEFI, until a key is pressed", (wakes_at_a_key,), image="grub", uefi=True),
        Test(
            "idle: in sleep", 5,
            Machine("sleep", "64M", words="-- 4000", typed=(rests,), prompt="sleeping for 4000 ms\r\n"),
            slept, whole=True, tags=("idle",), needs=(PC,),
        ),
    ]


TESTS = tests()
