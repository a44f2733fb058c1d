"""The graded tests of gdb and of its `jos` commands (tools/gdb): their output at named points of mem_init.

Addresses in the kernel's image and right behind it move with every change of the kernel, so they are patterns; values
that follow from the map, the format and 256 MB of RAM are exact. Those that follow from the map or the format are
the machine's (arch.py).
"""

import re
from dataclasses import replace
from pathlib import Path

import tour
from arch import ARCH, HALVES, LONG_MODE, NX
from gradelib import FAILURE, Machine, Test
from words import boots

PA = "0x[0-9a-f]+"
SOURCE_LINE = r"\d+\t.+"  # as gdb shows it
DETACHED = re.compile(r"\[Inferior 1 \(process 1\) detached\]")


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


def underscored(number):
    """An address as `jos layout` writes it, in groups of four digits."""
    return "0x" + "_".join(re.findall("....", ARCH.plain(number)))


# An entry that withholds execution has XD, if the machine has that.
XD = " XD" if ARCH.has(NX) else ""
KRW, KRX, KR, KRWX, UR, URW = (ARCH.perm(text) for text in ("-rw-g", "-r-xg", "-r--g", "-rwx-", "ur---", "-rw--"))
KERNBASE, UPAGES, UVPT, KSTACK, LAST = ARCH.kernbase, ARCH.upages, ARCH.map.uvpt, ARCH.kstack, ARCH.map.last
EXTENDED = 1 << 20  # where the kernel's image is loaded
LARGE = ARCH.size(FORM.span(1))
TABLE = rf"table at {PA}"
STAYS = r"  It changed nothing in tables and counts\."
NO_PAGES = r"`pages` is not known yet: mem_init has not allocated it\."
NO_KERN_PGDIR = r"kern_pgdir is not known yet: mem_init has not allocated it\."
NOTE = () if ARCH.has(NX) else (rf"Execution \(x\) cannot be withheld: the page tables of {FORM.name} have no .*",)
PAGING_OFF = r"Now paging is off \(CR0\.PG is 0\): every address is physical\..*"

# KERNBASE under entry_pgdir, which maps it by large pages, and under kern_pgdir, which does not.
ENTRY_WALK = (
    walk("KERNBASE", "entry_pgdir"), *tables(2, KERNBASE, "P W( A)?"),
    level(1, KERNBASE, "P W( A D)? PS", f"{LARGE} page at 0x0"),
    rf"  It stops at a page of {LARGE}: physical 0x0, {KRWX}\.",
)
KERN_WALK = (
    walk("KERNBASE", "kern_pgdir"), *tables(1, KERNBASE, "P W U( A)?"),
    level(0, KERNBASE, f"P W( A)?( D)? G{XD}", "4 KB page at 0x0"),
    rf"  It stops at a page of 4 KB: physical 0x0, {KRW}\.",
)

MEM_INIT = session(
    ("break mem_init", rf"Breakpoint 1 at {IMAGE}: file .*\.rs, line \d+\."),
    ("continue", r"Breakpoint 1, .*mem_init.*"),
    ("backtrace 1", r"#0 .*mem_init.*\.rs:\d+"),
    ("next", SOURCE_LINE),
    ("print npages", r"\$1 = 65504"),
    ("next", SOURCE_LINE),
    ("tbreak boot_alloc",),
    ("continue", r"Temporary breakpoint 2, .*boot_alloc.*"),
    ("finish", r"Value returned is \$2 = PhysAddr\(0x[0-9a-f]+000\)"),
    ("next", SOURCE_LINE),
    ("print kern_pgdir", r"\$3 = PhysAddr\(0x[0-9a-f]+000\)"),
    ("break check_page",),
    ("continue", r"Breakpoint 3, .*check_page.*"),
    ("up",),
    ("print npages", r"\$4 = 65504"),
    ("print kern_pgdir", r"\$5 = PhysAddr\(0x[0-9a-f]+000\)"),
    ("print pages[0]", r"\$6 = PageInfo\(reserved, pp_ref 1\)"),
    ("print pages[65503]", r"\$7 = PageInfo\(free, the last on the list\)"),
    *((f"info line {name}", rf'Line \d+ of ".*\.rs" starts at address {IMAGE} .*')
      for name in "boot_map_region page_insert page_alloc readline trap i386_init i386_detect_memory".split()),
)

