"""The graded tests of the monitor: its commands, its line editor, its pager."""

import re

from control import require
from gradelib import BY_PORT, BY_TRIPLE_FAULT, FAILURE, LOG_RESETS, Machine, Test, compare
from statetests import KERNBASE
from words import CHECKS, HEX, MB, NO_PROMPT, WELCOME, opening


def kerninfo_is_true(control):
    """Compares the output of `kerninfo` with the kernel's symbols."""
    symbols = control.bench.symbols()

    def symbol(name):
        return f"  {name:<8} {symbols[name]:#018x} (virt) {symbols[name] - KERNBASE:#010x} (phys)"

    def section(name, start, end, what):
        size = (symbols[end] - symbols[start]) // 1024
        return f"  {name:<8} {symbols[start]:#018x} {size:>6} KB  {what}"

    size = -(-(symbols["end"] - symbols["entry"]) // 1024)
    wanted = (
        "Special kernel symbols:", f"  _start   {'':18}        {symbols['_start']:#010x} (phys)",
        *map(symbol, ("entry", "etext", "edata", "end")), "Sections, in whole pages:",
        section("text", "stext", "text_end_exclusive", "code: read, execute"),
        section("rodata", "text_end_exclusive", "rodata_end_exclusive", "constants: read"),
        section("data", "rodata_end_exclusive", "end", "data, bss, stacks: read, write"),
        re.compile(r"  of the constants, \d+ KB are \d+ names and the source lines"),
        f"Kernel executable memory footprint: {size}KB",
    )
    said = control.output.decode().replace("\r", "").split("\n")
    complaints = compare(wanted, said[said.index(wanted[0]) :][: len(wanted)], True)
    require(not complaints, "; ".join(complaints))


TOO_LONG = "a line of more than 255 bytes is refused whole"

TESTS = [
    Test(
        "monitor: help, kerninfo, backtrace", 10,
        Machine(
            cpu="qemu64,+smep,+umip",
            typed=("help\r", "kerninfo\r", kerninfo_is_true, "backtrace\r", "exit\r"),
        ),
        (
            "K> help", re.compile(r" *help\b.+"), re.compile(r" *kerninfo\b.+"), re.compile(r" *exit\b.+"),
            "K> kerninfo",
            "Started by: PVH", "Command line: ", re.compile("Processor: AuthenticAMD, .*"),
            "  has: NX, PGE, SMEP, UMIP, a hypervisor", *opening(256 * MB),
            re.compile("Pages: 65504, free: 65[0-4].."),
            "K> backtrace", re.compile(r" *#0 +0xffff[0-9a-f]{12}.*"),
            "K> exit",
        ),
        tags=("monitor",),
    ),
    Test(
        "monitor: unknown command", 5, Machine(typed=("frobnicate now\r", "exit 0\r")),
        ("K> frobnicate now", "Unknown command 'frobnicate'", "K> exit 0"), tags=("monitor",),
    ),
    Test(
        "monitor: exit 3 is a failure", 5, Machine(typed=("exit 3\r",)),
        (*WELCOME, "K> exit 3", "Exit code 3"), status=FAILURE, tags=("monitor",),
    ),
    *(
        Test(
            f"monitor: reboot, {title}", 5,
            Machine(board=board, cpu="qemu64", options=LOG_RESETS, typed=("reboot\r",)),
            (*WELCOME, "K> reboot"), resets=way, tags=("monitor", "board"),
        )
        for title, board, way in (
            ("pc without a keyboard controller", "pc,i8042=off", BY_PORT),
            ("q35 without a keyboard controller", "q35,i8042=off", BY_PORT),
            ("a PC without a chipset's reset control", "isapc", BY_PORT),
            ("microvm, which has neither", "microvm", BY_TRIPLE_FAULT),
        )
    ),
    Test(
        # No Rust object may end where the address space ends.
        "monitor: the window's last frame is nobody's", 5,
        Machine(memory="300M", typed=("memmap\r", "dump -p 0xfffeff0 32\r", "exit\r")),
        (
            "K> memmap", "  0x000000000ffff000-0x000000000fffffff the window's end, never given out, 4 KB",
            "K> dump -p 0xfffeff0 32", re.compile(r"000000000fffeff0: .*"),
            "000000000ffff000-000000000ffff00f: no RAM, or out of reach: left alone", "K> exit",
        ),
        tags=("monitor", "memory"),
    ),
    Test(
        "monitor: hostile input", 5,
        Machine(
            typed=(
                "\b\b\b\x7f\r", "x" * 3000 + "\r", "\x00\x01\x1b[A\x1b[999;999H\xff\xfe\r", " a" * 500 + "\r",
                "exxxit\b\b\b\b\x7fxit 4" + "\b" * 99 + "help\r", "exit 99999999999999999999\r", "\r\n\t \r", "exit\r",
            )
        ),
        (
            *WELCOME, TOO_LONG, "Unknown command '\ufffd\ufffd'", TOO_LONG, re.compile(r"help \[COMMAND\] .*"),
            "usage: exit [CODE]", "K> exit",
        ),
        (re.compile(".*panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: lines of any length, run or refused whole", 5,
        Machine(
            typed=(
                "exit 3" + " " * 20_000 + "\r", "exit 3" + " " * 250 + "\b\r", "translate " + "0" * 245 + "\r",
                "\x04", "exit\r",
            )
        ),
        (
            *WELCOME, TOO_LONG, TOO_LONG, re.compile(r"K> .*translate 0{245}"), re.compile(r'0x0 in ".*"'),
            "K> ^D", "Type 'exit' to leave QEMU.", "K> exit",
        ),
        (re.compile(".*panic.*"),), tags=("monitor",),
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
            "0x0000000000000000-0x00007fffffffffff not mapped",
            "0x0000800000000000-0xffff7fffffffffff not canonical",
            "0xffff800000000000-0xfffffe7fffffffff not mapped",
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
                "tr\tlibjos::pmap::mem_in\t\r", "translate mem_init+4\r",
                "show\tKERNB\t+0x1000\r", "dump\x15exit 7\x03", "exit\r",
            )
        ),
        (
            *WELCOME, "uptime", "Display the time since the kernel began.",
            "Unknown command 'uptim'",
            *(
                line for name, offset in (("libjos::pmap::mem_init", ""), ("mem_init+4", r"\+0x4"))
                for line in (
                    f"K> translate {name}",
                    re.compile(rf'{HEX} in "window on physical memory" \(kernel code, libjos::pmap::mem_init{offset}\)'),
                )
            ),
            "K> showmappings KERNBASE+0x1000",
            "0xfffffffff0001000-0xfffffffff0001fff -> 0x000001000 -rw-g 4 KB 4K",
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
            # The entry of KERNBASE's table: accessed, writable, for the user too, present.
            re.compile(r"0000000000[0-9a-f]{3}ff8: 27[0-9a-f]{2} [0-9a-f]{4} 0000 0000  .*"),
            re.compile(r"\x1b\[2J\x1b\[HK> checks -f"), *CHECKS, "K> exit",
        ),
        (re.compile(r"kernel panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: bad words are named; a fault by its name", 5,
        Machine(
            typed=(
                "page sideways\r", "page on\r", "page of\t\r", "page\r", "page auto\r", "page\r",
                "exit 256\r", "uptime now\r", "help me\r", "setperm 0x400000 u\r", "alloc 65\r",
                "translate KERNBASE\r", "fault nonsense\r", "fault\r", "fault divi\t\r",
            )
        ),
        (
            *WELCOME, '"sideways" is not on, off or auto', "usage: page [on|off|auto]", "off", "auto",
            '"256" is not a number from 0 to 255', "usage: exit [CODE]", '"now" is one word too many', "usage: uptime",
            "Unknown command 'me'", '"u" is not + or - and letters of r, w, x, u, g', "usage: setperm [-f] VA +w -u ...",
            "alloc gives out 64 pages at most at a time, so 64 more now",
            re.compile(r" \+-> 0x[0-9a-f]+\[511\] = 0x[0-9a-f]{16}  table at 0x[0-9a-f]+ urwx-"),
            '"nonsense" is not a fault; `fault` lists them', "usage: fault [NAME]", "read-null", "fault-in-report",
            re.compile(r"kernel panic at .*: divide error \(#DE, vector 0\)"),
            re.compile(r"  #0  0x\w{16} kernel::arch::x86::faults::divide.*"),
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
]
