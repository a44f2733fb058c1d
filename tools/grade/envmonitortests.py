"""The graded tests of the monitor's commands for environments: run, continue, si, envs, env, kill, and those that look
into one."""

import re
import time

from arch import ARCH, LONG_MODE, PC
from control import require
from gradelib import FAILURE, Machine, Test
from usertests import ALL_GONE, CODE, FIRST, NOTHING_LEFT, SECOND, exits, freed, new, trap
from words import CHECKS, HEX, WELCOME, span

TITLE = "ID       PARENT   STATUS        RUNS PAGES PROGRAM          AT"
NO_LEAK = "leakcheck: every page went back"
NOBODY = "there are no environments"
PANIC = re.compile(r"kernel panic.*")
WIDE = re.compile(r".{81,}")
# Bytes of an element of `envs`, and of what is before its id.
ENV_BYTES, BEFORE_ID = (256, 184) if ARCH.has(LONG_MODE) else (124, 72)
TEXT, UTEMP = 0x80_0000, 0x40_0000
# A program's code: one page, or two that are neighbours in RAM too.
TEXT_PAGES = rf"{ARCH.address(TEXT)}-0x0*80[01]fff"
# The last lines of `hello`.
LAST_OF_HELLO = f"hello, world\r\ni am environment {SECOND}\r\n" + "\r\n".join(exits(SECOND))
# The lines of the program `breakpoint` when it goes on from its breakpoint.
DONE = (*exits(), *ALL_GONE)


def row(env, parent, status, name, runs=r"\d+"):
    """The line of `envs` about an environment."""
    return re.compile(rf"{env} {parent} {status} +{runs} +\d+ {name:<16} 0x[0-9a-f]+( recv)?")


def stopped(name, env=FIRST):
    """The line about the environment that ran when all were stopped."""
    return re.compile(rf"environment {env} \({name}\) has stopped at 0x[0-9a-f]+; `continue` goes on")


def killed(env=FIRST):
    """The lines about an environment that the monitor ends."""
    return f"[00000000] destroying {env}", freed(env, "00000000")


def page_directory(control):
    """The page directory in use, as QEMU shows the register."""
    return re.search(r"CR3=([0-9a-f]+)", control.monitor("info registers")).group(1)


def let_run(control):
    """Give the machine time before it is asked again: each question stops it."""
    control.left()
    time.sleep(0.02)


def at_rest(control):
    """Note the page directory that is in use while the prompt waits and nothing else runs."""
    control.rest = page_directory(control)


def programs_run(control):
    """Wait until a program's page directory is in use, while the prompt waits for a key."""
    while page_directory(control) == control.rest:
        let_run(control)


def nobody_runs(control):
    """Check that no program runs any more."""
    control.wait_for_halt()
    require(page_directory(control) == control.rest, "a program's page directory is still in use")


def env_word(control, index, offset):
    """A word of an environment, as programs see it at UENVS, behind its id."""
    at = ARCH.upages - ARCH.ptsize + index * ENV_BYTES + BEFORE_ID + offset
    found = re.search(r": 0x([0-9a-f]{8})\b", control.monitor(f"x /1xw {at:#x}"))
    return int(found.group(1), 16) if found else None


def second_has_ended(control):
    """Wait until the second environment has come and gone: its status is 0."""
    while (env_word(control, 1, 0), env_word(control, 1, 12)) != (0x1001, 0):
        let_run(control)


def output(control):
    """All lines that the machine has printed."""
    return control.output.decode(errors="replace").replace("\r", "")


def wait_for_the_end(control):
    """Wait for another prompt, though nothing is typed, unless this one is below the lines of the end already."""
    return ALL_GONE[-1] not in output(control)


def share_with_kernel(control):
    """Map the first page of the program in the kernel's page directory, too."""
    found = re.findall(rf"{TEXT_PAGES} -> 0x0*([1-9a-f][0-9a-f]*000) ", output(control))
    require(found, "`env` does not show the program's first page")
    return f"insert -f UTEMP 0x{found[-1]}\r"