# The globals are read at reset, before they exist; while mem_init runs, in functions of each kind; at the prompt, a
# frame up, and on the second processor, which waits in the firmware without paging.
FIRST_STOPS = "kernel_main mem_init detect_memory boot_alloc".split()
LATER_STOPS = """
page_init check_page_free_list check_page_alloc page_free check_page page_alloc page_insert pgdir_walk page_lookup
page_remove tlb_invalidate page_decref boot_map_region check_kern_pgdir check_page_installed_pgdir trap readline
""".split()
VALUE = r"\$\d+ = "
CONSTANTS = (
    ("print UPAGES", VALUE + rf"\(.*\) {UPAGES:#x}"),
    ("print PGSIZE", VALUE + "4096"),
)
GLOBALS = (
    *CONSTANTS,
    ("print npages", VALUE + "65504"),
    ("print kern_pgdir", VALUE + r"PhysAddr\(0x[0-9a-f]+000\)"),
    ("print pages[65503]", VALUE + r"PageInfo\(.*\)"),
    ("print page_free_list", VALUE + r"Frame\((\d+ = 0x[0-9a-f]+000|none)\)"),
)


def stop_at(name):
    """Rows of a session: a plain name has one place, in our own crates, and a stop there shows it."""
    return (
        (f"tbreak {name}", rf"Temporary breakpoint \d+ at {IMAGE}: file (kernel|libjos)/src/.*\.rs, line \d+\."),
        ("continue", rf".*Temporary breakpoint \d+, .*::{name}(<.*>)? \(.*\) at (kernel|libjos)/src/.*\.rs:\d+"),
    )


def stops(names, rows):
    """Rows of a session: the rows, repeated at each of these functions."""
    return (row for name in names for row in (*stop_at(name), *rows))


# The constants whose values in gdb and in the `jos` commands differ.
DIFFERING = "python from josgdb.stops import CONTEXT; " \
    "print([name for name, value in CONTEXT.facts.constants.items() if int(gdb.parse_and_eval(name)) != value])"

NAMES = session(
    *CONSTANTS,
    (DIFFERING, r"\[\]"),
    *stops(FIRST_STOPS, CONSTANTS),
    *stops(LATER_STOPS, GLOBALS),
    ("print pages[0]", VALUE + r"PageInfo\(reserved, pp_ref 1\)"),
    ("up",),
    *GLOBALS,
    (DIFFERING, r"\[\]"),
    ("thread 2", r"\[Switching to thread 2 .*\]"),
    *GLOBALS,
    ("print pages[0]", VALUE + r"PageInfo\(reserved, pp_ref 1\)"),
    ("jos page 0", r"page 0, 0x0\.\.0xfff: reserved, pp_ref 1"),
    ("jos freelist", r"page_free_list: 6[45]\d+ pages, \d+ KB",
     r"of 65504 pages: 6[45]\d+ free, \d+ in use, \d+ reserved"),
    ("jos page kern_pgdir", r"  It is kern_pgdir itself; .*"),
    ("thread 1",),
)

