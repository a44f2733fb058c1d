"""The words of gdb's `jos` commands in the graded tests: patterns, and in what those of one machine differ.

Addresses in the kernel's image and right behind it move with every change of the kernel, so they are patterns; values
that follow from the map, the format and 256 MB of RAM are exact.
"""

import re
from typing import NamedTuple

from arch import ARCH, LONG_MODE, NX
from tableformat import PAGE

PA = "0x[0-9a-f]+"
SOURCE_LINE = r"\d+\t.+"  # as gdb shows it


def session(*rows):
    """(commands, patterns) of rows, each a command and patterns for lines that it prints, in order.

    Each command is printed before it runs, so that a line counts only as the answer to its own command.
    """
    commands, patterns = [], []
    for command, *answers in rows:
        commands += ["echo (gdb) {}\\n".format(command.replace('"', '\\"')), command]
        patterns += [re.escape(f"(gdb) {command}"), *answers]
    return tuple(commands), tuple(re.compile(pattern) for pattern in patterns)


FORM, TOP = ARCH.map.form, ARCH.top_level
ENTRIES = 1 << FORM.index_bits
ENTRY = f"0x[0-9a-f]{{{2 * FORM.entry_bytes}}}"  # an entry's value
VA = f"0x[0-9a-f]{{{ARCH.digits}}}"  # a virtual address
# The beginning of the addresses of the window at KERNBASE, and the addresses of the kernel's image.
WINDOW = ARCH.address(ARCH.kernbase)[:-7]
IMAGE = rf"{WINDOW}0[0-9a-f]{{6}}"


def level(number, va, flags, leads):
    """A line of `jos walk VA`."""
    return rf"  level {number} \[ *{index(number, va)}\] at {PA}: {ENTRY}  {flags} +{leads}"


def absent(number, va):
    """A line of `jos walk VA` for an absent entry, where the walk ends."""
    return rf"  level {number} \[ *{index(number, va)}\] at {PA}: {ENTRY}  not present"


def index(number, va):
    """The entry of a table of a level that maps an address."""
    return va // FORM.span(number) % ENTRIES


def tables(down_to, va, flags):
    """The lines of `jos walk VA` for the tables from the root down to a level."""
    return tuple(level(number, va, flags, TABLE) for number in range(TOP, down_to - 1, -1))


def walk(name, directory):
    """The first line of `jos walk`."""
    return rf"{VA} \({name}.*\), walked from {directory} at {PA}.*"


def address(number):
    """A virtual address, as gdb's jos commands show it."""
    return re.escape(ARCH.address(number))


def run(first, last, pa, perm, size):
    """A run of pages, as `jos map` and `jos diff` show it."""
    return rf"{address(first)}\.\.{address(last)} -> {ARCH.physical(pa)} {perm} +{size}"


def frame(number):
    """The addresses of a frame, as `jos page` shows them."""
    return rf"{PHYS_BASE + number * PAGE:#x}\.\.{PHYS_BASE + number * PAGE + PAGE - 1:#x}"


def underscored(number):
    """An address as `jos layout` writes it, in groups of four digits."""
    return "0x" + "_".join(re.findall("....", ARCH.plain(number)))


XD = " XD" if ARCH.has(LONG_MODE) else ""  # A bit of x86-64 withholds execution.
KRW, KRX, KR, KRWX, UR, URW = (ARCH.perm(text) for text in ("-rw-g", "-r-xg", "-r--g", "-rwx-", "ur---", "-rw--"))
KERNBASE, UPAGES, UVPT, KSTACK, LAST = ARCH.kernbase, ARCH.upages, ARCH.map.uvpt, ARCH.kstack, ARCH.map.last
PHYS_BASE, NPAGES = ARCH.map.phys_base, ARCH.npages
BELOW_IMAGE = ARCH.image - PHYS_BASE  # bytes of the window
LARGE = ARCH.size(FORM.span(1))
TABLE = rf"table at {PA}"
STAYS = r"  It changed nothing in tables and counts\."
NO_PAGES = r"`pages` is not known yet: mem_init has not allocated it\."
NO_KERN_PGDIR = r"kern_pgdir is not known yet: mem_init has not allocated it\."
NOTE = () if ARCH.has(NX) else (rf"Execution \(x\) cannot be withheld: the page tables of {FORM.name} have no .*",)

# Steps by single instructions, with a stop at each.
STEP_TO = 'python while gdb.newest_frame().name() != "{}": gdb.execute("stepi", to_string=True)'
STEP_TO_WRMSR = (
    'python while bytes(gdb.selected_inferior().read_memory(gdb.parse_and_eval("$pc"), 2)) != bytes((0x0F, 0x30)): '
    'gdb.execute("stepi", to_string=True)'
)


class Words(NamedTuple):
    """A machine's own words. Flags are the bits of entries by name, as patterns."""

    init: str  # the names of what calls mem_init, and of its first step
    trap: str  # the stub of traps
    # entry_pgdir: flags of entries that lead to tables, and of large pages; its tables; where the run that shows the
    # window in the lower half begins, as `jos map` lists it.
    entry_table: str
    entry_large: str
    entry_tables: str
    low_window: int
    # kern_pgdir: flags of entries that lead to tables; the page at KERNBASE, its level and flags; the window's pages
    # below the image; how many entries of the root are present; its tables at the end.
    table: str
    first_level: int
    first_flags: str
    below: str
    root_entries: int
    kern_tables: int
    # The free list: its first run; its last page; and a page that is held back.
    first_run: str
    last_free: int
    held: int
    no_paging: str  # why there is no translation at reset
    to_paging: tuple  # two times rows of a session: to the kernel's entry, and from there until paging is on
    switch: tuple  # the lines of the step that loads kern_pgdir
    # Faults: what holds the kernel to write-protection; the processor's own words for a write, a read and a fetch; the
    # trap that the end of the stack raises; another kind, by the value of test= and the number.
    write_holds: str
    write_code: str
    read_code: str
    fetch_code: str
    stack: str
    other: tuple


