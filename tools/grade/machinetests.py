"""The graded tests of bad machines, bad loaders and bad command lines."""

import re

import badloader
from gradelib import FAILURE, Machine, Test
from words import (
    CHECKS, MB, NO_PROMPT, ODD_WARNINGS, ODD_WORDS, TWO_WORDS, WELCOME, boots, cannot_start, opening, panic,
)

TESTS = [
    Test(
        "machine: no long mode", 5, Machine(cpu="qemu32"),
        cannot_start("no long mode", "qemu-system-x86_64"), NO_PROMPT, FAILURE, tags=("machine",),
    ),
    Test(
        "machine: no long mode, under GRUB", 5, Machine("grub", cpu="qemu32"),
        cannot_start("no long mode", "qemu-system-x86_64"), NO_PROMPT, FAILURE, tags=("machine",),
    ),
    Test(
        "machine: no NX", 5, Machine(cpu="qemu64,-nx"),
        cannot_start("no NX", "-cpu"), NO_PROMPT, FAILURE, tags=("machine",),
    ),
    Test(
        # With them, all memory above 4 GB is mapped by such (boottests.py).
        "machine: no 1 GB pages", 5, Machine(memory="5G", cpu="max,-pdpe1gb", typed=("map\r", "checks\r", "exit\r")),
        (
            *opening(5120 * MB), *CHECKS, *WELCOME,
            "  0xffffff8100000000-0xffffff817fffffff -> 0x100000000 -rw-g 2 GB 2M W", "K> checks", *CHECKS, "K> exit",
        ),
        (re.compile(r".*\b1G\b.*"),), tags=("machine",),
    ),
    Test("machine: every feature", 5, Machine(cpu="max"), boots(), whole=True, tags=("machine",)),
    Test(
        # With 2M, QEMU's firmware would write over the kernel before it begins.
        "memory: too small", 5, Machine(memory="3M"),
        panic(r"too little RAM: \d+ KB .*, at least \d+ KB are needed: .*-m \d+M.*"), NO_PROMPT, FAILURE,
        tags=("memory",),
    ),
    # Bad loaders.
    *(
        Test(
            f"loader: {title}", 5, Machine(memory="1G", at_entry=spoil),
            cannot_start(cause, remedy), NO_PROMPT, FAILURE, tags=("loader",),
        )
        for title, spoil, cause, remedy in (
            ("neither multiboot2 nor PVH", badloader.no_magic, "not started by a multiboot2 or PVH", r"obj/jos\.iso"),
            ("PVH without magic", badloader.pvh_no_magic, "not started by a multiboot2 or PVH", r"obj/jos\.iso"),
            ("information outside the window", badloader.outside_window, "0x20000000.* outside", "loader"),
            ("PVH map outside the window", badloader.pvh_map_outside_window, "0x20000000.* outside", "loader"),
            ("information in the kernel", badloader.in_kernel, "kernel's own memory", "loader"),
            ("information without its end", badloader.no_end, "truncated", "loader"),
            ("information cut within a tag", badloader.cut_within_tag, "truncated", "loader"),
            ("no memory map", badloader.no_memory_map, "no memory map", "loader"),
            ("PVH without memory map", badloader.pvh_no_memory_map, "no memory map", "loader"),
        )
    ),
    Test(
        "loader: wild memory map", 5, Machine(at_entry=badloader.wild_memory_map),
        (re.compile(r"Physical memory: 13\d{4}K available, base = 63\dK, extended = 13\d{4}K"), *CHECKS, *WELCOME),
        tags=("loader",),
    ),
    # The command line.
    Test(
        "options: unknown ones warn", 5, Machine(words="colour=mauve test=nonsense"),
        boots(before=TWO_WORDS), whole=True, tags=("options",),
    ),
    Test(
        "options: unknown ones warn, under GRUB", 5, Machine("grub-words"),
        boots(before=TWO_WORDS), whole=True, tags=("options",),
    ),
    Test(
        "options: malformed ones warn", 5, Machine(words=ODD_WORDS),
        boots(before=ODD_WARNINGS), whole=True, tags=("options",),
    ),
]
