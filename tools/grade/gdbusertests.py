"""The graded tests of gdb on programs in ring 3: their symbols, backtraces, system calls, faults; `jos env`."""

from arch import ARCH, LONG_MODE, PC
from gdbwords import IMAGE, NO_KERN_PGDIR, PA, SOURCE_LINE, absent, address, level, run, session, walk
from gradelib import Machine, Test
from words import boots

TOP, URX, URW = ARCH.top_level, *map(ARCH.perm, ("ur-x-", "urw--"))
UTEXT, USTACKTOP = 0x80_0000, ARCH.ustacktop
CODE = r"0x0*8[0-9a-f]{5}"
FIRST = r"\[env 00001000\]"
# The instruction by which programs make system calls; where it is found, in the program's text.
CALL = (0x0F, 0x05) if ARCH.has(LONG_MODE) else (0xCD, 0x30)
ENTRY = "syscall_entry" if ARCH.has(LONG_MODE) else "trap_stubs"
BREAK_AT_CALLS = (
    "python text = bytes(gdb.selected_inferior().read_memory(0x800020, 0x1000)); "
    '[gdb.execute("tbreak *%d" % (0x800020 + at), to_string=True) for at in range(0x1000) '
    f"if text[at : at + 2] == bytes({CALL})]"
)


def env(identity, program, status, parent=0, mark=r"\*", at=CODE):
    """A line of `jos env`."""
    return rf"{mark} {identity:08x}  {parent:08x}  {status} +\d+  {PA}  {program} +{at}( \(.*\))?"


# By the machine's name, which `make run-NAME-nox-gdb` gives it.
PROGRAM = session(
    ("jos env", NO_KERN_PGDIR),
    ("tbreak application_main",),
    ("continue",),
    ("jos env", r"There is no environment yet: .*"),
    ("break umain", rf"Breakpoint 2 at {CODE}: file user/src/.*\.rs, line \d+\."),
    ("continue", r"Environment 00001000 runs \(hello\)\.", r"Breakpoint 2, .*umain \(.*\) at user/src/.*\.rs:\d+"),
    ("print $cs & 3", r"\$1 = 3"),
    ("backtrace", rf"#0 .*{FIRST} .*", r"#\d+ .*hello::_::umain \(.*\) at user/src/.*", r"#\d+ .* in _start \(\)"),
    ("jos env", r"  id +parent +status +runs +directory +program +stands at", env(0x1000, "hello", "RUNNING")),
    ("jos env 1000", r"environment 00001000: RUNNING; the kernel made it; it has run 1 time",
     r"  program: hello; it stands at .*umain.*", r"  page-fault upcall: none", r"  registers, now:",
     rf" +.*{'rip' if ARCH.has(LONG_MODE) else 'eip'} +{CODE}.*",
     rf"  page directory at {PA}: \d+ pages below UTOP",
     rf"    {address(UTEXT)}\.\.{CODE} -> {PA} {URX} +\d+ KB by 4 KB, pp_ref 1",
     "    " + run(USTACKTOP - 0x1000, USTACKTOP - 1, 0, URW, r"4 KB by 4 KB, pp_ref 1").replace(ARCH.physical(0), PA)),
    ("jos walk UTEXT", walk("UTEXT", "environment 00001000"), level(TOP, UTEXT, "P W U A", rf"table at {PA}"),
     rf"  It stops at a page of 4 KB: physical {PA}, {URX}\."),
    ("jos walk UTEXT in env 1000", walk("UTEXT", "environment 00001000"),
     rf"  It stops at a page of 4 KB: physical {PA}, {URX}\."),
    ("jos walk UTEXT in kern_pgdir", walk("UTEXT", "kern_pgdir"), absent(TOP, UTEXT)),
    ("jos map 0 UTOP", rf"environment 00001000 at {PA}: \d+ tables", r"program \(RW/RW\)"),
    ("jos layout", r".*p is .*\(UTEXT\+.*", rf"CR3 leads to {PA} \(environment 00001000\)"),
    ("tbreak env_free",),
    ("continue", r"Temporary breakpoint 3, .*env_free.*"),
    ("backtrace", r"#0 .*env_free.*", r"#\d+ .*trap_dispatch.*|#\d+ .*::syscall.*",
     rf"#\d+ .* in {'syscall_entry' if ARCH.has(LONG_MODE) else 'trap_common'} \(\)", rf"#\d+ .*{FIRST}.*",
     *((r"#\d+ .*user::start::exit.*", r"#\d+ .* in _start \(\)") if ARCH.has(LONG_MODE) else ())),
    ("jos env", env(0x1000, "hello", "RUNNING")),
)

