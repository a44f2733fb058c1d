"""The graded tests of gdb and of its `jos` commands (tools/gdb): their output at named points of mem_init.

The words are in gdbwords.py.
"""

import re
from dataclasses import replace
from pathlib import Path

import tour
from arch import ARCH, HALVES, NX, PC
from arch import UVPT as SHOWS_TABLES
from gdbwords import (
    BELOW_IMAGE, ENTRIES, ENTRY_WALK, FORM, IMAGE, KERN_WALK, KERNBASE, KR, KRW, KRWX, KRX, KSTACK, LARGE, LAST,
    NO_KERN_PGDIR, NO_PAGES, NOTE, NPAGES, PA, PHYS_BASE, SOURCE_LINE, STAYS, TABLE, TOP, UPAGES, UR, URW, UVPT, WORDS,
    XD, absent, address, frame, index, level, run, session, tables, underscored, walk,
)
from gradelib import FAILURE, Machine, Test
from tableformat import PAGE
from words import boots

MB = 1 << 20
NO_PAGING = rf"Now {WORDS.no_paging}\..*"
PAGE_0 = rf"page 0, {PHYS_BASE:#x}\.\.{PHYS_BASE + 0xFFF:#x}: reserved, pp_ref 1"
LAST_FREE, HELD = WORDS.last_free, WORDS.held
DETACHED = re.compile(r"\[Inferior 1 \(process 1\) detached\]")

MEM_INIT = session(
    ("break mem_init", rf"Breakpoint 1 at {IMAGE}: file .*\.rs, line \d+\."),
    ("continue", r"Breakpoint 1, .*mem_init.*"),
    ("backtrace 1", r"#0 .*mem_init.*\.rs:\d+"),
    # On RISC-V gdb stops at the function's own line, elsewhere at its first statement.
    *((("next", SOURCE_LINE),) if not ARCH.has(PC) else ()),
    ("next", SOURCE_LINE),
    ("print npages", rf"\$1 = {NPAGES}"),
    ("next", SOURCE_LINE),
    ("tbreak boot_alloc",),
    ("continue", r"Temporary breakpoint 2, .*boot_alloc.*"),
    ("finish", r"Value returned is \$2 = PhysAddr\(0x[0-9a-f]+000\)"),
    ("next", SOURCE_LINE),
    ("print kern_pgdir", r"\$3 = PhysAddr\(0x[0-9a-f]+000\)"),
    ("break check_page",),
    ("continue", r"Breakpoint 3, .*check_page.*"),
    ("up",),
    ("print npages", rf"\$4 = {NPAGES}"),
    ("print kern_pgdir", r"\$5 = PhysAddr\(0x[0-9a-f]+000\)"),
    ("print pages[0]", r"\$6 = PageInfo\(reserved, pp_ref 1\)"),
    (f"print pages[{LAST_FREE}]", r"\$7 = PageInfo\(free, the last on the list\)"),
    *((f"info line {name}", rf'Line \d+ of ".*\.rs" starts at address {IMAGE} .*')
      for name in f"boot_map_region page_insert page_alloc readline trap {WORDS.init}".split()),
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
    ("print npages", VALUE + str(NPAGES)),
    ("print kern_pgdir", VALUE + r"PhysAddr\(0x[0-9a-f]+000\)"),
    (f"print pages[{NPAGES - 1}]", VALUE + r"PageInfo\(.*\)"),
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
DIFFERING = "python from josgdb.context import CONTEXT; " \
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
    ("jos page 0", PAGE_0),
    ("jos freelist", r"page_free_list: 6[45]\d+ pages, \d+ [KM]B",
     rf"of {NPAGES} pages: 6[45]\d+ free, \d+ in use, \d+ reserved"),
    ("jos page kern_pgdir", r"  It is kern_pgdir itself; .*"),
    ("thread 1",),
)

# Every command at reset, before the kernel runs; in the 32-bit entry; step by step until paging is on.
BEFORE_PAGING = session(
    ("help jos", *(rf"jos {name} -- .*" for name in "diff freelist layout map page step walk why".split())),
    ("jos walk KERNBASE", NO_PAGING),
    ("jos walk KERNBASE in kern_pgdir", NO_KERN_PGDIR),
    ("jos map", NO_PAGING),
    ("jos page 0", NO_PAGES),
    ("jos freelist", NO_PAGES),
    ("jos diff", r"This is the first stop: there is nothing to compare with yet\."),
    ("jos why", r"No exception is being handled here; `break trap` stops at the next one\."),
    ("jos layout", rf" +KERNBASE, KSTACKTOP \+-+\+ {underscored(KERNBASE)}", NO_PAGING),
    *WORDS.to_paging[0],
    ("jos walk KERNBASE", r"Now paging is off \((CR0\.PG|satp\.MODE) is 0\): every address is physical\..*"),
    ("jos walk KERNBASE in entry_pgdir", *(ENTRY_WALK if ARCH.has(PC) else (r"entry_pgdir is still empty: .*",))),
    *WORDS.to_paging[1],
    ("backtrace", r"#0  .* in high_start \(\)"),
    ("jos walk $pc", walk(rf"KERNBASE\+{BELOW_IMAGE >> 20:#x}", "entry_pgdir"),
     *tables(2, KERNBASE, WORDS.entry_table)),
    ("jos diff", r"Nothing changed in tables, counts and control registers\."),
    ("jos freelist", NO_PAGES),
)

