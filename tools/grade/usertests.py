"""The graded tests of programs in ring 3 (user/): JOS's words, and what hostile programs must not achieve."""

import itertools
import re

import reading
from arch import ARCH, LONG_MODE, PC
from gradelib import Machine, Test
from words import CHECKS, WELCOME

FIRST, SECOND = "00001000", "00001001"
NOTHING_LEFT = "No runnable environments in the system!"
ALL_GONE = (NOTHING_LEFT, "Destroyed the only environment - nothing more to do!")
# The frame lies at the top of the kernel's stack: on i386 68 bytes, as in JOS.
INCOMING = re.compile(r"Incoming TRAP frame at 0xf*efffff[0-9a-f]{2}" if ARCH.has(LONG_MODE) else
                      f"Incoming TRAP frame at {ARCH.kstacktop - 68:#x}")
FRAME = re.compile(r"TRAP frame at 0xf+[0-9a-f]+ from CPU 0")
PANIC = re.compile(r".* user panic in .*|kernel panic .*")
# The lines about programs that the kernel ends for what they did.
UNHURT = (PANIC, INCOMING, re.compile(r".*(user fault|user_mem_check) .*"))
# What each environment of the tree says.
TREE = tuple(
    re.compile(f"[0-9a-f]{{4}}: I am '{path}'")
    for depth in range(4) for path in map("".join, itertools.product("01", repeat=depth))
)
# The code of a program, and the kernel's.
CODE = "0*008[0-9a-f]{5}"
KERNEL = ARCH.kernbase + 0x10_0000


def registers(number, name, error, cr2=None):
    """All lines of a frame, each register once: those of the program as it traps."""
    value = f"0x[0-9a-f]{{{ARCH.digits}}}"
    code, data = ("0023", "001b") if ARCH.has(LONG_MODE) else ("001b", "0023")
    general = [f"r{n}" for n in range(15, 7, -1)] if ARCH.has(LONG_MODE) else []
    general += "rbp rdi rsi rdx rcx rbx rax".split() if general else "edi esi ebp oesp ebx edx ecx eax".split()
    segments = [] if ARCH.has(LONG_MODE) else [f"  {register}   0x----0023" for register in ("es", "ds")]
    letter, stack = "r" if ARCH.has(LONG_MODE) else "e", ARCH.ustacktop - 0x1000 >> 12
    return (
        FRAME, *(re.compile(f"  {register:<4} {value}") for register in general), *segments,
        f"  trap 0x{number:08x} {name}", *((f"  cr2  {ARCH.address(cr2)}",) if cr2 is not None else ()),
        f"  err  0x{error}", re.compile(f"  {letter}ip  0x0*{CODE}"), f"  cs   0x----{code}",
        re.compile("  flag 0x00[0-9a-f]{6}"), re.compile(f"  {letter}sp  0x[0-9a-f]*{stack:x}[0-9a-f]{{3}}"),
        f"  ss   0x----{data}",
    )


def new(child=FIRST, parent="00000000"):
    """The line about an environment that was made."""
    return f"[{parent}] new env {child}"


def freed(env=FIRST, by=None):
    """The line about an environment that has ended, by itself or by another."""
    return f"[{by or env}] free env {env}"


def exits(env=FIRST):
    """The lines about an environment that ends as it should."""
    return f"[{env}] exiting gracefully", freed(env)


def trap(number, name, error=None):
    """The lines about a trap that ends a program or stops it: some of its registers."""
    return (
        INCOMING, FRAME, re.compile(rf"  trap 0x0*{number:08x} {name}"),
        *((re.compile(rf"  err  0x0*{error:08x}.*"),) if error is not None else ()),
    )


def fault(va, error):
    """The lines about a page fault that nobody handles."""
    incoming, *rest = trap(14, "Page Fault", error)
    return incoming, re.compile(rf"\[{FIRST}\] user fault va {va:08x} ip {CODE}"), *rest, freed()


def refused(va):
    """The lines about a program that hands the kernel memory which it may not use itself: the pattern of an address."""
    return re.compile(rf"\[{FIRST}\] user_mem_check assertion failure for va {va}"), freed()


def protected(error=None):
    """The lines about a program that does what it may not."""
    return (*trap(13, "General Protection", error), freed())


def program(name, *lines, title="", no=(PANIC,), end=ALL_GONE, anywhere=(), points=5, **machine):
    """A test that runs a program from the command line and exits at the prompt; the environments are read there."""
    lines = (*CHECKS, new(), *lines, *end, *WELCOME, "K> exit")
    machine = reading.read_after_programs(Machine(words=f"run={name}", **{"memory": "64M", **machine}))
    return Test(
        title or f"program: {name}", points, machine, lines, no, anywhere=anywhere, verdicts=reading.AMONG_PROGRAMS,
        tags=("program",), needs=(PC,),
    )