# A single step leads into the kernel, from where gdb knows the way back; `next` goes over the call at once.
CALLS = session(
    ("break umain",),
    ("continue",),
    (BREAK_AT_CALLS,),
    ("continue", r"Temporary breakpoint \d+, .*"),
    ("stepi", rf"{IMAGE} in {ENTRY} \(\)"),
    ("backtrace", rf"#0 .* in {ENTRY} \(\)", rf"#1 .*{FIRST} user::.*syscall.*"),
    ("finish",),
    ("print $cs & 3", r"\$\d+ = 3"),
    (BREAK_AT_CALLS,),
    ("continue", r"Temporary breakpoint \d+, .*"),
    ("next", SOURCE_LINE),
    ("print $cs & 3", r"\$\d+ = 3"),
    ("backtrace 1", rf"#0 .*{FIRST} .*"),
)

FAULT = session(
    ("jos program faultread", r"The symbols of a program: .*/user/faultread"),
    ("tbreak page_fault_handler", rf"Temporary breakpoint 1 at {IMAGE}: file libjos/src/env/page_fault\.rs, .*"),
    ("continue",),
    ("jos why", rf'User code tried to read {address(0)} \(in "low addresses"\), but the walk stops at level \d, '
     r"entry \[0\], which is not present: .*", r"  error code 0x4: P=0 W=0 U=1 RSVD=0 I=0",
     rf"  It happened at {CODE} in user::.*"),
    ("backtrace", r"#0 .*page_fault_handler.*", r"#\d+ .* in trap_common \(\)", rf"#\d+ .*{FIRST} user::.*read.*",
     r"#\d+ .*faultread::main.*", r"#\d+ .* in _start \(\)"),
    ("jos walk 0", walk("in ", "environment 00001000")),
)

# The first environment of a tree ends; its two children have been made, and share its code.
TREE = session(
    ("tbreak env_free",),
    ("continue",),
    ("jos env", env(0x1000, "forktree", "RUNNING"), env(0x1001, "forktree", "(NOT_)?RUNNABLE", 0x1000, " "),
     env(0x1002, "forktree", "(NOT_)?RUNNABLE", 0x1000, " ")),
    ("jos env 1001", r"environment 00001001: .*; child of 00001000; it has run \d+ times?",
     rf"  page-fault upcall: {CODE}", r"  registers, at its last trap:",
     rf"    {address(UTEXT)}\.\..* {URX} .*, pp_ref ([3-9]|\d\d)"),
    ("jos walk UTEXT in env 1001", walk("UTEXT", "environment 00001001"),
     rf"  level 0 \[ *\d+\] at {PA}: .* P U .*page at {PA}"),
    ('python from josgdb import envs, machine; from josgdb.context import CONTEXT; env = envs.by_id("1000")',),
    ("python with machine.physical() as read: code = CONTEXT.form.translate(read, env.root, 0x800000)",),
    ('python gdb.execute("jos page %#x" % code)', rf"page \d+, .*: in use, pp_ref ([3-9]|\d\d)",
     r"  environment 00001000 maps it at", rf"    {address(UTEXT)} \(UTEXT, .*\) {URX}, .*",
     r"  environment 00001001 maps it at", r"  environment 00001002 maps it at"),
)

VSCODE = session(("print $cs & 3", r"\$1 = 3"), ("backtrace", r"#\d+ .*hello::_::umain \(.*\) at user/src/.*"))


def tests():
    """All tests of gdb on programs."""

    def test(title, points, name, played, options=(), vscode=""):
        # A session takes some seconds of a processor, most of them gdb's, and others run beside it.
        machine = Machine(words=f"run={name}", gdb=played[0], options=options, vscode=vscode, patience=3)
        return Test(f"gdb: {title}", points, machine, boots(), gdb_lines=played[1], tags=("gdb", "program"), needs=(PC,))

    return [
        test("a program by its name: symbols, backtraces, jos env", 10, "hello", PROGRAM, ("-name", "hello")),
        test("steps over system calls", 5, "yield", CALLS, ("-name", "yield")),
        test("jos why and a backtrace of a program's page fault", 5, "faultread", FAULT),
        test("a program as Visual Studio Code starts it", 5, "hello", VSCODE, vscode="JOS64: run a program and stop at umain"),
        # By counted instructions the first environment's turn never ends before it does.
        test("jos env, walk and page with several environments", 10, "forktree", TREE, ("-icount", "shift=0,sleep=off")),
    ]


TESTS = tests()