# The values of the directory, the tables and the array, before and after the switch of CR3.
VALUES = session(
    ("tbreak mem_init",),
    ("continue",),
    ("jos walk KERNBASE", *ENTRY_WALK),
    ("jos map", rf"entry_pgdir at {PA}: {WORDS.entry_tables}",
     "  " + run(WORDS.low_window, PHYS_BASE + 256 * MB - 1, WORDS.low_window, KRWX,
                f"{ARCH.size(PHYS_BASE + 256 * MB - WORDS.low_window)} by {LARGE}"),
     *("  " + run(ARCH.map.mmiobase + i * PAGE, ARCH.map.mmiobase + i * PAGE + PAGE - 1, pa, "-rw--", "4 KB by 4 KB")
       for i, pa in enumerate(ARCH.map.devices)),
     "  " + run(KERNBASE, LAST, PHYS_BASE, KRWX, f"256 MB by {LARGE}"), *NOTE),
    ("jos page kern_pgdir", NO_KERN_PGDIR),
    ("tbreak check_page_alloc",),
    ("continue",),
    *((("jos walk UVPT in kern_pgdir", walk("UVPT", "kern_pgdir"), level(TOP, UVPT, f"P U{XD}", TABLE),
        absent(TOP - 1, UVPT)),) if ARCH.has(SHOWS_TABLES) else
      (("jos walk UPAGES in kern_pgdir", walk("UPAGES", "kern_pgdir"), absent(TOP, UPAGES)),)),
    ("jos freelist", r"page_free_list: 6[45]\d+ pages, \d+ [KM]B", rf"  {WORDS.first_run}, \d+ upwards",
     rf"of {NPAGES} pages: 6[45]\d+ free, 0 in use, \d+ reserved"),
    ("jos page 0", PAGE_0),
    (f"jos page {HELD}", rf"page {HELD}, {frame(HELD)}: reserved, pp_ref 1"),
    (f"jos page {LAST_FREE}", rf"page {LAST_FREE}, {frame(LAST_FREE)}: free", rf"  PageInfo at {PA}: it is the last"),
    ("jos map in kern_pgdir", rf"kern_pgdir at {PA}: 1 table",
     rf"  {address(UVPT)}  the tables above, by the directory's entry for itself" if ARCH.has(SHOWS_TABLES) else
     r"  Nothing is mapped there\."),
    ("tbreak check_page_installed_pgdir",),
    ("continue",),
    ("jos walk KERNBASE", *KERN_WALK),
    ("jos walk 0", walk("in ", "kern_pgdir"), absent(TOP, 0)),
    ("jos walk UPAGES", walk("UPAGES", "kern_pgdir"), level(TOP, UPAGES, WORDS.table, TABLE),
     rf"  It stops at a page of 4 KB: physical 0x[0-9a-f]+000, {UR}\."),
    *((("jos walk 0x800000000000", r"  The address is not canonical: .*"),) if ARCH.has(HALVES) else ()),
    ("jos walk KSTACK-1", walk('in "guard gap"', "kern_pgdir"), absent(0, KSTACK - 1),
     r"  It stops at level 0, whose entry is not present: this page is not mapped\."),
    ("jos map KERNBASE", rf"kern_pgdir at {PA}: {WORDS.kern_tables} tables",
     r"window on physical memory \(RW/--\)",
     "  " + run(KERNBASE, KERNBASE + BELOW_IMAGE - 1, PHYS_BASE, KRW, WORDS.below),
     rf"  {address(BELOW_IMAGE + KERNBASE)}\.\.{IMAGE} -> {ARCH.physical(ARCH.image)} {KRX} +\d+ [KM]B by 4 KB",
     # Constants may be executed if nothing can withhold it, and are one run with the code then.
     *((rf"  {IMAGE}\.\.{IMAGE} -> {PA} {KR} +\d+ [KM]B by 4 KB",) if ARCH.has(NX) else ()),
     rf"  {IMAGE}\.\.{address(LAST)} -> {PA} {KRW} +\d+ [KM]B by 4 KB\.\.{LARGE}", *NOTE),
    ("jos map 0 UTOP", r"  Nothing is mapped there\."),
    ("jos page $cr3" if ARCH.has(PC) else "jos page kern_pgdir", r"page \d+, .*: reserved, pp_ref 1",
     rf"  It is kern_pgdir itself; {WORDS.root_entries} of its {ENTRIES} entries are present\."),
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
    (r"detect_memory: Prints how much RAM there is, .*", rf"  It returned {NPAGES}\."),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  libjos/.*\.rs:\d+: let kern_pgdir = .*",
     r"  It returned PhysAddr\(0x[0-9a-f]+000\)\."),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  It returned PhysAddr\(0x[0-9a-f]+000\)\.", STAYS),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  It returned PhysAddr\(0x[0-9a-f]+000\)\.", STAYS),
    (*((rf"  kern_pgdir: \+ entry \[{index(TOP, UVPT)}\] is the directory itself: its tables show at {address(UVPT)}",)
       if ARCH.has(SHOWS_TABLES) else ()), rf"  pages: {NPAGES} PageInfos at 0x[0-9a-f]+, not set yet"),
    (r"page_init: Puts every frame of .*", r"  page.*: not set yet -> reserved, pp_ref 1",
     r"  free pages: 0 -> 6[45]\d+"),
    (r"check_page_free_list: Proves .*",),
    (r"check_page_alloc: Proves .*",),
    (r"check_page: Proves .*",),
    (REGION, rf"  kern_pgdir: \+ {address(KERNBASE)}\.\.{IMAGE} -> {ARCH.physical(PHYS_BASE)} {KRW} .*"),
    (REGION, rf"  kern_pgdir: \+ {address(BELOW_IMAGE + KERNBASE)}\.\.{IMAGE} -> {ARCH.physical(ARCH.image)} {KRX} .*"),
    (REGION, rf"  kern_pgdir: \+ {IMAGE}\.\.{IMAGE} -> {PA} {KR} .*"),
    (REGION, rf"  kern_pgdir: \+ {IMAGE}\.\.{address(LAST)} -> {PA} {KRW} .*"),
    (REGION, rf"  kern_pgdir: \+ {address(KSTACK)}\.\.{address(ARCH.kstacktop - 1)} -> {PA} {KRW} +32 KB by 4 KB"),
    (REGION, rf"  kern_pgdir: \+ {address(UPAGES)}\.\.{address(UPAGES + 0x7_FFFF)} -> {PA} {UR} +512 KB by 4 KB"),
    *((REGION, rf"  kern_pgdir: \+ .* -> {ARCH.physical(pa)} {KRW} +4 KB by 4 KB") for pa in ARCH.map.devices),
    (r"check_kern_pgdir: Proves .*", STAYS),
    WORDS.switch,
    (r"check_page_free_list: Proves .*", STAYS),
    (r"check_page_installed_pgdir: Proves .*",),
    (r"The memory system stands, and the application begins\. There are no more steps\.",),
)))

