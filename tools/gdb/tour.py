"""Reads a guided tour, docs/stepping.md: the gdb commands in it, and the output that it shows for them.

The tour is in blocks fenced as ```console, that of another machine in blocks fenced as ```console i386, or by its own
name. A line after "(gdb) " is
typed, the lines below it are what gdb prints, all of it. What differs from one build to the next is not compared:
addresses within the kernel and in RAM, line numbers, and counts of three and more digits that are no fact of the
machine. Nor is the number of spaces.
"""

import re
from typing import NamedTuple


class Machine(NamedTuple):
    """A machine's blocks in the tour, and its numbers that are the same in every kernel."""

    fence: str
    # Entries of a table, the slots of KERNBASE, the stack, UVPT and UPAGES, and numbers that follow from 256 MB of RAM.
    facts: frozenset
    # Addresses from here up belong to the map and are the same in every kernel, except within the image.
    map_begins: int
    image_begins: int
    image_ends: int

    def varies(self, number):
        """Whether an address, or an entry with one, may differ from one build to the next."""
        if number >= self.map_begins:
            return self.image_begins <= number < self.image_ends
        return number >= 0x1000


MACHINES = {
    "x86_64": Machine("console", frozenset("256 512 511 510 509 384 383 65504".split()),
                      0xFFFF_8000_0000_0000, 0xFFFF_FFFF_F000_1000, 0xFFFF_FFFF_FFFF_F000),
    "i386": Machine("console i386", frozenset("256 1024 1023 960 959 957 956 65504".split()),
                    0xEEC0_0000, 0xF000_1000, 0xFFFF_F000),
    "riscv64": Machine("console riscv64", frozenset("256 512 511 493 384 128 127 65536".split()),
                       0xFFFF_FFC0_0000_0000, 0xFFFF_FFFF_F020_1000, 0xFFFF_FFFF_FFFF_F000),
}
TOKEN = re.compile(
    r"(?P<hex>\b0x[0-9a-f]+\b)|(?P<line>(?<=\.rs:)\d+|(?<=, line )\d+|^\d+(?=\t| ))|"
    r"(?P<varying>(?<=\+ )\d+|(?<=^#)(?:\d\d|[4-9])|\d+(?= pages below UTOP))|"
    r"(?P<total>(?<=pages, )\d+ [KM]B)|"
    r"(?P<page>(?<=page )\d+|(?<=pages )\d+\.\.\d+|(?<=Frame\()\d+)|(?P<size>\d+(?= KB| upwards| downwards))|"
    r"(?P<number>\b\d+\b)|(?P<space>\s+)"
)


def blocks(text, machine):
    """The lines of a machine's blocks, one after the other."""
    found = re.findall(rf"^```{machine.fence}\n(.*?)^```$", text, re.M | re.S)
    return [line for block in found for line in block.splitlines()]


def read(text, arch):
    """(the typed commands, a pattern for each line that gdb prints) of the tour of a machine"""
    return played(blocks(text, MACHINES[arch]), MACHINES[arch])


def played(lines, machine, pattern_of=None):
    """What is typed and what is printed in some lines of a tour, as of read().

    Before each command gdb is told to print it, so that the output reads as the tour does.
    """
    commands, patterns = [], []
    for line in lines:
        if line.startswith("$ ") or not line.strip():
            continue
        patterns.append((pattern_of or pattern)(line, machine))
        if line.startswith("(gdb) "):
            command = line.removeprefix("(gdb) ").split("  #")[0].rstrip()
            patterns[-1] = re.compile(re.escape(f"(gdb) {command}"))
            commands += [f"echo (gdb) {command}\\n", command]
    return tuple(commands), tuple(patterns)


def pattern(line, machine):
    """The line as a pattern: wildcards for tokens that differ from build to build, all others literally."""
    parts, at = [], 0
    for token in TOKEN.finditer(line):
        parts += [re.escape(line[at : token.start()]), wildcard(token, machine)]
        at = token.end()
    return re.compile("".join([*parts, re.escape(line[at:])]) + r"\s*")


def wildcard(token, machine):
    """The pattern for a token."""
    text = token[0]
    if token["hex"]:
        return "0x[0-9a-f]+" if machine.varies(int(text, 16)) else text
    if token["total"]:
        return r"\d+ [KM]B"
    if token["space"]:
        return r"\s+"
    if token["number"]:
        return text if len(text) < 3 or text in machine.facts else r"\d+"
    return r"\d+\.\.\d+" if ".." in text else r"\d+"
