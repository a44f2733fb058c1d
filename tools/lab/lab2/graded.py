"""The graded tests of lab 2 in QEMU: JOS's four, sizes of memory, and functions that are called from outside.

A test is passed by what the reader finds in the stopped machine's RAM and registers (tools/grade), not by a printed line.
"""

import dataclasses

import built
import driving
import reading
from arch import ARCH, PHYSMAP
from gradelib import Machine, Test
from words import CHECKS, WELCOME

IMAGES = {image: built.IMAGES[image] for image in ("kernel", "shims")}
LARGEST = "1G" if ARCH.has(PHYSMAP) else "255M"

# boot_map_region of the lab maps pages of the smallest size alone: no page is large, and a reading of all tables takes
# longer, so there are fewer calls.
driving.Drive.large_pages = lambda self: None
driving.SUBJECTS.update(frames=16, tables=16, mappings=24)

BOOTED = reading.read(Machine())
DRIVEN = dataclasses.replace(reading.drive("shims", reading.SHIMS), patience=6)


def sized(memory, board="", tag="memory"):
    """A test of a size of memory."""
    machine, title = reading.read(Machine(memory=memory, board=board)), f"Memory: {memory}{board and ', ' + board}"
    return Test(title, 5, machine, CHECKS + WELCOME, verdicts=reading.SUBJECTS, tags=(tag,))


TESTS = [
    Test("Physical page allocator", 20, BOOTED, CHECKS[1:2], verdicts=("frames",), tags=("jos",)),
    Test("Page management", 20, BOOTED, CHECKS[2:3], verdicts=("counts",), tags=("jos",)),
    Test("Kernel page directory", 20, BOOTED, CHECKS[3:4], verdicts=("map",), tags=("jos",)),
    Test("Page management 2", 10, BOOTED, CHECKS[5:6], verdicts=("processor", "accesses"), tags=("jos",)),
    *(sized(memory) for memory in ("8M", "128M", LARGEST)),
    *(
        Test(f"Called from outside: {title}", 5, DRIVEN, CHECKS + WELCOME, verdicts=verdicts, tags=("functions",))
        for title, verdicts in (
            ("page_alloc and page_free", ("driven frames",)),
            ("pgdir_walk and page_lookup", ("driven tables",)),
            ("page_insert and page_remove", ("driven mappings",)),
            ("the machine after that", reading.SUBJECTS),
        )
    ),
]