# The deliberate faults, explained where the kernel reports them: (name, title, output).
WHY = (
    ("write-upages", "write to UPAGES",
     rf'The kernel tried to write to {address(UPAGES)} \(UPAGES, in "pages array"\), but it lies in a 4 KB page, '
     rf"mapped {UR} by level 0, entry \[0\]: not writable{WORDS.write_holds}\.",
     rf"  {WORDS.write_code}", rf"  It happened at {IMAGE} in {ARCH.faults}::.*\.rs:\d+\."),
    ("read-null", "read of address 0",
     rf'The kernel tried to read {address(0)} \(in "low addresses"\), but the walk stops at level \d, '
     r"entry \[0\], which is not present: .*\.", rf"  {WORDS.read_code}"),
    *((("exec-data", "execution of data",
        rf"The kernel tried to fetch an instruction from {IMAGE} .*: not executable\.", rf"  {WORDS.fetch_code}"),)
      if ARCH.has(NX) else ()),
    ("stack-overflow", "stack overflow",
     rf"This is {WORDS.stack}: the kernel stack ran over\. .* \(in \"guard gap\"\)\."),
    (WORDS.other[0], "an exception of another kind",
     rf"This is exception {WORDS.other[1]}, not a page fault\. It was raised at {IMAGE} .*"),
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

# A probe of check_page_installed_pgdir faults.
TRAPPED = session(
    ("tbreak check_page_installed_pgdir",),
    ("continue",),
    ("tbreak trap",),
    ("continue",),
    ("backtrace", rf"#\d+ +0x.* in {WORDS.trap} \(\)", r"#\d+ +0x.* in probe_.* \(\)",
     r"#\d+ .*check_page_installed_pgdir.*", r"#\d+ +0x.* in {}::stack::switch.* \(.*\)".format(ARCH.module)),
)

VSCODE = session(("jos walk KERNBASE", *ENTRY_WALK), ("next", SOURCE_LINE))


def the_tour(root):
    """The test of docs/stepping.md, for a project at `root`."""
    typed, printed = tour.read(Path(root, "docs/stepping.md").read_text(), ARCH.name)
    machine = Machine(ARCH.boots[0].image, gdb=("source tools/gdb/start.gdb", *typed))
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
        test("backtraces go through traps", 5, TRAPPED),
        test("walk, map, page and freelist", 10, VALUES),
        test("jos diff over one page_insert", 10, DIFF),
        test("jos step through mem_init", 10, STEPS),
        *(why(*row) for row in WHY),
        the_tour(root),
        test("as Visual Studio Code starts it", 5, VSCODE, Machine(vscode="JOS64: boot and stop at mem_init"),
             needs=(PC,)),
    ]