# Steps by single instructions, with a stop at each.
STEP_TO = 'python while gdb.newest_frame().name() != "{}": gdb.execute("stepi", to_string=True)'
STEP_TO_WRMSR = (
    'python while bytes(gdb.selected_inferior().read_memory(gdb.parse_and_eval("$pc"), 2)) != bytes((0x0F, 0x30)): '
    'gdb.execute("stepi", to_string=True)'
)
# The steps by which each machine turns paging on.
TO_PAGING = (
    # A processor refuses EFER's reserved bits, in its upper half too; QEMU's own processors do not look there.
    (STEP_TO_WRMSR,),
    ("print/x $ecx", r"\$2 = 0xc0000080"),
    ("print/x $edx", r"\$3 = 0x0"),
    (STEP_TO.format("long_mode"),),
    ("print $cr0", r"\$4 = \[ PG .*PE \]"),
    ("print $efer", r"\$5 = \[ NXE LMA LME \]"),
    (STEP_TO.format("high_start"),),
) if ARCH.has(LONG_MODE) else (
    (STEP_TO.format("high_start"),),
    ("print $cr0", r"\$2 = \[ PG .*PE \]"),
    ("print $cr4", r"\$3 = \[ PSE \]"),
)
# Every command at reset, before the kernel runs; in the 32-bit entry; step by step until paging is on.
BEFORE_PAGING = session(
    ("help jos", *(rf"jos {name} -- .*" for name in "diff freelist layout map page step walk why".split())),
    ("jos walk KERNBASE", PAGING_OFF),
    ("jos walk KERNBASE in kern_pgdir", NO_KERN_PGDIR),
    ("jos map", PAGING_OFF),
    ("jos page 0", NO_PAGES),
    ("jos freelist", NO_PAGES),
    ("jos diff", r"This is the first stop: there is nothing to compare with yet\."),
    ("jos why", r"No exception is being handled here; `break trap` stops at the next one\."),
    ("jos layout", rf" +KERNBASE, KSTACKTOP \+-+\+ {underscored(KERNBASE)}", PAGING_OFF),
    ("tbreak *pvh_start",),
    ("continue", r"Temporary breakpoint 1, .* in pvh_start \(\)"),
    ("stepi", r".* in pvh_start \(\)"),
    ("print $cr0", r"\$1 = \[.* PE \]"),
    ("jos walk KERNBASE", PAGING_OFF),
    ("jos walk KERNBASE in entry_pgdir", *ENTRY_WALK),
    *TO_PAGING,
    ("backtrace", r"#0  .* in high_start \(\)"),
    ("jos walk $pc", walk(r"KERNBASE\+0x1", "entry_pgdir"), *tables(2, KERNBASE, "P W( A)?")),
    ("jos diff", r"Nothing changed in tables, counts and control registers\."),
    ("jos freelist", NO_PAGES),
)

# The values of the directory, the tables and the array, before and after the switch of CR3.
VALUES = session(
    ("tbreak mem_init",),
    ("continue",),
    ("jos walk KERNBASE", *ENTRY_WALK),
    ("jos map", rf"entry_pgdir at {PA}: {'5 tables' if TOP > 1 else '1 table'}",
     "  " + run(0x80_0000, 0xFFF_FFFF, 0x80_0000, KRWX, f"248 MB by {LARGE}"),
     "  " + run(KERNBASE, LAST, 0, KRWX, f"256 MB by {LARGE}"), *NOTE),
    ("jos page kern_pgdir", NO_KERN_PGDIR),
    ("tbreak check_page_alloc",),
    ("continue",),
    ("jos walk UVPT in kern_pgdir", walk("UVPT", "kern_pgdir"), level(TOP, UVPT, f"P U{XD}", TABLE),
     absent(TOP - 1, UVPT)),
    ("jos freelist", r"page_free_list: 6[45]\d+ pages, \d+ KB", r"  pages \d+\.\.158 from 0x\d000, \d+ upwards",
     r"of 65504 pages: 6[45]\d+ free, 0 in use, \d+ reserved"),
    ("jos page 0", r"page 0, 0x0\.\.0xfff: reserved, pp_ref 1"),
    ("jos page 159", r"page 159, 0x9f000\.\.0x9ffff: reserved, pp_ref 1"),
    ("jos page 65503", r"page 65503, 0xffdf000\.\.0xffdffff: free", rf"  PageInfo at {PA}: it is the last"),
    ("jos map in kern_pgdir", rf"kern_pgdir at {PA}: 1 table",
     rf"  {address(UVPT)}  the tables above, by the directory's entry for itself"),
    ("tbreak check_page_installed_pgdir",),
    ("continue",),
    ("jos walk KERNBASE", *KERN_WALK),
    ("jos walk 0", walk("in ", "kern_pgdir"), absent(TOP, 0)),
    ("jos walk UPAGES", walk("UPAGES", "kern_pgdir"), level(TOP, UPAGES, "P W U( A)?", TABLE),
     rf"  It stops at a page of 4 KB: physical 0x[0-9a-f]+000, {UR}\."),
    *((("jos walk 0x800000000000", r"  The address is not canonical: .*"),) if ARCH.has(HALVES) else ()),
    ("jos walk KSTACK-1", walk('in "guard gap"', "kern_pgdir"), absent(0, KSTACK - 1),
     r"  It stops at level 0, whose entry is not present: this page is not mapped\."),
    ("jos map KERNBASE", rf"kern_pgdir at {PA}: {'8' if TOP > 1 else '4'} tables",
     r"window on physical memory \(RW/--\)",
     "  " + run(KERNBASE, KERNBASE + 0xF_FFFF, 0, KRW, "1 MB by 4 KB"),
     rf"  {address(EXTENDED + KERNBASE)}\.\.{IMAGE} -> {ARCH.physical(EXTENDED)} {KRX} +\d+ [KM]B by 4 KB",
     # Constants may be executed if nothing can withhold it, and are one run with the code then.
     *((rf"  {IMAGE}\.\.{IMAGE} -> {PA} {KR} +\d+ [KM]B by 4 KB",) if ARCH.has(NX) else ()),
     rf"  {IMAGE}\.\.{address(LAST)} -> {PA} {KRW} +\d+ [KM]B by 4 KB\.\.{LARGE}", *NOTE),
    ("jos map 0 UTOP", r"  Nothing is mapped there\."),
    ("jos page $cr3", r"page \d+, .*: reserved, pp_ref 1",
     # The root's entries: UVPT, UPAGES, and the window: one on x86-64, 64 on i386, and one for the stack below it.
     rf"  It is kern_pgdir itself; {'3' if TOP > 1 else '67'} of its {ENTRIES} entries are present\."),
)