def hostile(name, **more):
    """A test of a program that tries what it may not, and counts its trials."""
    well = re.compile(rf"{name}: \d+ trials went as they must, and every page is back")
    failed = (PANIC, re.compile(r".*FAILED.*"))
    return program(name, well, *exits(), no=failed, **more)


TESTS = [
    program("hello", "hello, world", f"i am environment {FIRST}", *exits()),
    program("yield", f"Hello, I am environment {FIRST}.",
            *(f"Back in environment {FIRST}, iteration {i}." for i in range(5)),
            f"All done in environment {FIRST}.", *exits()),
    program("buggyhello", *refused("0*00000001"), no=(PANIC, INCOMING)),
    # The first page behind the program.
    program("buggyhello2", *refused("0*00[0-9a-f]{3}000"), no=(PANIC, re.compile("hello.*"))),
    program("evilhello", *refused(f"0*{KERNEL + 0xC:08x}")),
    program("divzero", INCOMING, *registers(0, "Divide error", "00000000"), freed(), no=(PANIC, re.compile("1/0 is.*"))),
    program("softint", *protected()),
    program("badsegment", *protected(0x28)),
    program("breakpoint", *trap(3, "Breakpoint"), end=(), no=(PANIC, freed())),
    program("faultread", *fault(0, 4), no=(PANIC, re.compile("I read.*"))),
    program("faultreadkernel", *fault(KERNEL, 5), no=(PANIC, re.compile("I read.*"))),
    program("faultwrite", *fault(0, 6)[:2],
            *registers(14, "Page Fault", "00000006 [user, write, not-present]", 0), freed()),
    program("faultwritekernel", *fault(KERNEL, 7)[:2],
            *registers(14, "Page Fault", "00000007 [user, write, protection]", KERNEL), freed()),
    program("testbss", "Making sure bss works right...", "Yes, good.  Now doing a wild write off the end...",
            re.compile(rf"\[{FIRST}\] user fault va 00c[0-9a-f]{{5}} ip {CODE}"), freed()),
    program("faultdie", "i faulted at va deadbeef, err 6", *exits()),
    program("faultregs", "Registers in UTrapframe OK", "Registers after page-fault OK", *exits(),
            no=(PANIC, re.compile(".*MISMATCH"))),
    program("faultalloc", "fault deadbeef", "this string was faulted in at deadbeef", "fault cafebffe",
            "fault cafec000", "this string was faulted in at cafebffe", *exits()),
    program("faultallocbad", *refused("0*deadbeef")),
    # The frame of the fault has no place.
    program("faultnostack", *refused(f"{(ARCH.utop - 0x1000) >> 12:x}[0-9a-f]{{3}}".zfill(8))),
    program("faultbadhandler", *refused("0*deadbeef")),
    program("faultevilhandler", *refused(f"0*{KERNEL + 0x20:08x}")),
    program("dumbfork", new(SECOND, FIRST), *(f"{i}: I am the parent!" for i in (0, 9)), *exits(),
            "19: I am the child!", *exits(SECOND)),
    program("forktree", "1000: I am ''", no=UNHURT, anywhere=TREE),
    program("forks", "every child had what its parent wrote", *exits(), no=UNHURT),
    program("spin", "I am the parent.  Forking the child...", new(SECOND, FIRST),
            "I am the parent.  Running the child...", "I am the child.  Spinning...",
            "I am the parent.  Killing the child...", f"[{FIRST}] destroying {SECOND}", freed(SECOND, FIRST), *exits(),
            # By counted instructions, so that the timer finds the parent at the same place each time. QEMU takes long over
            # the child's PAUSE then: at 8 ns each, fewer of them fill its turns.
            options=("-icount", "shift=3,sleep=off")),
    program("stresssched", no=UNHURT, anywhere=tuple(f"[{0x1001 + n:08x}] stresssched on CPU 0" for n in range(20))),
    program("sendpage", new(SECOND, FIRST), "1000 got message: hello child environment! how are you?",
            "child received correct message", "1001 got message: hello parent environment! I'm good.",
            "parent received correct message"),
    program("pingpong", new(SECOND, FIRST), "send 0 from 1000 to 1001",
            *(f"{1000 + (i % 2 == 0)} got {i} from {1000 + i % 2}" for i in range(11))),
    program(
        "floats", "floats: 5 of 5 kept their numbers",
        re.compile(r"\[0000[0-9a-f]{4}\] out of memory: no page to save its floating-point numbers in"),
        re.compile(r"floats: 4 trials went as they must, and every page is back"), *exits(),
        no=(PANIC, re.compile(r".*FAILED.*")), memory="64M",
    ),
    *(
        hostile(name)
        for name in ("privileged", "interrupts", "flags", "segments", "badpointers", "badids", "badperms", "badipc",
                     "badstacks", "layouts")
    ),
    hostile("exhaust", patience=3),
]
