"""The grader's own tests of lab 3, which students do not get: other programs, other sizes of memory, and a crowd of programs
that is read while it runs."""

import dataclasses

import envtests
from lab3.graded import POINTS, of_program

# The functions of libjos/tests/lab3/property.rs: (number, title, points).
HOST = ((1, "Calls, faults and messages, in random order", 15), (2, "Programs of any shape", 10))

PROGRAMS = ("buggyhello2", "faultreadkernel", "faultwrite", "faultregs", "faultbadhandler", "stresssched", "badids", "badperms",
            "badipc", "badpointers", "badstacks", "exhaust")


def sized(name, memory):
    """A test of a program on a machine with another size of memory."""
    test = of_program(name, "hidden")
    machine = dataclasses.replace(test.machine, memory=memory)
    return dataclasses.replace(test, title=f"{test.title}, {memory}", machine=machine)


TESTS = [
    *(of_program(name, "hidden") for name in PROGRAMS),
    sized("forktree", "20M"), sized("pingpong", "200M"),
    *(dataclasses.replace(test, points=POINTS, tags=("hidden",)) for test in envtests.TESTS),
]
