"""The graded tests of docs/environments.md: each of its transcripts is played and compared.

A block that begins with `$ make run-NAME-nox` is the machine's serial line: what stands after the prompt is typed, and every
line must appear, in this order; a line "..." stands for any others. One that begins with `$ make run-NAME-nox-gdb` is a session
of gdb, of which all output is compared; if "..." comes first, it begins as the first session does, and if "..." stands among the pages of a program, all lines must
appear, in this order. What differs from one build to the next is left open as in the tour of gdb
(tools/gdb/tour.py).
"""

import re
from pathlib import Path

import tour
from arch import LONG_MODE
from gradelib import Machine, Test
from words import WELCOME

BLOCK = re.compile(r"^```console\n\$ make run-(\w+)-nox(-gdb)?(?: +#[^\n]*)?\n(.*?)^```$", re.M | re.S)
# By counted instructions, not by the host's clock, each environment's turn ends at the same place in every run.
SAME_TURNS = ("-icount", "shift=0,sleep=off")
DETACHED = re.compile(r"\[Inferior 1 \(process 1\) detached\]")
PROMPT = "K> "


# Further parts are left open, since they are the compiler's choice: the arguments of a method of the kernel; in which of a
# program's functions, inlined or not, an address lies; and all registers of a program but the call's number.
REGISTERS = re.compile(r"    (?!rax)\w+ +0x[0-9a-f]+  \w+ +0x[0-9a-f]+")
OPEN = (re.compile(r"\(self=.*\)(?= at )"), re.compile(r"(?<=[0-9a-f] )\((?:user::|umain)[^()]*\)$"))


def pattern(line, machine):
    """The pattern for a line of gdb's."""
    if REGISTERS.fullmatch(line):
        return re.compile(re.sub(r"0x[0-9a-f]+", "0x[0-9a-f]+", re.sub(" +", " +", line)))
    for places in OPEN:
        if found := places.search(line):
            parts = (line[: found.start()], line[found.end() :])
            before, after = (tour.pattern(part, machine).pattern.removesuffix(r"\s*") for part in parts)
            return re.compile(rf"{before}\(.*\){after}\s*")
    return tour.pattern(line, machine)


def serial(name, lines, machine):
    """The test of a transcript of the serial line."""
    typed = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT) and line != PROMPT]
    wanted = [line if line.startswith(PROMPT) else tour.pattern(line, machine)
              for line in lines if line.strip() not in ("...", PROMPT.strip(), "")]
    played = Machine(words=f"run={name}", typed=tuple(f"{line}\r" for line in (*typed, "exit")))
    return played, {"lines": (*wanted, "K> exit")}


def debugged(name, lines, machine):
    """The test of a session of gdb."""
    whole = "    ..." not in lines  # It stands for the pages of a program, which are as many as its code needs.
    commands, patterns = tour.played([line for line in lines if line != "    ..."], machine, pattern)
    played = Machine(words=f"run={name}", options=("-name", name, *SAME_TURNS), gdb=("source tools/gdb/start.gdb", *commands))
    return played, {"lines": (*WELCOME, "K> exit"), "gdb_lines": (*patterns, DETACHED), "gdb_whole": whole}


def tests(root):
    """All tests of the page, for the project at `root`."""
    found = BLOCK.findall(Path(root, "docs/environments.md").read_text())
    first, opening = next((name, text.partition("(gdb) ")[0]) for name, gdb, text in found if gdb)
    made = []
    for number, (name, gdb, text) in enumerate(found, 1):
        if gdb and text.startswith("...\n"):
            text = opening.replace(first, name) + text.removeprefix("...\n")
        machine, wanted = (debugged if gdb else serial)(name, text.splitlines(), tour.MACHINES["x86_64"])
        title = f"docs/environments.md, {number}: {name}{', in gdb' if gdb else ''}"
        made.append(Test(title, 5, machine, tags=("program", "docs"), needs=(LONG_MODE,), **wanted))
    return made
