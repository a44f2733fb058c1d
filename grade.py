#!/usr/bin/env python3
"""Boot JOS64 in QEMU on many machines, and score what it does: `make grade`, or ./grade.py --help.

This file is the list of tests. The first four are those of JOS's lab 2, with its titles and points. How runs
are judged is in tools/gradelib.py, how they are made in tools/graderun.py, the program around them in
tools/gradeui.py, and what bad loaders do in tools/badloader.py.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

import badloader  # noqa: E402 (found by the line above)
from gradelib import FAILURE, Machine, Test  # noqa: E402
from gradeui import main  # noqa: E402

IMAGES = {
    "kernel": Path("obj/kern/kernel"),  # booted by QEMU itself, as PVH
    "grub": Path("obj/jos.iso"),
    "grub-words": Path("obj/grade-words.iso"),  # with two unknown words on its command line (see the Makefile)
}

MB = 1024  # all sizes here are in K
WINDOW = 256 * MB  # the physical memory that is mapped at KERNBASE

CHECKS = (
    "check_page_free_list() succeeded!",
    "check_page_alloc() succeeded!",
    "check_page() succeeded!",
    "check_kern_pgdir() succeeded!",
    "check_page_free_list() succeeded!",
    "check_page_installed_pgdir() succeeded!",
)
WELCOME = ("Welcome to the JOS kernel monitor!", "Type 'help' for a list of commands.")


def opening(memory):
    """The first lines on a machine with so much memory (in K), which follow from QEMU's memory map: 639K
    below the IO hole, of which whole pages count, and what is above 1 MB except 128K that the firmware keeps."""
    base, extended = 639 // 4 * 4, memory - 1024 - 128
    lines = [f"Physical memory: {base + extended}K available, base = {base}K, extended = {extended}K"]
    if memory > WINDOW:
        lines.append(f"Unused: {1024 + extended - WINDOW}K of RAM above the 256 MB window at KERNBASE")
    return tuple(lines)


def boots(memory=256 * MB, before=()):
    """All of the output of a good boot, up to the exit that is typed."""
    return (*before, *opening(memory), *CHECKS, *WELCOME, "K> exit")


def panic(text):
    """A panic: its line, and a backtrace of at least one frame."""
    line = re.compile(r"kernel panic at [\w/.-]+\.rs:\d+:\d+: " + text)
    return line, "Backtrace:", re.compile(r"  #0 +0xffff[0-9a-f]{12}.*")


def cannot_start(cause, remedy):
    """The kernel's words on a machine or a loader that it cannot work with: the cause, and what to do."""
    return (re.compile(rf"(kernel panic at \S+: )?JOS64 cannot start: .*{cause}.*{remedy}.*", re.IGNORECASE),)


def fault(name, points, title, text):
    """A deliberate fault: picked by test=name, after all checks; ends in one panic, and never at a prompt."""
    lines = (*CHECKS, *panic(text))
    return Test(f"fault: {title}", points, Machine(words=f"test={name}"), lines, NO_PROMPT, FAILURE, tags=("fault",))


def unknown_option(word):
    """The warning about a word of the command line that means nothing."""
    return f'warning: unknown option "{word}" ignored; known: test=NAME (help: make help)'


NO_PROMPT = (re.compile(r"K> .*"), re.compile(r"kernel panic within .*"))

GRUB = Machine("grub")
PVH = Machine()
TWO_WORDS = (
    unknown_option("colour=mauve"),
    re.compile(r'warning: unknown test "nonsense" ignored; known tests: .*read-null.*failed-check.*'),
)
ODD_WORDS = "test test= =x  foo " + "y" * 200
ODD_WARNINGS = (
    unknown_option("test"),
    re.compile(r'warning: unknown test "" ignored; known tests: .*'),
    unknown_option("=x"),
    unknown_option("foo"),
    unknown_option("y" * 200),
)

HEX = "0x[0-9a-f]{16}"
KERNEL = "0xfffffffff01[0-9a-f]{5}"  # an address in the kernel's image
UPAGES = "0xfffffe8000000000"
SOURCE_LINE = re.compile(r"\d+\t.+")  # as gdb shows it
PAGE_FAULT = r"page fault \(#PF, vector 14\): "

