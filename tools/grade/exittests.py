"""The graded tests of machines without QEMU's isa-debug-exit device, as real PCs are: the kernel says so, and halts.

The device is at another port than the kernel knows. When the kernel has halted, the test looks at the processor, and
ends QEMU through the device.
"""

import re
import time

from control import require
from gradelib import Machine, Test
from words import CHECKS, REFUSAL, REFUSED, WELCOME, panic

HALTED = "Halted: there is no isa-debug-exit device. The machine can be turned off."
ELSEWHERE = 0xE4
INTERRUPT_FLAG = 1 << 9


def has_halted(control):
    """Require that the processor has stopped for good: halted, with interrupts off."""
    end = time.monotonic() + 5
    while not re.search(r"\bHLT=1\b", state := control.monitor("info registers")):
        require(time.monotonic() < end, f"the processor does not halt: {state}")
    flags = int(re.search(r"\b[ER]FL=(\w+)", state)[1], 16)
    require(flags & INTERRUPT_FLAG == 0, "an interrupt would wake the processor")


def end_with_success(control):
    """End QEMU through the device, with the status of a success."""
    control.send("human-monitor-command", **{"command-line": f"o /b {ELSEWHERE:#x} 0x10"})
    return True


def halts(title, lines, *typed, **machine):
    """A run that ends by halting; QEMU's status is the test's own."""
    prompts = ("K> ", f"{HALTED}\r\n", f"{REFUSAL}\r\n")
    machine = Machine(exit_port=ELSEWHERE, prompt=prompts, typed=(*typed, has_halted, end_with_success), **machine)
    return Test(f"exit: no device, {title}", 5, machine, lines, tags=("exit",))


TESTS = [
    *(
        halts(title, (*CHECKS, *WELCOME, f"K> {line}", *lines, HALTED), f"{line}\r", **machine)
        for title, line, lines, machine in (
            ("a success", "exit", (), {}),
            ("an application's failure", "exit 3", ("Exit code 3",), {}),
            ("q35", "exit", (), {"board": "q35"}),
            ("microvm", "exit", (), {"board": "microvm"}),
            ("GRUB", "exit", (), {"image": "grub"}),
        )
    ),
    halts("a panic", (*CHECKS, *panic("asked for by test=panic"), HALTED), words="test=panic"),
    halts("a kernel that cannot start", (REFUSAL,), cpu=REFUSED),
]
