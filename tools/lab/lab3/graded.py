"""The graded tests of lab 3 in QEMU: JOS's programs of its labs 3 and 4 run in the student's kernel.

A test is passed by the program's lines, and by what the reader finds in the RAM of the stopped machine when the program has
ended or stands at a breakpoint (tools/grade): frames, pp_ref, the kernel's map, the environments. The tests are those of
the whole project, usertests.py.
"""

import dataclasses

import built
import usertests

IMAGES = {"kernel": built.IMAGES["kernel"]}
POINTS = 5

# Calls and traps, from JOS's lab 3; page faults that a program handles, or should, children, and messages, from its lab 4.
PROGRAMS = (
    "hello", "buggyhello", "evilhello", "divzero", "softint", "badsegment", "breakpoint", "faultread", "faultwritekernel",
    "testbss",
    "faultdie", "faultalloc", "faultallocbad", "faultnostack", "faultevilhandler",
    "dumbfork", "forktree", "spin",
    "sendpage", "pingpong",
)


def of_program(name, tag="jos"):
    """The project's test of a program, worth a lab's points."""
    title = f"program: {name}"
    return dataclasses.replace(next(test for test in usertests.TESTS if test.title == title), points=POINTS, tags=(tag,))


TESTS = [of_program(name) for name in PROGRAMS]