# check_page first takes away all free pages, and gives one back at a time: the first page_insert that finds pages for
# all tables, one for each level below the root, comes after as many that fail.
DIFF = session(
    ("break page_insert",),
    (f"ignore 1 {TOP}",),
    ("continue", r"Breakpoint 1, .*page_insert.*va=VirtAddr\(0x0\), perm=Perm\(-rw--\).*"),
    ("print frame", r"\$1 = Frame\(\d+ = 0x[0-9a-f]+000\)"),
    ("jos page frame", r"page \d+, .*: in use, pp_ref 0"),
    ("finish", r"Value returned is .*Ok\(\(\)\)"),
    ("jos diff",
     *(rf"kern_pgdir: \+ table of level {number} at {PA}, for {ARCH.size(FORM.span(number + 1))} from {address(0)}"
       for number in range(TOP - 1, -1, -1)),
     rf"kern_pgdir: \+ {address(0)}\.\.{address(0xFFF)} -> 0x[0-9a-f]+000 {URW} +4 KB by 4 KB",
     r"page \d+ .*: in use, pp_ref 0 -> in use, pp_ref 1",
     r"pages? \d+.*: free -> in use, pp_ref 1",
     r"free pages: \d+ -> \d+"),
)

# All of mem_init, with the output of each step.
REGION = r"boot_map_region: Maps .*"
STEPS = session(*(("jos step", *said) for said in (
    (r"mem_init begins:", r"  libjos/src/pmap\.rs:\d+: .*"),
    (r"detect_memory: Prints how much RAM there is, .*", r"  It returned 65504\."),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  libjos/.*\.rs:\d+: let kern_pgdir = .*",
     r"  It returned PhysAddr\(0x[0-9a-f]+000\)\."),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  It returned PhysAddr\(0x[0-9a-f]+000\)\.", STAYS),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  It returned PhysAddr\(0x[0-9a-f]+000\)\.", STAYS),
    (rf"  kern_pgdir: \+ entry \[{index(TOP, UVPT)}\] is the directory itself: its tables show at {address(UVPT)}",
     r"  pages: 65504 PageInfos at 0x[0-9a-f]+, not set yet"),
    (r"page_init: Puts every frame of .*", r"  page.*: not set yet -> reserved, pp_ref 1",
     r"  free pages: 0 -> 6[45]\d+"),
    (r"check_page_free_list: Proves .*",),
    (r"check_page_alloc: Proves .*",),
    (r"check_page: Proves .*",),
    (REGION, rf"  kern_pgdir: \+ {address(KERNBASE)}\.\.{IMAGE} -> {ARCH.physical(0)} {KRW} .*"),
    (REGION, rf"  kern_pgdir: \+ {address(EXTENDED + KERNBASE)}\.\.{IMAGE} -> {ARCH.physical(EXTENDED)} {KRX} .*"),
    (REGION, rf"  kern_pgdir: \+ {IMAGE}\.\.{IMAGE} -> {PA} {KR} .*"),
    (REGION, rf"  kern_pgdir: \+ {IMAGE}\.\.{address(LAST)} -> {PA} {KRW} .*"),
    (REGION, rf"  kern_pgdir: \+ {address(KSTACK)}\.\.{address(ARCH.kstacktop - 1)} -> {PA} {KRW} +32 KB by 4 KB"),
    (REGION, rf"  kern_pgdir: \+ {address(UPAGES)}\.\.{address(UPAGES + 0x7_FFFF)} -> {PA} {UR} +512 KB by 4 KB"),
    (r"check_kern_pgdir: Proves .*", STAYS),
    (r"  CR0: \+WP", rf"  CR3: {PA} -> {PA}", r"  CR4: \+PGE"),
    (r"check_page_free_list: Proves .*", STAYS),
    (r"check_page_installed_pgdir: Proves .*",),
    (r"The memory system stands, and the application begins\. There are no more steps\.",),
)))