PC_WORDS = {
    "init": "i386_init i386_detect_memory", "trap": "trap_common",
    "entry_table": "P W( A)?", "entry_large": "P W( A D)? PS", "low_window": 0x80_0000,
    "table": "P W U( A)?", "first_level": 0, "first_flags": f"P W( A)?( D)? G{XD}", "below": "1 MB by 4 KB",
    "first_run": r"pages \d+\.\.158 from 0x\d000", "last_free": 65503, "held": 159,
    "no_paging": r"paging is off \(CR0\.PG is 0\): every address is physical",
    "switch": (r"  CR0: \+WP", rf"  CR3: {PA} -> {PA}", r"  CR4: \+PGE"),
    "write_holds": r", and CR0\.WP holds the kernel to that",
    "write_code": "error code 0x3: P=1 W=1 U=0 RSVD=0 I=0", "read_code": "error code 0x0: P=0 W=0 U=0 RSVD=0 I=0",
    "fetch_code": "error code 0x11: .*", "stack": "a double fault",
}
PC_ENTRY = (
    ("tbreak *pvh_start",), ("continue", r"Temporary breakpoint 1, .* in pvh_start \(\)"),
    ("stepi", r".* in pvh_start \(\)"), ("print $cr0", r"\$1 = \[.* PE \]"),
)
SATP = "0x8000000000080[23][0-9a-f]{2}"
WORDS = {
    "x86_64": Words(
        **PC_WORDS, entry_tables="5 tables", root_entries=3, kern_tables=9, other=("non-canonical", 13),
        to_paging=(PC_ENTRY, (
            # A processor refuses EFER's reserved bits, in its upper half too; QEMU's own processors do not look there.
            (STEP_TO_WRMSR,), ("print/x $ecx", r"\$2 = 0xc0000080"), ("print/x $edx", r"\$3 = 0x0"),
            (STEP_TO.format("long_mode"),), ("print $cr0", r"\$4 = \[ PG .*PE \]"),
            ("print $efer", r"\$5 = \[ NXE LMA LME \]"), (STEP_TO.format("high_start"),),
        )),
    ),
    "i386": Words(
        **PC_WORDS, entry_tables="1 table", root_entries=67, kern_tables=4, other=("bad-selector", 13),
        to_paging=(PC_ENTRY, (
            (STEP_TO.format("high_start"),), ("print $cr0", r"\$2 = \[ PG .*PE \]"), ("print $cr4", r"\$3 = \[ PSE \]"),
        )),
    ),
    "riscv64": Words(
        init="kernel_main detect_memory", trap="trap_entry",
        entry_table="V", entry_large="V R W X A D", entry_tables="4 tables", low_window=PHYS_BASE,
        table="V", first_level=1, first_flags="V R W G A D", below="2 MB by 2 MB", root_entries=2, kern_tables=7,
        first_run=r"pages 128\.\.511 from 0x80080000", last_free=65534, held=65535,
        no_paging="the hart is in machine mode: every address is physical",
        to_paging=(
            (("tbreak *0x80200000",), ("continue", "Temporary breakpoint 1, .*"), ("print $priv", r"\$1 = 1"),
             ("stepi",), ("print/x $satp", r"\$2 = 0x0")),
            (("tbreak *high_start",), ("continue", r"Temporary breakpoint 2, .* in high_start \(\)"), ("stepi",),
             ("print/x $satp", rf"\$3 = {SATP}")),
        ),
        switch=(r"  sstatus: \+FS=0x1", rf"  satp: {SATP} -> {SATP}"),
        write_holds="", write_code="scause 15: SPP=1 SUM=0 MXR=0", read_code="scause 13: SPP=1 SUM=0 MXR=0",
        fetch_code="scause 12: SPP=1 SUM=0 MXR=0", stack="a trap on an unusable stack", other=("invalid-opcode", 2),
    ),
}[ARCH.name]

# KERNBASE under entry_pgdir, which maps it by large pages, and under kern_pgdir.
ENTRY_WALK = (
    walk("KERNBASE", "entry_pgdir"), *tables(2, KERNBASE, WORDS.entry_table),
    level(1, KERNBASE, WORDS.entry_large, f"{LARGE} page at {PHYS_BASE:#x}"),
    rf"  It stops at a page of {LARGE}: physical {PHYS_BASE:#x}, {KRWX}\.",
)
FIRST = ARCH.size(FORM.span(WORDS.first_level))
KERN_WALK = (
    walk("KERNBASE", "kern_pgdir"), *tables(WORDS.first_level + 1, KERNBASE, WORDS.table),
    level(WORDS.first_level, KERNBASE, WORDS.first_flags, f"{FIRST} page at {PHYS_BASE:#x}"),
    rf"  It stops at a page of {FIRST}: physical {PHYS_BASE:#x}, {KRW}\.",
)
