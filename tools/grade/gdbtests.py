"""The graded tests of gdb and of its `jos` commands (tools/gdb): their output at named points of mem_init.

Addresses in the kernel's image and right behind it move with every change of the kernel, so they are patterns; values
that follow from the map, the format and 256 MB of RAM are exact.
"""

import re
from dataclasses import replace
from pathlib import Path

import tour
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


def level(number, index, flags, leads):
    """A line of `jos walk`."""
    return rf"  level {number} \[ *{index}\] at {PA}: {PA}  {flags} +{leads}"


def absent(number, index):
    """A line of `jos walk` for an absent entry, where the walk ends."""
    return rf"  level {number} \[ *{index}\] at {PA}: {PA}  not present"


def walk(name, directory):
    """The first line of `jos walk`."""
    return rf"0x[0-9a-f]{{16}} \({name}.*\), walked from {directory} at {PA}.*"


TABLE = rf"table at {PA}"
STAYS = r"  It changed nothing in tables and counts\."
NO_PAGES = r"`pages` is not known yet: mem_init has not allocated it\."
NO_KERN_PGDIR = r"kern_pgdir is not known yet: mem_init has not allocated it\."
PAGING_OFF = r"Now paging is off \(CR0\.PG is 0\): every address is physical\..*"

# KERNBASE under entry_pgdir, which maps it by large pages, and under kern_pgdir, which does not.
ENTRY_WALK = (
    walk("KERNBASE", "entry_pgdir"), level(3, 511, "P W( A)?", TABLE), level(2, 511, "P W( A)?", TABLE),
    level(1, 384, "P W( A D)? PS", "2 MB page at 0x0"), r"  It stops at a page of 2 MB: physical 0x0, -rwx-\.",
)
KERN_WALK = (
    walk("KERNBASE", "kern_pgdir"), level(3, 511, "P W U( A)?", TABLE), level(2, 511, "P W U( A)?", TABLE),
    level(1, 384, "P W U( A)?", TABLE), level(0, 0, "P W( A)?( D)? G XD", "4 KB page at 0x0"),
    r"  It stops at a page of 4 KB: physical 0x0, -rw-g\.",
)

