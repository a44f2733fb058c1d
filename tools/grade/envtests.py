"""The graded tests of environments that the reader judges from outside (environments.py): while a crowd of them runs,
when all have ended, and at a breakpoint.
"""

import reading
from arch import ARCH, PC
from gradelib import Machine, Test
from words import CHECKS, WELCOME

FIRST = "[00000000] new env 00001000"


def at_breakpoint():
    """A machine that is read at the prompt to which a breakpoint leads."""
    look = reading.Reading(ARCH.boot("kernel").entry)
    return Machine(
        memory="32M", words="run=breakpoint", at_entry=look.read_loader, typed=(look.read_environments, "exit\r"),
    )


def tests():
    """All tests of environments from outside."""
    crowd = reading.read_crowd(Machine(memory="32M", patience=3))
    ended = "Destroyed the only environment - nothing more to do!"
    lines = (*CHECKS, FIRST, reading.CROWD_PROMPT.strip(), ended, *WELCOME)
    return [
        *(
            Test(f"environments: {title}", 10, crowd, lines, verdicts=(name,), tags=("program",), needs=(PC,))
            for title, name in (
                ("each frame is free, or in use", "frames"),
                ("pp_ref counts the uses by all of them", "counts"),
                ("the kernel's map stays", "map"),
                ("ids, states, directories and pages", "environments"),
            )
        ),
        Test(
            "environments: at a breakpoint", 5, at_breakpoint(), (*CHECKS, FIRST, *WELCOME),
            verdicts=reading.AMONG_PROGRAMS, tags=("program",), needs=(PC,),
        ),
    ]


TESTS = tests()
