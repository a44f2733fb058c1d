"""The graded tests of the monitor: its commands, its line editor, its pager."""

import re
from typing import NamedTuple

import reading
from arch import ARCH, HALVES, NX, PC
from consoletests import FIRST_PAGE
from control import require
from gradelib import BY_DEVICE, BY_TRIPLE_FAULT, FAILURE, LOG_RESETS, Machine, Test, compare
from reports import REPORT
from words import CHECKS, DIGITS, HEX, KERNEL, MB, MB_1, NO_EXECUTE, WELCOME, WINDOW, opening, span


class Processor(NamedTuple):
    """The words of `kerninfo` about a machine."""

    cpu: str
    loader: str
    lines: tuple  # patterns


PROCESSOR = Processor(
    "qemu64,+smep,+umip", "PVH", ("Processor: AuthenticAMD, .*", "  has: NX, PGE, SMEP, UMIP, a hypervisor"),
) if ARCH.has(PC) else Processor("", "device tree", ("Processor: RISC-V, with Sv39", "  rv64imafdch.*"))
# The words about pages that need not be executed, and the mark of such pages in `map`.
ALSO, MARK = ("", "") if ARCH.has(NX) else (", execute", "X")


def kerninfo_is_true(control):
    """Compares the output of `kerninfo` with the kernel's symbols."""
    symbols = control.bench.symbols()

    def symbol(name):
        return f"  {name:<8} {ARCH.address(symbols[name])} (virt) {symbols[name] - ARCH.window(0):#010x} (phys)"

    def section(name, start, end, what):
        size = (symbols[end] - symbols[start]) // 1024
        return f"  {name:<8} {ARCH.address(symbols[start])} {size:>6} KB  {what}"

    size = -(-(symbols["end"] - symbols["entry"]) // 1024)
    wanted = (
        "Special kernel symbols:", f"  _start   {'':{2 + ARCH.digits}}        {symbols['_start']:#010x} (phys)",
        *map(symbol, ("entry", "etext", "edata", "end")), "Sections, in whole pages:",
        section("text", "stext", "text_end_exclusive", "code: read, execute"),
        section("rodata", "text_end_exclusive", "rodata_end_exclusive", f"constants: read{ALSO}"),
        section("data", "rodata_end_exclusive", "end", f"data, bss, stacks: read, write{ALSO}"),
        re.compile(r"  of the constants, \d+ KB are \d+ names and the source lines"),
        f"Kernel executable memory footprint: {size}KB",
    )
    said = control.output.decode().replace("\r", "").split("\n")
    complaints = compare(wanted, said[said.index(wanted[0]) :][: len(wanted)], True)
    require(not complaints, "; ".join(complaints))


def dump_span(start, last):
    """A range of addresses as `dump` shows it."""
    return f"{ARCH.plain(start)}-{ARCH.plain(last)}"


def root_index(va):
    """The index of the root's entry for an address."""
    return (va & (1 << ARCH.map.form.va_bits) - 1) // ARCH.ptsize


def translated(va):
    """The line of `translate` with the parts of an address."""
    form = ARCH.map.form
    indices = [va // form.span(level) % (1 << form.index_bits) for level in reversed(range(form.levels))]
    parts = [f"0x{va >> form.va_bits:x}"] if ARCH.has(HALVES) else []
    parts += [*map(str, indices), f"0x{va % 4096:x}"]
    return "|" + "|".join(f"{part:^11}" for part in parts) + "|"


LAST, UTEMP = ARCH.map.last, 0x40_0000
START = ARCH.map.phys_base
END = START + ARCH.map.window  # of the physical memory in the window
# An address that is not canonical, and the answer of `translate`; on other machines it is too large.
NON_CANONICAL = ARCH.map.lower_end if ARCH.has(HALVES) else 0x8000_0000_0000
NO_WALK = re.compile(" the walk cannot begin: .*") if ARCH.has(HALVES) else f"{NON_CANONICAL:#x} is too large"
# The first lines of `showmappings` for all addresses.
FIRST_GAPS = (
    (
        f"{span(0, NON_CANONICAL - 1)} not mapped",
        f"{span(NON_CANONICAL, ARCH.map.upper_start - 1)} not canonical",
        f"{span(ARCH.map.upper_start, ARCH.upages - 1)} not mapped",
    )
    if ARCH.has(HALVES) else (f"{span(0, ARCH.upages - 1)} not mapped",)
)
# An offset in the window where no RAM is, and lines of `cr`.
NO_RAM = 0xB_8000 if ARCH.has(PC) else 0x4000
CONTROL = (
    "     16  WP         1  write protection: read-only pages bind the kernel too",
    *(("     11  NXE        1  no-execute pages: bit 63 of an entry counts",) if ARCH.has(NX) else ()),
) if ARCH.has(PC) else (
    "     18  SUM        0  the kernel may access user pages",
    "     19  MXR        0  pages that may be executed may be read",
    "  63:60  MODE       0x8  paging: 0 is none, 8 to 10 have 3 to 5 levels",
)
# The entry of KERNBASE's table in kern_pgdir.
ENTRY_AT = root_index(ARCH.kernbase) * ARCH.map.form.entry_bytes
UPPER_HALF = "0000 0000" if ARCH.map.form.entry_bytes == 8 else "[0-9a-f]{4} [0-9a-f]{4}"
# The lowest byte of an entry for a table: on PCs accessed, writable, for the user too, present.
TABLE_ENTRY = "27" if ARCH.has(PC) else "01"
# Lines of `memmap`: of the loader's map and of what became of it; and the end of the highest free memory.
MEMORY_MAP = (
    (f"  {span(0, 0x9_FBFF)} RAM, 639 KB",),
    (
        re.compile(rf"  {span(0x3000, 0x9_EFFF)} page_alloc's: \d+ free, \d+ in use"),
        f"  {span(0xA_0000, 0xF_FFFF)} the hole for devices, 384 KB",
    ),
    0xFFD_FFFF,
) if ARCH.has(PC) else (
    (f"  {span(START, START + 0xFFF_FFFF)} RAM, 256 MB", f"  {span(START, START + 0x7_FFFF)} reserved, 512 KB"),
    (
        f"  {span(START + 0x1000, START + 0x7_FFFF)} no RAM, 508 KB",
        re.compile(rf"  {span(START + 0x8_0000, ARCH.image - 1)} page_alloc's: \d+ free, \d+ in use"),
    ),
    START + 0xFFF_EFFF,
)
# The kernel's code, and the last large page, as lists of mappings show them.
TEXT, LAST_ENTRY = ARCH.address(ARCH.window(ARCH.image)), ARCH.address(LAST + 1 - ARCH.map.form.span(1))
# The first page that `alloc` gives out.
PAGE = f"{ARCH.first_page:#x}"
TOO_LONG = "a line of more than 255 bytes is refused whole"

TESTS = [
    Test(
        "monitor: help, kerninfo, backtrace", 10,
        Machine(
            cpu=PROCESSOR.cpu,
            typed=("help\r", "kerninfo\r", kerninfo_is_true, "backtrace\r", "exit\r"),
        ),
        (
            "K> help", re.compile(r" *help\b.+"), re.compile(r" *kerninfo\b.+"), re.compile(r" *exit\b.+"),
            "K> kerninfo",
            f"Started by: {PROCESSOR.loader}", "Command line: ", *map(re.compile, PROCESSOR.lines), *opening(256 * MB),
            re.compile(f"Pages: {ARCH.npages}, free: 6(4[5-9]|5[0-4]).."),
            "K> backtrace", re.compile(rf" *#0 +{KERNEL}.*"),
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
            Machine(board=board, cpu=cpu, options=LOG_RESETS, typed=("reboot\r",)),
            (*WELCOME, "K> reboot"), resets=way, tags=("monitor", "board"),
        )
        for title, board, cpu, way in (
            ("pc without a keyboard controller", "pc,i8042=off", "qemu64", BY_DEVICE),
            ("q35 without a keyboard controller", "q35,i8042=off", "qemu64", BY_DEVICE),
            ("a PC without a chipset's reset control", "isapc", "qemu64", BY_DEVICE),
            ("microvm, which has neither", "microvm", "qemu64", BY_TRIPLE_FAULT),
            *(() if ARCH.has(PC) else ((ARCH.board, "", "", BY_DEVICE),)),
        )
    ),
    Test(
        # No Rust object may end where the address space ends.
        "monitor: the window's last frame is nobody's", 5,
        Machine(memory="300M", typed=("memmap\r", f"dump -p {END - 0x1010:#x} 32\r", "exit\r")),
        (
            "K> memmap", f"  {span(END - 0x1000, END - 1)} the window's end, never given out, 4 KB",
            f"K> dump -p {END - 0x1010:#x} 32", re.compile(rf"{ARCH.plain(END - 0x1010)}: .*"),
            f"{dump_span(END - 0x1000, END - 0xFF1)}: no RAM, or out of reach: left alone", "K> exit",
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
                "dump 0xffffffffffffffffffff\r", f"dump {LAST - 15:#x} 17\r", "showmappings 2 1\r",
                "translate KERNBASE+0x10000000\r", "translate beef\r", "alloc 99999999999999999999\r", "dump -1\r",
                f"showmappings 0 {LAST:#x}\r", f"translate {NON_CANONICAL:#x}\r", "pages\r", "exit\r",
            )
        ),
        (
            *WELCOME,
            "0xffffffffffffffffffff is too large", "usage: dump [-p|-e ID] ADDRESS [N]",
            f"0x11 bytes at {LAST - 15:#x} go beyond the last address",
            "the range ends before it begins: 0x2, 0x1", "usage: showmappings [-e ID] LO [HI]",
            "KERNBASE+0x10000000 is too large", "usage: translate [-e ID] VA",
            'unknown name "beef" (a hexadecimal number begins with 0x)',
            "99999999999999999999 is too large", "usage: alloc [N]",
            'something is missing in "-1"',
            *FIRST_GAPS, NO_WALK,
            f"   {ARCH.npages} pages are described, {ARCH.size(ARCH.npages * 4096)}", "K> exit",
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
                    re.compile(rf"{HEX} in {WINDOW} \(kernel code, libjos::pmap::mem_init{offset}\)"),
                )
            ),
            "K> showmappings KERNBASE+0x1000",
            FIRST_PAGE,
            "K> exit",
        ),
        (re.compile(".*panic.*"),), tags=("monitor",),
    ),
    Test(
        "monitor: what is mapped where", 10,
        Machine(
            typed=(
                "map\r", "translate KSTACKTOP-1\r", "vmprint\r", "showmappings KSTACKTOP-0x9000 KSTACKTOP\r",
                "dump KSTACKTOP-0x8008 16\r", f"dump KERNBASE+{NO_RAM:#x} 16\r", "cr\r", "exit\r",
            )
        ),
        (
            *WELCOME,
            f"{ARCH.address(ARCH.kernbase)} RW/-- window on physical memory",
            re.compile(rf"  {TEXT}-{HEX} -> {ARCH.physical(ARCH.image)} -r-xg \d+ KB 4K X"),
            f"{ARCH.address(ARCH.kstack - 0x8000)} --/-- guard gap",
            re.compile(rf"  {ARCH.address(ARCH.upages)}-{HEX} -> 0x[0-9a-f]+ {ARCH.perm('ur---')} 512 KB 4K ?{MARK}"),
            'K> translate KSTACKTOP-1', translated(ARCH.kstacktop - 1),
            re.compile(
                rf"{' ' * (2 * ARCH.top_level + 1)}\+-> 0x[0-9a-f]+\[\d+\] = {NO_EXECUTE}  4 KB page at 0x[0-9a-f]+ "
                rf"{ARCH.perm('-rw-g')}.*"
            ),
            re.compile(rf"page table {HEX}"),
            f"{span(ARCH.kstack - 0x1000, ARCH.kstack - 1)} not mapped",
            re.compile(rf"{span(ARCH.kstack, ARCH.kstacktop - 1)} -> .* {ARCH.perm('-rw-g')} 32 KB 4K"),
            f"{dump_span(ARCH.kstack - 8, ARCH.kstack - 1)}: not mapped",
            re.compile(rf"{ARCH.plain(ARCH.kstack)}: 0000 0000 0000 0000 .*"),
            f"{dump_span(ARCH.kernbase + NO_RAM, ARCH.kernbase + NO_RAM + 15)}: no RAM, or out of reach: left alone",
            *CONTROL, "K> exit",
        ),
        (re.compile(r"kernel panic.*"), re.compile(r".{81,}")), tags=("monitor",),
    ),
    Test(
        "monitor: playing with pages", 10,
        reading.read(
            Machine(typed=(
                "alloc\r", f"insert UTEMP {PAGE} +w +u\r", f"pages {PAGE}\r", "setperm UTEMP -u\r", "checks\r",
                f"free {PAGE}\r", "remove UTEMP\r", "remove UTEMP\r", f"insert KERNBASE {PAGE}\r",
                "setperm KERNBASE -w\r", f"free {START:#x}\r", f"insert UTEMP {PAGE}\r", "checks\r", "exit\r",
            )),
            again=True,
        ),
        (
            *WELCOME, f"page {PAGE}, pp_ref 1", f"0x400000 -> {PAGE} {ARCH.perm('urw--')}, pp_ref 2",
            f'  {ARCH.address(UTEMP)} {ARCH.perm("urw--")} in a 4 KB page, "temporary mappings"',
            f"0x400000: {ARCH.perm('urw--')} -> {ARCH.perm('-rw--')}",
            "0x400000 is mapped, and check_kern_pgdir would panic: remove it, or use -f",
            f"page {PAGE} is still mapped: pp_ref 1", f"0x400000 is not mapped any more; page {PAGE} is free",
            "0x400000 is not mapped",
            *[f"{ARCH.kernbase:#x} is the kernel's (UTOP and above); with -f, at your own risk"] * 2,
            f"page {START:#x} is not one of alloc's; with -f, at your own risk",
            f"page {PAGE} is free already", "K> checks", *CHECKS, "K> exit",
        ),
        (re.compile(r"kernel panic.*"),), verdicts=reading.SUBJECTS, tags=("monitor",),
    ),
    Test(
        "monitor: the loader's memory, the free list, a frame", 5,
        Machine(typed=(
            "memmap\r", "freelist 2\r", f"dump -p kern_pgdir+{ENTRY_AT:#x} 8\r", "clear\rchecks -f\r", "exit\r",
        )),
        (
            *WELCOME, "The loader's memory map:", *MEMORY_MAP[0], "What became of it:",
            f"  {span(START, START + 0xFFF)} page 0, never given out, 4 KB", *MEMORY_MAP[1],
            re.compile(rf"  {MB_1}\w{{5}}-{MB_1}\w{{5}} kern_pgdir, 4 KB"),
            re.compile(rf"  {HEX}-{ARCH.address(MEMORY_MAP[2])} page_alloc's: \d+ free, 0 in use"),
            re.compile(r"page_free_list: \d+ pages, \d+ KB"), re.compile(r"  and \d+ more pages"),
            # The entry of KERNBASE's table.
            re.compile(rf"{DIGITS}(?<={ENTRY_AT:03x}): {TABLE_ENTRY}[0-9a-f]{{2}} [0-9a-f]{{4}} {UPPER_HALF}  .*"),
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
                "translate KERNBASE\r", "fault nonsense\r", "fault\r", "fault invali\t\r",
            )
        ),
        (
            *WELCOME, '"sideways" is not on, off or auto', "usage: page [on|off|auto]", "off", "auto",
            '"256" is not a number from 0 to 255', "usage: exit [CODE]", '"now" is one word too many', "usage: uptime",
            "Unknown command 'me'", '"u" is not + or - and letters of r, w, x, u, g',
            "usage: setperm [-f] VA +w -u ...",
            "alloc gives out 64 pages at most at a time, so 64 more now",
            re.compile(rf" \+-> 0x[0-9a-f]+\[{root_index(ARCH.kernbase)}\] = {HEX}  table at 0x[0-9a-f]+ urwx-"),
            '"nonsense" is not a fault; `fault` lists them', "usage: fault [NAME]", "read-null", "fault-in-report",
            re.compile(rf"kernel panic at .*: {REPORT.invalid_opcode}"),
            re.compile(rf"  #0  {KERNEL} {ARCH.faults}::invalid_opcode.*"),
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
        (re.compile(r"kernel panic.*"), re.compile(rf".*{LAST_ENTRY}: pte .*")), tags=("monitor",),
    ),
]
