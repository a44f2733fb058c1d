"""The graded tests of bad machines, bad loaders and bad command lines."""

import re
from dataclasses import replace

import badloader
import reading
from arch import ARCH, PC, PHYSMAP
from gradelib import FAILURE, Machine, Test
from monitortests import translated
from reading import SUBJECTS
from words import (
    CHECKS, MB, NO_LOADER, NO_PROMPT, ODD_WARNINGS, ODD_WORDS, TWO_WORDS, WELCOME,
    amount, bad_information, boots, cannot_start, opening, panic,
)

OUTSIDE = (
    "lies outside the 256 MB of physical memory that the entry page tables show; use a loader that puts it lower"
)
TRUNCATED = bad_information("boot information at 0x9000 is truncated or damaged; use another loader")
NO_MAP = r"has no memory map; use a loader that gives one \(multiboot2 tag 6, (or )?PVH version 1\b.*\)"


def starts(title, machine, why=""):
    """A test of a machine: the kernel says why it cannot start there, or if there is no reason, it boots."""
    title, tags = f"machine: {title}", ("machine",)
    if why:
        return Test(title, 5, machine, (cannot_start(why),), NO_PROMPT, FAILURE, tags=tags)
    if machine.qemu:  # Its registers have another length, so the machine is not read. An address tells whose kernel runs.
        machine = replace(machine, typed=("translate KSTACKTOP-1\r", "exit\r"))
        return Test(title, 5, machine, (*boots()[:-1], "K> translate KSTACKTOP-1", translated(ARCH.kstacktop - 1)), tags=tags)
    return Test(title, 5, reading.read(machine), boots(), whole=True, verdicts=SUBJECTS, tags=tags)


def without_cpuid(stub, symbols):
    """A processor whose EFLAGS.ID cannot be set, like the first 486, which QEMU does not have: the entry code reads 0."""
    start = symbols["check_loader"]
    reads = stub.read_memory(start, 64).index(b"\x9c\x58")  # pushfd; pop eax
    stub.write_memory(start + reads, b"\x31\xc0")  # xor eax, eax


TESTS = [
    *(starts(title, Machine(cpu=cpu), why) for title, cpu, why in ARCH.refused),
    *(
        # What it lacks besides is the reason that the kernel gives.
        starts("no CPUID", Machine(at_entry=without_cpuid), why)
        for title, _, why in ARCH.refused if title in ("no long mode", "older than a Pentium")
    ),
    *(starts(f"{title}, under GRUB", Machine("grub", cpu=cpu), why) for title, cpu, why in ARCH.refused[:2]),
    *(starts(f"on {qemu}, under GRUB", Machine("grub", qemu=qemu), why) for qemu, why in ARCH.elsewhere),
    *(starts(title, Machine(cpu=cpu)) for title, cpu in ARCH.accepted),
    Test(
        # With 1 GB pages, all memory above 4 GB is mapped by them (boottests.py).
        "machine: no 1 GB pages", 5,
        reading.read(Machine(memory="5G", cpu="max,-pdpe1gb", typed=("map\r", "checks\r", "exit\r"))),
        (
            *opening(5120 * MB), *CHECKS, *WELCOME,
            "  0xffffff8100000000-0xffffff817fffffff -> 0x100000000 -rw-g 2 GB 2M W", "K> checks", *CHECKS, "K> exit",
        ),
        (re.compile(r".*\b1G\b.*"),), verdicts=SUBJECTS, tags=("machine",), needs=(PC, PHYSMAP),
    ),
    Test(
        # Not 3M: there, SeaBIOS itself uses memory close above the kernel.
        "memory: too small", 5, Machine(memory="3584K"),
        (
            *opening(7 * MB // 2),
            *panic(
                r"too little RAM: 3068 KB within the 256 MB from 0x0 on, at least 4096 KB are needed: give the machine more "
                r"memory \(QEMU: -m 8M or more; mem= may leave no less\)"
            ),
        ),
        NO_PROMPT, FAILURE, tags=("memory",), needs=(PC,),
    ),
    # Bad loaders.
    *(
        Test(
            f"loader: {title}", 5, Machine(memory="1G", at_entry=spoil), (why,), NO_PROMPT, FAILURE, tags=("loader",),
            needs=(PC,),
        )
        for title, spoil, why in (
            ("neither multiboot2 nor PVH", badloader.no_magic, NO_LOADER),
            ("PVH without magic", badloader.pvh_no_magic, NO_LOADER),
            (
                "information outside the window", badloader.outside_window,
                bad_information(rf"boot information at 0x20000000 \(8 bytes\) {OUTSIDE}"),
            ),
            (
                "PVH map outside the window", badloader.pvh_map_outside_window,
                bad_information(rf"PVH memory map at 0x20000000 \(\d+ bytes\) {OUTSIDE}"),
            ),
            (
                "information in the kernel", badloader.in_kernel,
                bad_information(
                    r"boot information at 0x[123][0-9a-f]{2}000 \(8 bytes\) lies in memory that the kernel writes to; "
                    "use another loader"
                ),
            ),
            (
                "information in the kernel's data", badloader.in_kernel_data,
                bad_information(
                    r"boot information at 0x[0-9a-f]+ \(8 bytes\) lies in memory that the kernel writes to; use another loader"
                ),
            ),
            ("information without its end", badloader.no_end, TRUNCATED),
            ("information cut within a tag", badloader.cut_within_tag, TRUNCATED),
            ("no memory map", badloader.no_memory_map, bad_information(f"boot information at 0x9000 {NO_MAP}")),
            (
                "PVH without memory map", badloader.pvh_no_memory_map,
                bad_information(f"boot information at (?!0x9000)0x[0-9a-f]+ {NO_MAP}"),
            ),
        )
    ),
    Test(
        # RAM up to 128 MB, without the two pages of 0x900000 to 0x901000 and the one at 0x5000000.
        "loader: wild memory map", 5, reading.read(Machine(at_entry=badloader.wild_memory_map)),
        (*amount(636, 130036), *CHECKS, *WELCOME), verdicts=SUBJECTS, tags=("loader",), needs=(PC,),
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