def free_a_table(control):
    """Free the page table of the program's code, which the kernel then finds when the program ends."""
    tables = re.findall(rf"0x0*{TEXT:x}: pte 0x[0-9a-f]+ pa 0x0*([1-9a-f][0-9a-f]*)\n", output(control))
    require(len(tables) > 1, "`vmprint` does not show the program's page table")
    return f"free -f 0x{tables[-2]}\r"


def tests():
    """All tests of the commands."""

    def of_a_pc(title, typed, *lines, words="leakcheck", no=(PANIC, WIDE), prompt="K> ", **more):
        machine = Machine(words=words, typed=typed, prompt=prompt)
        return Test(f"monitor: {title}", 5, machine, lines, no, tags=("monitor", "program"), needs=(PC,), **more)

    return [
        of_a_pc(
            "run: programs by name, a list of them",
            ("envs\r", "run\r", "run helo\r", "run hello spin\r", "run &\r", "run hello\r", "run hello\r", "envs\r",
             "kill 1000\r", "exit\r"),
            *CHECKS, *WELCOME, "K> envs", NOBODY,
            "K> run", "in the kernel's image:", re.compile(r"( \w+)* hello( \w+)*"),
            "K> run helo", 'there is no program "helo"', "in the kernel's image:",
            '"spin" is one word too many', "usage: run [PROGRAM [&]]", "something is missing",
            "K> run hello", "check_envs() succeeded!", new(), "hello, world", f"i am environment {FIRST}", *exits(),
            *ALL_GONE, "K> run hello", new("00002000"), *exits("00002000"), *ALL_GONE, "K> envs", NOBODY,
            f"environment {FIRST} has ended", "K> exit", NO_LEAK,
        ),
        of_a_pc(
            "run &: environments run while the prompt waits",
            (at_rest, "run idle &\r", programs_run, "envs\r", programs_run, "\x03", nobody_runs, "envs\r",
             "continue &\r", programs_run, "run hello &\r", second_has_ended, "kill 1000\r", nobody_runs, "exit\r"),
            *WELCOME, "K> run idle &", new(), row(FIRST, "00000000", "RUNNING", "idle", 1),
            stopped("idle"), re.compile("K> .*"), "K> envs", row(FIRST, "00000000", "RUNNING", "idle", 1),
            "K> continue &", "K> run hello &", new(SECOND), f"i am environment {SECOND}", *exits(SECOND),
            *killed(), "K> exit", NO_LEAK,
            # Lines that programs print at once may follow the prompt before that is seen.
            prompt=("K> ", f"K> {LAST_OF_HELLO}\r\n"),
        ),
        of_a_pc(
            "Ctrl-C stops the environments, continue goes on",
            ("run fairness\r\x03", "envs\r", "c\r\x03", "envs\r", "kill 1000\r", "continue\r", "si\r", "c\r",
             "c now\r", "exit\r"),
            *WELCOME, new(), "^C", stopped("fairness"), TITLE, row(FIRST, "00000000", "RUNNING", "fairness", 1),
            "K> c", "^C", stopped("fairness"), row(FIRST, "00000000", "RUNNING", "fairness", 1),
            "K> kill 1000", *killed(), "K> continue", "no environment can run",
            "K> si", "no environment has stopped while it ran", "K> c", "no environment can run",
            '"now" is one word too many', "usage: c [&]", "K> exit", NO_LEAK,
            no=(PANIC, WIDE, re.compile(r"K> \^C")),
        ),
        of_a_pc(
            "Ctrl-C stops what was in the background before",
            (at_rest, "run idle &\r", programs_run, "c\r\x03", nobody_runs, "envs\r", nobody_runs, "kill 1000\r", "exit\r"),
            *WELCOME, "K> run idle &", new(), "K> c", "^C", stopped("idle"), "K> envs",
            row(FIRST, "00000000", "RUNNING", "idle"), *killed(), "K> exit", NO_LEAK,
        ),
        of_a_pc(
            "a single step stops what was in the background before",
            (at_rest, "run idle &\r", programs_run, "si\r", nobody_runs, "envs\r", nobody_runs, "kill 1000\r", "exit\r"),
            *WELCOME, "K> run idle &", new(), "K> si", *trap(1, "Debug")[1:], "K> envs",
            row(FIRST, "00000000", "RUNNING", "idle"), *killed(), "K> exit", NO_LEAK,
        ),
        of_a_pc(
            "the prompt is there again when the environments have ended",
            ("run hello &\r", wait_for_the_end, "exit\r"),
            *WELCOME, "K> run hello &", new(), f"i am environment {FIRST}", *exits(), *ALL_GONE, "K> exit", NO_LEAK,
        ),
        of_a_pc(
            "leakcheck counts each page, but those that the kernel keeps for programs",
            ("run hello\r", "alloc 3\r", "exit\r"),
            *WELCOME, *ALL_GONE, "K> alloc 3", "leakcheck: 3 pages did not go back; 0 bytes of the heap are in use",
            status=FAILURE,
        ),
        of_a_pc(
            "a breakpoint, single steps, continue",
            ("envs\r", "si\r", "si\r", "c\r", "envs\r", "exit\r"),
            new(), *trap(3, "Breakpoint"), *WELCOME, row(FIRST, "00000000", "RUNNING", "breakpoint", 1),
            *(line for _ in range(2) for line in (
                "K> si", *trap(1, "Debug")[1:], re.compile(rf"  [er]ip  0x{CODE}"),
                re.compile(r"  flag 0x00000[02]\w\w"),
            )),
            "K> c", *DONE, "K> envs", NOBODY, "K> exit", NO_LEAK,
            words="run=breakpoint leakcheck",
        ),
        of_a_pc(
            "a single step that ends in a fault", (*("si\r",) * 12, "exit\r"),
            new(), *trap(3, "Breakpoint"), *WELCOME, "K> si", *trap(0, "Divide error"), freed(),
            "K> si", "no environment has stopped while it ran", "K> exit", NO_LEAK,
            words="run=stepfault leakcheck",
        ),
        of_a_pc(
            "env: registers, pages, and the kernel as a sharer",
            ("env 1000\r", share_with_kernel, "env 0x1000\r", "remove UTEMP\r", "env 00001000\r", "c\r", "checks\r",
             "exit\r"),
            *WELCOME, f"environment {FIRST} (breakpoint), started by the kernel", "  RUNNING, switched to 1 time",
            re.compile(r"  goes on at 0x800[0-9a-f]{3}; a page fault ends it"), "Registers:",
            re.compile(r".* trap 0x0*3 Breakpoint.*"), "Pages:",
            re.compile(rf"  {TEXT_PAGES} -> 0x[0-9a-f]+ {ARCH.perm('ur-x-')} [48] KB 4K"),
            re.compile(r"  \d+ in all, and \d+ page tables; the root is at 0x[0-9a-f]+"),
            "Frames with other uses (pp_ref above 1):", "  none",
            "K> env 0x1000", f"  {span(TEXT, TEXT + 0xFFF)} pp_ref 2", f"    kernel   at {ARCH.address(UTEMP)}",
            "K> env 00001000", "  none", *DONE, "K> checks", *CHECKS, "K> exit", NO_LEAK,
            words="run=breakpoint leakcheck",
        ),
        of_a_pc(
            "env: environments that share pages",
            ("env 1001\r", "map 1001\r", "kill 1000\r", "env 1001\r", "envs\r", "exit\r"),
            new(), new(SECOND, FIRST), *trap(3, "Breakpoint"), *WELCOME,
            "K> env 1001", f"environment {SECOND} (forkbreak), child of {FIRST}",
            re.compile(r"  goes on at 0x80[0-9a-f]{4}; a page fault is handed to 0x80[0-9a-f]{4}"),
            re.compile(rf"  {ARCH.address(TEXT)}-{HEX} pp_ref 2"), f"    {FIRST} at the same address",
            "K> map 1001", f"{ARCH.address(TEXT)} RW/RW program", "K> kill 1000", *killed(),
            "K> env 1001", "Frames with other uses (pp_ref above 1):", "  none",
            row(SECOND, FIRST, "RUNNABLE", "forkbreak"),
            re.compile(r"leakcheck: \d+ pages did not go back; 0 bytes of the heap are in use"),
            words="run=forkbreak leakcheck", status=FAILURE,
        ),
        of_a_pc(
            "commands that look into an environment",
            ("showmappings -e 1000 0x800000\r", "showmappings 0x800000\r", "translate -e 1000 0x800000\r",
             "dump -e 1000 0x800000 4\r", "vmprint -e 1000\r", "vmprint 1001\r", "env zz\r", "kill\r", "kill 2000\r",
             "kill 1000\r", "vmprint 1000\r", "exit\r"),
            *WELCOME, re.compile(rf"{TEXT_PAGES} -> 0x[0-9a-f]+ {ARCH.perm('ur-x-')} [48] KB 4K"),
            "K> showmappings 0x800000", f"{span(TEXT, TEXT + 0xFFF)} not mapped",
            "K> translate -e 1000 0x800000", re.compile(r" +\+-> .* 4 KB page at 0x[0-9a-f]+ .*"),
            "K> dump -e 1000 0x800000 4", re.compile(rf"{ARCH.plain(TEXT)}: [0-9a-f]{{4}} [0-9a-f]{{4}} .*"),
            "K> vmprint -e 1000", re.compile(rf"( \.\.)+{ARCH.address(TEXT)}: pte {HEX} pa {HEX}"),
            f"there is no environment {SECOND}; `envs` lists them",
            '"zz" is not the id of an environment, such as 00001000', "usage: env ID",
            "something is missing", "usage: kill ID", "there is no environment 00002000; `envs` lists them",
            "K> kill 1000", *killed(), f"environment {FIRST} has ended", "K> exit", NO_LEAK,
            words="run=breakpoint leakcheck", no=(PANIC, re.compile(rf"( \.\.)+{ARCH.address(ARCH.kernbase)}: .*")),
        ),
        of_a_pc(
            "the report of a panic names the environment", ("fault read-null\r",),
            *WELCOME, re.compile(r"kernel panic at .*: .*read of.*"),
            re.compile(rf"The current environment is {FIRST} \(breakpoint\), at 0x800[0-9a-f]{{3}}"), "Backtrace:",
            words="run=breakpoint", no=(), status=FAILURE,
        ),
        of_a_pc(
            "a panic on behalf of an environment names it", ("vmprint 1000\r", free_a_table, "c\r"),
            *WELCOME, f"[{FIRST}] exiting gracefully", re.compile(r"kernel panic at .*libjos.*"),
            re.compile(rf"The current environment is {FIRST} \(breakpoint\), at 0x800[0-9a-f]{{3}}"), "Backtrace:",
            words="run=breakpoint", no=(NOTHING_LEFT,), status=FAILURE,
        ),
        *(() if ARCH.has(PC) else (
            Test(
                "monitor: no programs on this machine", 5,
                Machine(
                    words="run=hello",
                    typed=("run\r", "run hello &\r", "envs\r", "kill 1000\r", "c\r", "si\r", "exit\r"),
                ),
                (
                    *CHECKS, "this machine runs no programs yet", *WELCOME,
                    "K> run", "this machine runs no programs yet",
                    "this machine runs no programs yet", NOBODY, f"there is no environment {FIRST}; `envs` lists them",
                    "no environment can run", "no environment has stopped while it ran", "K> exit",
                ),
                (PANIC,), tags=("monitor",),
            ),
        )),
    ]


TESTS = tests()