TESTS = [
    # JOS's four.
    Test("Physical page allocator", 20, GRUB, CHECKS[1:2], tags=("jos",)),
    Test("Page management", 20, GRUB, CHECKS[2:3], tags=("jos",)),
    Test("Kernel page directory", 20, GRUB, CHECKS[3:4], tags=("jos",)),
    Test("Page management 2", 10, GRUB, CHECKS[5:6], tags=("jos",)),
    Test("Free list, before and after kern_pgdir", 10, GRUB, (CHECKS[0], CHECKS[3], CHECKS[0]), tags=("boot",)),
    # Two ways to boot, and memory sizes: the whole output, line by line.
    Test("boot: GRUB (multiboot2)", 10, GRUB, boots(), whole=True, tags=("boot",)),
    Test("boot: qemu -kernel (PVH)", 10, PVH, boots(), whole=True, tags=("boot",)),
    Test("memory: 8M", 5, Machine(memory="8M"), boots(8 * MB), whole=True, tags=("memory",)),
    *(
        Test(f"memory: {name}", 5, Machine("grub", memory=name), boots(size), whole=True, tags=("memory",))
        for name, size in (
            ("16M", 16 * MB), ("64M", 64 * MB), ("127M", 127 * MB), ("128M", 128 * MB),
            ("256M", 256 * MB), ("1G", 1024 * MB), ("5G", 5120 * MB),
        )
    ),
    # Deliberate faults.
    fault("read-null", 5, "read of address 0", PAGE_FAULT + r"read of 0x0000000000000000: page not present.*"),
    fault("write-text", 5, "write to kernel text", PAGE_FAULT + rf"write to {KERNEL}: protection violation.*window.*"),
    fault("write-rodata", 5, "write to rodata", PAGE_FAULT + rf"write to {KERNEL}: protection violation.*window.*"),
    fault("exec-data", 5, "execution of a data page", PAGE_FAULT + rf"instruction fetch from {HEX}: no-execute.*"),
    fault(
        "stack-overflow", 5, "kernel stack overflow",
        rf"kernel stack overflow \(#DF, vector 8\): the stack ran into the guard gap .*, at {HEX}",
    ),
    fault("write-upages", 5, "write to UPAGES", PAGE_FAULT + rf"write to {UPAGES}: protection violation.*pages.*"),
    fault("read-hole", 5, "read of a hole in the map", PAGE_FAULT + rf"read of {HEX}: page not present.*"),
    fault("non-canonical", 5, "non-canonical address", r"general protection \(#GP, vector 13\): .*non-canonical.*"),
    fault("double-free", 5, "page_free twice", r"page_free: .*"),
    fault("free-referenced", 5, "page_free with pp_ref != 0", r"page_free: .*pp_ref.*"),
    fault("boot-alloc-late", 5, "boot_alloc after page_init", r"boot_alloc: .*page_init.*"),
    fault("panic", 5, "explicit panic", r".+"),
    fault("failed-check", 5, "failed check", r"check_\w+: .*"),
    # Bad machines.
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
    Test("machine: no 1 GB pages", 5, Machine(cpu="qemu64,-pdpe1gb"), boots(), whole=True, tags=("machine",)),
    Test("machine: every feature", 5, Machine(cpu="max"), boots(), whole=True, tags=("machine",)),
    Test(
        "memory: too small", 5, Machine(memory="2M"),
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
    # The monitor.
    Test(
        "monitor: help, kerninfo, backtrace", 10, Machine(typed=("help\r", "kerninfo\r", "backtrace\r", "exit\r")),
        (
            "K> help", re.compile(r" *help\b.+"), re.compile(r" *kerninfo\b.+"), re.compile(r" *exit\b.+"),
            "K> kerninfo",
            *(re.compile(rf" *{name} +{KERNEL} .*") for name in ("entry", "etext", "end")),
            "K> backtrace", re.compile(r" *#0 +0xffff[0-9a-f]{12}.*"),
            "K> exit",
        ),
        tags=("monitor",),
    ),
    Test(
        "monitor: unknown command", 5, Machine(typed=("frobnicate now\r", "exit 0\r")),
        ("K> frobnicate now", re.compile(r"[Uu]nknown command.*frobnicate.*"), "K> exit 0"), tags=("monitor",),
    ),
    Test(
        "monitor: exit 3 is a failure", 5, Machine(typed=("exit 3\r",)),
        (*WELCOME, "K> exit 3"), status=FAILURE, tags=("monitor",),
    ),
    Test(
        "monitor: hostile input", 5,
        Machine(
            typed=(
                "\b\b\b\x7f\r", "x" * 3000 + "\r", "\x00\x01\x1b[A\x1b[999;999H\xff\xfe\r", " a" * 500 + "\r",
                "exxxit\b\b\b\b\x7fxit 4" + "\b" * 99 + "help\r", "exit 99999999999999999999\r", "\r\n\t \r", "exit\r",
            )
        ),
        (*WELCOME, re.compile(r".*[Uu]nknown command.*"), "K> exit"), (re.compile(".*panic.*"),), tags=("monitor",),
    ),
    # gdb, by the .gdbinit that users get.
    Test(
        "gdb: walk through mem_init", 10,
        Machine(
            gdb=(
                "break mem_init", "continue", "backtrace 1", "next", "print npages", "next",
                "tbreak boot_alloc", "continue", "finish", "next", "print kern_pgdir",
                "break check_page", "continue", "up", "print pmap.pages.array.pointer[1]",
                *(f"info line {name}" for name in ("boot_map_region", "page_insert", "page_alloc", "readline")),
            )
        ),
        boots(),
        gdb_lines=(
            re.compile(r"Breakpoint 1 at 0xffff.*: file .*\.rs, line \d+\."),
            re.compile(r"Breakpoint 1, .*mem_init.*"),
            re.compile(r"#0 .*mem_init.*\.rs:\d+"),
            SOURCE_LINE, "$1 = 65504", SOURCE_LINE,
            re.compile(r"Temporary breakpoint 2, .*boot_alloc.*"), SOURCE_LINE,
            re.compile(r"\$3 = .*PhysAddr \(\d+\)"),  # $2 is what `finish` showed: boot_alloc's value.
            re.compile(r"Breakpoint 3, .*check_page.*"),
            re.compile(r"\$4 = .*PageInfo \{pp_link: \d+, pp_ref: \d+\}"),
            *(re.compile(r'Line \d+ of ".*\.rs" starts at address 0xffff.*') for _ in range(4)),
        ),
        tags=("gdb",),
    ),
]

if __name__ == "__main__":
    sys.exit(main(TESTS, ROOT, IMAGES))