# The deliberate faults, explained where the kernel reports them: (name, title, output).
WHY = (
    ("write-upages", "write to UPAGES",
     rf'The kernel tried to write to {address(UPAGES)} \(UPAGES, in "pages array"\), but it lies in a 4 KB page, '
     rf"mapped {UR} by level 0, entry \[0\]: not writable, and CR0\.WP holds the kernel to that\.",
     r"  error code 0x3: P=1 W=1 U=0 RSVD=0 I=0",
     rf"  It happened at {IMAGE} in kernel::arch::x86::faults::.*\.rs:\d+\."),
    ("read-null", "read of address 0",
     rf'The kernel tried to read {address(0)} \(in "low addresses"\), but the walk stops at level \d, '
     r"entry \[0\], which is not present: .*\.", r"  error code 0x0: P=0 W=0 U=0 RSVD=0 I=0"),
    *((("exec-data", "execution of data",
        rf"The kernel tried to fetch an instruction from {IMAGE} .*: not executable\.", r"  error code 0x11: .*"),)
      if ARCH.has(NX) else ()),
    ("stack-overflow", "stack overflow",
     r"This is a double fault: the kernel stack ran over\. .* \(in \"guard gap\"\)\."),
    ("non-canonical" if ARCH.has(HALVES) else "bad-selector", "an exception of another kind",
     rf"This is exception 13, not a page fault\. It was raised at {IMAGE} .*"),
)

# Backtraces end at the entry, and at the top of the stack at KSTACKTOP.
ENDS = session(
    ("tbreak mem_init",),
    ("continue",),
    ("backtrace -1", r"#\d+ +0x.* in high_start \(\)"),
    ("tbreak readline",),
    ("continue",),
    ("backtrace -1", r"#\d+ +0x.* in {}::stack::switch.* \(.*\)".format(ARCH.module)),
    ("up 100",),
    ("print/x $sp", rf"\$1 = {ARCH.kstacktop:#x}"),
)

VSCODE = session(("jos walk KERNBASE", *ENTRY_WALK), ("next", SOURCE_LINE))


def the_tour(root):
    """The test of docs/stepping.md, for a project at `root`."""
    typed, printed = tour.read(Path(root, "docs/stepping.md").read_text(), ARCH.name)
    machine = Machine("grub", gdb=("source tools/gdb/start.gdb", *typed))
    return Test("gdb: the tour of docs/stepping.md", 10, machine, boots(), gdb_lines=(*printed, DETACHED), gdb_whole=True,
                tags=("gdb",))


def tests(root):
    """All tests of gdb, for the project at `root`."""

    def test(title, points, played, machine=Machine(), **more):
        machine, patterns = replace(machine, gdb=machine.gdb + played[0]), played[1]
        return Test(f"gdb: {title}", points, machine, boots(), gdb_lines=patterns, tags=("gdb",), **more)

    def why(name, title, *said):
        commands, patterns = session(("break kernel::panic::report",), ("continue",), ("jos why", *said))
        machine = Machine(words=f"test={name}", gdb=commands)
        return Test(f"gdb: jos why, {title}", 5, machine, gdb_lines=patterns, status=FAILURE, tags=("gdb",))

    return [
        test("walk through mem_init", 10, MEM_INIT),
        test("JOS's names, at every stop and on both processors", 10, NAMES,
             Machine(options=("-smp", "2"), patience=2)),
        test("from reset until paging is on", 10, BEFORE_PAGING),
        test("backtraces end at the entry", 5, ENDS),
        test("walk, map, page and freelist", 10, VALUES),
        test("jos diff over one page_insert", 10, DIFF),
        test("jos step through mem_init", 10, STEPS),
        *(why(*row) for row in WHY),
        the_tour(root),
        test("as Visual Studio Code starts it", 5, VSCODE, Machine(vscode="JOS64: boot and stop at mem_init")),
    ]