MEM_INIT = session(
    ("break mem_init", r"Breakpoint 1 at 0xffff.*: file .*\.rs, line \d+\."),
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
    *((f"info line {name}", r'Line \d+ of ".*\.rs" starts at address 0xffff.*')
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
    ("print UPAGES", VALUE + r"\(.*\) 0xfffffe8000000000"),
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
        (f"tbreak {name}", rf"Temporary breakpoint \d+ at 0xf+0[0-9a-f]+: file (kernel|libjos)/src/.*\.rs, line \d+\."),
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
# Every command at reset, before the kernel runs; in the 32-bit entry; step by step over the switch to long mode.
BEFORE_PAGING = session(
    ("help jos", *(rf"jos {name} -- .*" for name in "diff freelist layout map page step walk why".split())),
    ("jos walk KERNBASE", PAGING_OFF),
    ("jos walk KERNBASE in kern_pgdir", NO_KERN_PGDIR),
    ("jos map", PAGING_OFF),
    ("jos page 0", NO_PAGES),
    ("jos freelist", NO_PAGES),
    ("jos diff", r"This is the first stop: there is nothing to compare with yet\."),
    ("jos why", r"No exception is being handled here; `break trap` stops at the next one\."),
    ("jos layout", r" +KERNBASE, KSTACKTOP \+-+\+ 0xffff_ffff_f000_0000", PAGING_OFF),
    ("tbreak *pvh_start",),
    ("continue", r"Temporary breakpoint 1, .* in pvh_start \(\)"),
    ("stepi", r".* in pvh_start \(\)"),
    ("print $cr0", r"\$1 = \[.* PE \]"),
    ("jos walk KERNBASE", PAGING_OFF),
    ("jos walk KERNBASE in entry_pgdir", *ENTRY_WALK),
    # A processor refuses EFER's reserved bits, in its upper half too; QEMU's own processors do not look there.
    (STEP_TO_WRMSR,),
    ("print/x $ecx", r"\$2 = 0xc0000080"),
    ("print/x $edx", r"\$3 = 0x0"),
    (STEP_TO.format("long_mode"),),
    ("print $cr0", r"\$4 = \[ PG .*PE \]"),
    ("print $efer", r"\$5 = \[ NXE LMA LME \]"),
    (STEP_TO.format("high_start"),),
    ("backtrace", r"#0  .* in high_start \(\)"),
    ("jos walk $rip", walk(r"KERNBASE\+0x1", "entry_pgdir"), level(3, 511, "P W( A)?", TABLE)),
    ("jos diff", r"Nothing changed in tables, counts and control registers\."),
    ("jos freelist", NO_PAGES),
)

# The values of the directory, the tables and the array, before and after the switch of CR3.
VALUES = session(
    ("tbreak mem_init",),
    ("continue",),
    ("jos walk KERNBASE", *ENTRY_WALK),
    ("jos map", rf"entry_pgdir at {PA}: 5 tables",
     r"  0x0000000000800000\.\.0x000000000fffffff -> 0x000800000 -rwx- +248 MB by 2 MB",
     r"  0xfffffffff0000000\.\.0xffffffffffffffff -> 0x000000000 -rwx- +256 MB by 2 MB"),
    ("jos page kern_pgdir", NO_KERN_PGDIR),
    ("tbreak check_page_alloc",),
    ("continue",),
    ("jos walk UVPT in kern_pgdir", walk("UVPT", "kern_pgdir"), level(3, 510, "P U XD", TABLE), absent(2, 0)),
    ("jos freelist", r"page_free_list: 6[45]\d+ pages, \d+ KB", r"  pages \d+\.\.158 from 0x\d000, \d+ upwards",
     r"of 65504 pages: 6[45]\d+ free, 0 in use, \d+ reserved"),
    ("jos page 0", r"page 0, 0x0\.\.0xfff: reserved, pp_ref 1"),
    ("jos page 159", r"page 159, 0x9f000\.\.0x9ffff: reserved, pp_ref 1"),
    ("jos page 65503", r"page 65503, 0xffdf000\.\.0xffdffff: free", rf"  PageInfo at {PA}: it is the last"),
    ("jos map in kern_pgdir", rf"kern_pgdir at {PA}: 1 table",
     r"  0xffffff0000000000  the tables above, by the directory's entry for itself"),
    ("tbreak check_page_installed_pgdir",),
    ("continue",),
    ("jos walk KERNBASE", *KERN_WALK),
    ("jos walk 0", walk("in ", "kern_pgdir"), absent(3, 0)),
    ("jos walk UPAGES", walk("UPAGES", "kern_pgdir"), level(3, 509, "P W U( A)?", TABLE),
     r"  It stops at a page of 4 KB: physical 0x[0-9a-f]+000, ur---\."),
    ("jos walk 0x800000000000", r"  The address is not canonical: .*"),
    ("jos walk KSTACK-1", walk('in "guard gap"', "kern_pgdir"),
     r"  It stops at level 0, whose entry is not present: .*"),
    ("jos map KERNBASE", rf"kern_pgdir at {PA}: 8 tables", r"window on physical memory \(RW/--\)",
     r"  0xfffffffff0000000\.\.0xfffffffff00fffff -> 0x000000000 -rw-g +1 MB by 4 KB",
     r"  0xfffffffff0100000\.\.0xfffffffff.* -> 0x000100000 -r-xg +\d+ [KM]B by 4 KB",
     r"  0xfffffffff.*\.\.0xfffffffff.* -> 0x000[0-9a-f]+ -r--g +\d+ [KM]B by 4 KB",
     r"  0xfffffffff.*\.\.0xffffffffffffffff -> 0x000[0-9a-f]+ -rw-g +\d+ [KM]B by 4 KB\.\.2 MB"),
    ("jos map 0 UTOP", r"  Nothing is mapped there\."),
    ("jos page $cr3", r"page \d+, .*: reserved, pp_ref 1",
     r"  It is kern_pgdir itself; 3 of its 512 entries are present\."),
)

# check_page first takes away all free pages: the fourth page_insert is the first that finds pages for tables.
DIFF = session(
    ("break page_insert",),
    ("ignore 1 3",),
    ("continue", r"Breakpoint 1, .*page_insert.*va=VirtAddr\(0x0\), perm=Perm\(-rw--\).*"),
    ("print frame", r"\$1 = Frame\(\d+ = 0x[0-9a-f]+000\)"),
    ("jos page frame", r"page \d+, .*: in use, pp_ref 0"),
    ("finish", r"Value returned is .*Ok\(\(\)\)"),
    ("jos diff",
     rf"kern_pgdir: \+ table of level 2 at {PA}, for 512 GB from 0x0000000000000000",
     rf"kern_pgdir: \+ table of level 1 at {PA}, for 1 GB from 0x0000000000000000",
     rf"kern_pgdir: \+ table of level 0 at {PA}, for 2 MB from 0x0000000000000000",
     r"kern_pgdir: \+ 0x0000000000000000\.\.0x0000000000000fff -> 0x[0-9a-f]+000 -rw-- +4 KB by 4 KB",
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
     r"  It returned PhysAddr\(.*\)\."),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  It returned PhysAddr\(.*\)\.", STAYS),
    (r"boot_alloc: Allocates `n` bytes, .*", r"  It returned PhysAddr\(.*\)\.", STAYS),
    (r"  kern_pgdir: \+ entry \[510\] is the directory itself: its tables show at 0xffffff0000000000",
     r"  pages: 65504 PageInfos at 0x[0-9a-f]+, not set yet"),
    (r"page_init: Puts every frame of .*", r"  page.*: not set yet -> reserved, pp_ref 1",
     r"  free pages: 0 -> 6[45]\d+"),
    (r"check_page_free_list: Proves .*",),
    (r"check_page_alloc: Proves .*",),
    (r"check_page: Proves .*",),
    (REGION, r"  kern_pgdir: \+ 0xfffffffff0000000.* -> 0x000000000 -rw-g .*"),
    (REGION, r"  kern_pgdir: \+ 0xfffffffff0100000.* -> 0x000100000 -r-xg .*"),
    (REGION, r"  kern_pgdir: \+ 0xfffffffff0.* -> 0x000.* -r--g .*"),
    (REGION, r"  kern_pgdir: \+ 0xfffffffff0.*\.\.0xffffffffffffffff -> 0x000.* -rw-g .*"),
    (REGION, r"  kern_pgdir: \+ 0xffffffffefff8000\.\.0xffffffffefffffff -> .* -rw-g +32 KB by 4 KB"),
    (REGION, r"  kern_pgdir: \+ 0xfffffe8000000000\.\..* -> .* ur--- +512 KB by 4 KB"),
    (r"check_kern_pgdir: Proves .*", STAYS),
    (r"  CR0: \+WP", rf"  CR3: {PA} -> {PA}", r"  CR4: \+PGE"),
    (r"check_page_free_list: Proves .*", STAYS),
    (r"check_page_installed_pgdir: Proves .*",),
    (r"The memory system stands, and the application begins\. There are no more steps\.",),
)))

