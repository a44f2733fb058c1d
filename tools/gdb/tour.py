"""Reads a guided tour, docs/stepping.md: the gdb commands in it, and the output that it shows for them.

The tour is in blocks fenced as ```console. A line after "(gdb) " is typed, the lines below it are what gdb
prints, all of it. What differs from one build to the next is not compared: addresses within the kernel and in
RAM, line numbers, and counts of three and more digits that are no fact of the machine. Nor is the number of
spaces.
"""

import re

# Numbers that must match exactly: entries of a table and their last index, the slots of KERNBASE, UVPT and UPAGES, and
# numbers that follow from 256 MB of RAM.
FACTS = {"256", "512", "511", "510", "509", "384", "383", "65504"}
TOKEN = re.compile(
    r"(?P<hex>\b0x[0-9a-f]+\b)|(?P<line>(?<=\.rs:)\d+|(?<=, line )\d+|^\d+(?=\t| ))|"
    r"(?P<page>(?<=page )\d+|(?<=pages )\d+\.\.\d+|(?<=Frame\()\d+)|(?P<size>\d+(?= KB| upwards| downwards))|"
    r"(?P<number>\b\d+\b)|(?P<space>\s+)"
)
# Addresses from here up belong to the map and are the same in every kernel, except within the image.
MAP_BEGINS, IMAGE_BEGINS, IMAGE_ENDS = 0xFFFF_8000_0000_0000, 0xFFFF_FFFF_F000_1000, 0xFFFF_FFFF_FFFF_F000


def blocks(text):
    """The lines of the tour's blocks, one after the other."""
    return [line for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]


def read(text):
    """(the typed commands, a pattern for each line that gdb prints)

    Before each command gdb is told to print it, so that the output reads as the tour does.
    """
    commands, patterns = [], []
    for line in blocks(text):
        if line.startswith("$ ") or not line.strip():
            continue
        patterns.append(pattern(line))
        if line.startswith("(gdb) "):
            command = line.removeprefix("(gdb) ").split("  #")[0].rstrip()
            patterns[-1] = re.compile(re.escape(f"(gdb) {command}"))
            commands += [f"echo (gdb) {command}\\n", command]
    return tuple(commands), tuple(patterns)


def pattern(line):
    """The line as a pattern: wildcards for tokens that differ from build to build, all others literally."""
    parts, at = [], 0
    for token in TOKEN.finditer(line):
        parts += [re.escape(line[at : token.start()]), wildcard(token)]
        at = token.end()
    return re.compile("".join([*parts, re.escape(line[at:])]) + r"\s*")


def wildcard(token):
    """The pattern for a token."""
    text = token[0]
    if token["hex"]:
        return "0x[0-9a-f]+" if varies(int(text, 16)) else text
    if token["space"]:
        return r"\s+"
    if token["number"]:
        return text if len(text) < 3 or text in FACTS else r"\d+"
    return r"\d+\.\.\d+" if ".." in text else r"\d+"


def varies(number):
    """Whether an address, or an entry with one, may differ from one build to the next."""
    if number >= MAP_BEGINS:
        return IMAGE_BEGINS <= number < IMAGE_ENDS
    return number >= 0x1000
