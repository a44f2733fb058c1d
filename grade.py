#!/usr/bin/env python3
"""Boot JOS64 in QEMU on many machines, and score what it does: `make grade`, or ./grade.py --help.

This file is the list of tests. The first four are those of JOS's lab 2, with its titles and points. How runs
are judged is in tools/gradelib.py, how they are made in tools/graderun.py, the program around them in
tools/gradeui.py, what bad loaders do in tools/badloader.py, and what gdb is asked in tools/gdbtests.py.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

import apptests  # noqa: E402 (found by the line above)
import badloader  # noqa: E402
import gdbtests  # noqa: E402
from gradelib import FAILURE, Machine, Test  # noqa: E402
from gradeui import main  # noqa: E402

IMAGES = {
    "kernel": Path("obj/kern/kernel"),  # booted by QEMU itself, as PVH
    "grub": Path("obj/jos.iso"),
    "grub-words": Path("obj/grade-words.iso"),  # with two unknown words on its command line (see the Makefile)
    **{app: Path("obj/apps", app) for app in ("bench", "hello", "heap", "pages", "sieve", "tour")},
}

MB = 1024  # all sizes here are in K

CHECKS = (
    "check_page_free_list() succeeded!",
    "check_page_alloc() succeeded!",
    "check_page() succeeded!",
    "check_kern_pgdir() succeeded!",
    "check_page_free_list() succeeded!",
    "check_page_installed_pgdir() succeeded!",
)
WELCOME = ("Welcome to the JOS kernel monitor!", "Type 'help' for a list of commands.")


def opening(memory, limit=None):
    """The first lines on a machine with so much memory (in K), which follow from QEMU's memory map: 639K
    below the IO hole, of which whole pages count, and what is above 1 MB except 128K that the firmware keeps.
    What lies above the limit, if there is one, is left unused."""
    base, extended = 639 // 4 * 4, memory - 1024 - 128
    lines = [f"Physical memory: {base + extended}K available, base = {base}K, extended = {extended}K"]
    if limit is not None:
        lines.append(f"Unused: {1024 + extended - limit}K of RAM, all that lies above {limit}K")
    return tuple(lines)


def boots(memory=256 * MB, before=(), limit=None):
    """All of the output of a good boot, up to the exit that is typed."""
    return (*before, *opening(memory, limit), *CHECKS, *WELCOME, "K> exit")


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
    return f'warning: unknown option "{word}" ignored'


def unknown_test(name):
    """The warning, with the names of all tests."""
    names = re.compile(r"(?=.{1,80}$)( [a-z-]+)+")
    return (
        f'warning: unknown test "{name}" ignored; known tests:', re.compile(" read-null .*"), *[names] * 5,
        re.compile(".* fault-in-report"),
    )


KNOWN_OPTIONS = "known: test=NAME mem=SIZE log=LEVEL heap=poison leakcheck -- APPLICATION'S WORDS"


NO_PROMPT = (re.compile(r"K> .*"), re.compile(r"kernel panic within .*"))

GRUB = Machine("grub")
PVH = Machine()

TWO_WORDS = (unknown_option("colour=mauve"), *unknown_test("nonsense"), KNOWN_OPTIONS)
ODD_WORDS = "test test= =x  foo " + "y" * 200 + " log=loud --"
ODD_WARNINGS = (
    unknown_option("test"),
    *unknown_test(""),
    unknown_option("=x"),
    unknown_option("foo"),
    unknown_option("y" * 200),
    'warning: "log=loud" ignored: log= wants off, error, warn, info, debug or trace',
    KNOWN_OPTIONS,
)

HEX = "0x[0-9a-f]{16}"
KERNEL = "0xfffffffff01[0-9a-f]{5}"  # an address in the kernel's image
UPAGES = "0xfffffe8000000000"
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
            ("256M", 256 * MB), ("257M", 257 * MB), ("1G", 1024 * MB), ("5G", 5120 * MB),
        )
    ),
    Test("memory: 16G", 5, Machine(memory="16G"), boots(16384 * MB), whole=True, tags=("memory",)),
    Test(
        "memory: 5G, by pages of 1 GB", 5, Machine(memory="5G", cpu="max", typed=("map\r", "checks\r", "exit\r")),
        (
            *opening(5120 * MB), *CHECKS, *WELCOME, "0xffffff8000000000 RW/-- all physical memory",
            "  0xffffff8010000000-0xffffff80bffdffff -> 0x010000000 -rw-g 2883456 KB 4K-1G W",
            "  0xffffff8100000000-0xffffff817fffffff -> 0x100000000 -rw-g 2 GB 1G W", *CHECKS,
        ),
        tags=("memory",),
    ),
    Test(
        "memory: 1G, mem=256M as on JOS", 5, Machine(memory="1G", words="mem=256M"),
        boots(1024 * MB, limit=256 * MB), whole=True, tags=("memory",),
    ),
    Test(
        "memory: mem= that is no size", 5, Machine(words="mem=lots"),
        boots(before=('warning: "mem=lots" ignored: mem= wants a size such as 64M, 256M or 2G',)), whole=True, tags=("memory",),
    ),
    # Other boards, and other firmware.
    Test("board: q35, GRUB", 5, Machine("grub", board="q35"), CHECKS + WELCOME, tags=("board",)),
    Test("board: q35, PVH", 5, Machine(board="q35"), CHECKS + WELCOME, tags=("board",)),
    Test("board: microvm (no VGA, no keyboard)", 5, Machine(board="microvm"), CHECKS + WELCOME, tags=("board",)),
    Test(
        "board: microvm, the time", 5, Machine(board="microvm", typed=("uptime\r", "exit\r")),
        (*WELCOME, re.compile(r"up 0:0\d:\d\d\.\d\d\d"), "K> exit"), tags=("board",),
    ),
    Test("board: UEFI, GRUB", 5, Machine("grub", uefi=True, patience=3), CHECKS + WELCOME, tags=("board", "uefi")),
    Test(
        "board: UEFI, q35, GRUB", 5, Machine("grub", board="q35", uefi=True, memory="1G", patience=3),
        CHECKS + WELCOME, tags=("board", "uefi"),
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
    # Applications.
    *apptests.tests(lambda memory: (*opening({"64M": 64 * MB, "256M": 256 * MB, "300M": 300 * MB}[memory]), *CHECKS)),
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
        (*WELCOME, "K> exit 3", "Exit code 3"), status=FAILURE, tags=("monitor",),
    ),
    *(
        Test(
            f"monitor: reboot, {board}", 5, Machine(board=board, typed=("reboot\r",)),
            (*WELCOME, "K> reboot"), resets=True, tags=("monitor", "board"),
        )
        for board in ("pc", "q35", "microvm")
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
    Test(
        "monitor: a line of 1 MB", 5,
        Machine(typed=("x" * 1_000_000 + "\r", "exit\r"), patience=6),
        (*WELCOME, re.compile(r"Unknown command 'x{76}'"), "K> exit"), (re.compile(".*panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: numbers that overflow, ranges that wrap", 5,
        Machine(
            typed=(
                "dump 0xffffffffffffffffffff\r", "dump 0xfffffffffffffff0 17\r", "showmappings 2 1\r",
                "translate KERNBASE+0x10000000\r", "translate beef\r", "alloc 99999999999999999999\r", "dump -1\r",
                "showmappings 0 0xffffffffffffffff\r", "translate 0x800000000000\r", "pages\r", "exit\r",
            )
        ),
        (
            *WELCOME,
            "0xffffffffffffffffffff is too large", "usage: dump [-p] ADDRESS [N]",
            "0x11 bytes at 0xfffffffffffffff0 go beyond the last address",
            "the range ends before it begins: 0x2, 0x1", "usage: showmappings LO [HI]",
            "KERNBASE+0x10000000 is too large", "usage: translate VA",
            'unknown name "beef" (a hexadecimal number begins with 0x)',
            "99999999999999999999 is too large", "usage: alloc [N]",
            'something is missing in "-1"',
            "0x0000000000000000-0xfffffe7fffffffff not mapped",
            re.compile(" the walk cannot begin: .*"),
            "   65504 pages are described, 262016 KB", "K> exit",
        ),
        (re.compile(".*panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: editing, history, completion", 10,
        Machine(
            typed=(
                "hlp\x1b[D\x1b[De\x1b[F up\x17uptime\r",  # help uptime
                "\x1b[A\x1b[A\x7f\r",  # nothing before the first line: help uptim
                "tr\tmem_init\r", "show\tKERNB\t\r", "dump\x15exit 7\x03", "exit\r",
            )
        ),
        (
            *WELCOME, "uptime", "Display the time since the kernel began.",
            "Unknown command 'uptim'",
            re.compile(r"K> translate mem_init"),
            re.compile(r'0xffff[0-9a-f]{12} in "window on physical memory" \(kernel code, libjos::pmap::mem_init\)'),
            "K> showmappings KERNBASE ",
            "0xfffffffff0000000-0xfffffffff0000fff -> 0x000000000 -rw-g 4 KB 4K",
            "K> exit",
        ),
        (re.compile(".*panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: what is mapped where", 10,
        Machine(
            typed=(
                "map\r", "translate KSTACKTOP-1\r", "vmprint\r", "showmappings KSTACKTOP-0x9000 KSTACKTOP\r",
                "dump KSTACKTOP-0x8008 16\r", "dump KERNBASE+0xb8000 16\r", "cr\r", "exit\r",
            )
        ),
        (
            *WELCOME,
            "0xfffffffff0000000 RW/-- window on physical memory",
            re.compile(r"  0xfffffffff0100000-0xffff[0-9a-f]{12} -> 0x000100000 -r-xg \d+ KB 4K X"),
            "0xffffffffefff0000 --/-- guard gap",
            re.compile(r"  0xfffffe8000000000-0xffff[0-9a-f]{12} -> 0x[0-9a-f]{9} ur--- 512 KB 4K"),
            'K> translate KSTACKTOP-1',
            "|  0xffff   |    511    |    511    |    383    |    511    |   0xfff   |",
            re.compile(r"       \+-> 0x[0-9a-f]+\[511\] = 0x80000000[0-9a-f]{8}  4 KB page at 0x[0-9a-f]+ -rw-g.*"),
            re.compile(r"page table 0x[0-9a-f]{16}"),
            re.compile(r"0xffffffffefff7000-0xffffffffefff7fff not mapped"),
            re.compile(r"0xffffffffefff8000-0xffffffffefffffff -> .* -rw-g 32 KB 4K"),
            re.compile(r"ffffffffefff7ff8-ffffffffefff7fff: not mapped"),
            re.compile(r"ffffffffefff8000: 0000 0000 0000 0000 .*"),
            "fffffffff00b8000-fffffffff00b800f: no RAM, or out of reach: left alone",
            "     16  WP         1  write protection: read-only pages bind the kernel too",
            "     11  NXE        1  no-execute pages: bit 63 of an entry counts",
            "K> exit",
        ),
        (re.compile(r"kernel panic.*"), re.compile(r".{81,}")), tags=("monitor",),
    ),
    Test(
        "monitor: playing with pages", 10,
        Machine(
            typed=(
                "alloc\r", "insert UTEMP 0xc000 +w +u\r", "pages 0xc000\r", "setperm UTEMP -u\r", "checks\r",
                "free 0xc000\r", "remove UTEMP\r", "remove UTEMP\r", "insert KERNBASE 0xc000\r",
                "setperm KERNBASE -w\r", "free 0\r", "insert UTEMP 0xc000\r", "checks\r", "exit\r",
            )
        ),
        (
            *WELCOME, "page 0xc000, pp_ref 1", "0x400000 -> 0xc000 urw--, pp_ref 2",
            re.compile('  0x0000000000400000 urw-- in a 4 KB page, "temporary mappings"'),
            "0x400000: urw-- -> -rw--",
            "0x400000 is mapped, and check_kern_pgdir would panic: remove it, or use -f",
            "page 0xc000 is still mapped: pp_ref 1", "0x400000 is not mapped any more; page 0xc000 is free",
            "0x400000 is not mapped",
            "0xfffffffff0000000 is the kernel's (UTOP and above); with -f, at your own risk",
            "0xfffffffff0000000 is the kernel's (UTOP and above); with -f, at your own risk",
            "page 0x0 is not one of alloc's; with -f, at your own risk",
            "page 0xc000 is free already", "K> checks", *CHECKS, "K> exit",
        ),
        (re.compile(r"kernel panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: the loader's memory, the free list, a frame", 5,
        Machine(typed=("memmap\r", "freelist 2\r", "dump -p kern_pgdir+0xff8 8\r", "clear\rchecks -f\r", "exit\r")),
        (
            *WELCOME, "The loader's memory map:", "  0x0000000000000000-0x000000000009fbff RAM, 639 KB",
            "What became of it:", "  0x0000000000000000-0x0000000000000fff page 0, never given out, 4 KB",
            re.compile(r"  0x0000000000003000-0x000000000009efff page_alloc's: \d+ free, \d+ in use"),
            "  0x00000000000a0000-0x00000000000fffff the hole for devices, 384 KB",
            re.compile(r"  0x00000000001\w{5}-0x00000000001\w{5} kern_pgdir, 4 KB"),
            re.compile(r"  0x\w{16}-0x000000000ffdffff page_alloc's: \d+ free, 0 in use"),
            re.compile(r"page_free_list: \d+ pages, \d+ KB"), re.compile(r"  and \d+ more pages"),
            # The table of KERNBASE, writable and for all, present and used.
            re.compile(r"0000000000[0-9a-f]{3}ff8: 27[0-9a-f]{2} [0-9a-f]{4} 0000 0000  .*"),
            re.compile(r"\x1b\[2J\x1b\[HK> checks -f"), *CHECKS, "K> exit",
        ),
        (re.compile(r"kernel panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: a fault by its name", 5, Machine(typed=("fault nonsense\r", "fault\r", "fault divide\r")),
        (
            *WELCOME, "usage: fault [NAME]", "read-null", "fault-in-report",
            re.compile(r"kernel panic at .*: divide error \(#DE, vector 0\)"),
            re.compile(r"  #0  0x\w{16} kernel::faults::divide .*"),
        ),
        status=FAILURE, tags=("monitor",),
    ),
    Test(
        "monitor: long output waits, and stops", 5,
        Machine(typed=("page on\r", "vmprint\r \rq", "page off\r", "vmprint\r\x03", "uptime\r", "exit\r")),
        (
            *WELCOME, "K> vmprint", "-- more --", "K> page off", "K> vmprint",
            "^C", re.compile(r"up 0:0\d:\d\d\.\d\d\d"), "K> exit",
        ),
        (re.compile(r"kernel panic.*"), re.compile(r".*0xffffffffffe00000: pte .*")), tags=("monitor",),
    ),
    # What a panic says.
    Test(
        "report: a page fault explained", 10, Machine(words="test=write-upages"),
        (
            *CHECKS, re.compile(r"kernel panic at .*"), re.compile(r"  rax +[0-9a-f]{16} +rbx .*"),
            re.compile(r"  CR0 +[0-9a-f]{16}  PE .*WP PG"), re.compile(r"  EFER +[0-9a-f]{16}  .*NXE.*"),
            "  error code 0x3: P=1 W/R=1 U/S=0 RSVD=0 I/D=0 PK=0 SS=0 SGX=0",
            "    P    1  present: permissions forbid the access", "    W/R  1  write", "    U/S  0  by the kernel",
            'Walk of 0xfffffe8000000000 ("pages array"):',
            re.compile(r"       \+-> 0x[0-9a-f]+\[0\] = 0x80000000[0-9a-f]{8}  4 KB page at 0x[0-9a-f]+ ur---.*"),
            "  0xfffffe8000000000 is mapped, but may not be written: level 0 withholds it",
            "Backtrace:", re.compile(r"  #0 +0xffff[0-9a-f]{12} kernel::faults::write \(inlined\)"),
            re.compile(r" +kernel/src/faults\.rs:\d+"),
            re.compile(r"  #1 +0xffff[0-9a-f]{12} kernel::faults::run kernel/src/faults\.rs:\d+"),
            re.compile(r"  #2 +0xffff[0-9a-f]{12} kernel::on_kernel_stack kernel/src/lib\.rs:\d+"),
        ),
        NO_PROMPT, FAILURE, tags=("report",),
    ),
    Test(
        "report: a panic without its machinery", 5, Machine(words="test=failed-check"),
        (
            *CHECKS, re.compile(r"kernel panic at libjos/src/check_pages\.rs:.*"), "Backtrace:",
            re.compile(r"  #0 +0xffff[0-9a-f]{12} libjos::check_pages::Pmap::check_states"),
            re.compile(r" +libjos/src/check_pages\.rs:\d+"), re.compile(r"  #\d .* kernel::faults::run .*"),
        ),
        (*NO_PROMPT, re.compile(r"  #\d.*(panic|rust_begin_unwind).*")), FAILURE, tags=("report",),
    ),
    *(
        Test(
            f"report: {title}", 5, Machine(words=f"test={name}"),
            (*CHECKS, *map(re.compile, lines)), NO_PROMPT, FAILURE, tags=("report",),
        )
        for name, title, lines in (
            (
                "divide", "division by 0",
                (r"kernel panic at .*: divide error \(#DE, vector 0\)", r"  #0 .*faults::divide.*"),
            ),
            ("breakpoint", "breakpoint", (r"kernel panic at .*: breakpoint \(#BP, vector 3\)",)),
            ("invalid-opcode", "invalid opcode", (r"kernel panic at .*: invalid opcode \(#UD, vector 6\)",)),
            (
                "bad-selector", "a selector's error code",
                (r"kernel panic at .*#GP.*: GDT entry 5", r"  error code 0x28: EXT=0 IDT=0 TI=0 index=0x5"),
            ),
            (
                "reserved-bit", "a reserved bit",
                (r"kernel panic at .*: reserved bit set in a page-table entry, .*", r"    RSVD 1  .*"),
            ),
            (
                "table-outside-ram", "a table where no RAM is",
                (r"kernel panic at .*", r" +stops at level 2: 0x8000000000, where the table should be, is .*"),
            ),
            (
                "broken-stack", "a broken stack",
                (r"kernel panic at .*", r"  #0 .*", r"  \(the chain breaks off: frame pointer 0x7fff.*\)"),
            ),
            (
                "stack-overflow", "a recursion in few lines",
                (r"  #1 .*recurse", r"      \.\.\. and \d+ more of the same"),
            ),
        )
    ),
    Test(
        "report: a message that prints", 5, Machine(words="test=print-in-report"),
        (
            *CHECKS, re.compile(r"kernel panic at kernel/src/faults\.rs:.*: printed by the message"),
            "asked for by test=print-in-report", "Backtrace:",
        ),
        NO_PROMPT, FAILURE, tags=("report",),
    ),
    Test(
        "report: a fault within the report", 5, Machine(words="test=fault-in-report"),
        (*CHECKS, re.compile(r"kernel panic at kernel/src/faults\.rs:.*"), re.compile(r"kernel panic within .*")),
        (re.compile(r"K> .*"),), FAILURE, tags=("report",),
    ),
    # gdb, by the .gdbinit that users get.
    *gdbtests.tests(ROOT, boots()),
]

if __name__ == "__main__":
    sys.exit(main(TESTS, ROOT, IMAGES))