# The deliberate faults, explained where the kernel reports them: (name, title, output).
WHY = (
    ("write-upages", "write to UPAGES",
     r'The kernel tried to write to 0xfffffe8000000000 \(UPAGES, in "pages array"\), but it lies in a 4 KB page, '
     r"mapped ur--- by level 0, entry \[0\]: not writable, and CR0\.WP holds the kernel to that\.",
     r"  error code 0x3: P=1 W=1 U=0 RSVD=0 I=0", r"  It happened at .* in kernel::arch::x86::faults::.*\.rs:\d+\."),
    ("read-null", "read of address 0",
     r'The kernel tried to read 0x0000000000000000 \(in "low addresses"\), but the walk stops at level \d, '
     r"entry \[0\], which is not present: .*\.", r"  error code 0x0: P=0 W=0 U=0 RSVD=0 I=0"),
    ("exec-data", "execution of data",
     r"The kernel tried to fetch an instruction from 0xfffffffff0.*: not executable\.", r"  error code 0x11: .*"),
    ("stack-overflow", "stack overflow",
     r"This is a double fault: the kernel stack ran over\. .* \(in \"guard gap\"\)\."),
    ("non-canonical", "an exception of another kind", r"This is exception 13, not a page fault\. .*"),
)

# Backtraces end at the entry, and at the top of the stack at KSTACKTOP.
ENDS = session(
    ("tbreak mem_init",),
    ("continue",),
    ("backtrace -1", r"#\d+ +0x.* in high_start \(\)"),
    ("tbreak readline",),
    ("continue",),
    ("backtrace -1", r"#\d+ +0x.* in kernel::arch::x86_64::stack::switch.* \(.*\)"),
    ("up 100",),
    ("print/x $sp", r"\$1 = 0xfffffffff0000000"),  # KSTACKTOP
)

VSCODE = session(("jos walk KERNBASE", *ENTRY_WALK), ("next", SOURCE_LINE))


def tests(root):
    """All tests of gdb, for the project at `root`."""

    def test(title, points, played, machine=Machine(), **more):
        machine, patterns = replace(machine, gdb=machine.gdb + played[0]), played[1]
        return Test(f"gdb: {title}", points, machine, boots(), gdb_lines=patterns, tags=("gdb",), **more)

    def why(name, title, *said):
        commands, patterns = session(("break kernel::panic::report",), ("continue",), ("jos why", *said))
        machine = Machine(words=f"test={name}", gdb=commands)
        return Test(f"gdb: jos why, {title}", 5, machine, gdb_lines=patterns, status=FAILURE, tags=("gdb",))

    typed, printed = tour.read(Path(root, "docs/stepping.md").read_text())
    return [
        test("walk through mem_init", 10, MEM_INIT),
        test("JOS's names, at every stop and on both processors", 10, NAMES,
             Machine(options=("-smp", "2"), patience=2)),
        test("from reset to long mode", 10, BEFORE_PAGING),
        test("backtraces end at the entry", 5, ENDS),
        test("walk, map, page and freelist", 10, VALUES),
        test("jos diff over one page_insert", 10, DIFF),
        test("jos step through mem_init", 10, STEPS),
        *(why(*row) for row in WHY),
        test("the tour of docs/stepping.md", 10, (typed, (*printed, DETACHED)),
             Machine("grub", gdb=("source tools/gdb/start.gdb",)), gdb_whole=True),
        test("as Visual Studio Code starts it", 5, VSCODE, Machine(vscode="JOS64: boot and stop at mem_init")),
    ]
