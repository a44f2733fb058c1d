"""The parts of grade.py's tests: a machine, the outcome of its run, and the judgement of the run.

A test passes only if the serial output has every expected line, whole and in order, and no forbidden one, **and** QEMU
ended with exactly the expected status, **and** QEMU did not report a reset or a power-off: QEMU's status is 0 on a
triple fault and on a power-off, so 0 means nothing. A test of the memory system also wants the verdicts of the reader
that looks at the stopped machine (reading.py). graderun.py runs machines, gradeui.py reports, and the tests are in
grade.py.
"""

import itertools
from dataclasses import dataclass, field
from typing import Callable, Optional

from arch import ARCH, PC, UEFI

# QEMU's status. On PCs it is twice the value written to isa-debug-exit, plus one.
SUCCESS = 33
FAILURE = 35

# With these options (in Machine.options), QEMU logs how a machine resets itself.
LOG_RESETS = ("-d", "cpu_reset")
BY_DEVICE, BY_TRIPLE_FAULT = "by a device", "by a triple fault"

# The beginnings of the message of a kernel that gives up.
LAST_WORDS = ("kernel panic ", "JOS64 cannot start: ")


@dataclass(frozen=True)
class Machine:
    """A QEMU machine, and the input to it. Equal machines are run once."""

    image: str = "kernel"  # which of Bench.images: "grub..." an ISO image, by GRUB; others by QEMU's -kernel
    memory: str = "256M"
    board: str = ""  # QEMU's -machine, if it is not ARCH's
    uefi: bool = False  # UEFI firmware instead of a BIOS
    qemu: str = ""  # another machine's QEMU
    cpu: str = ""  # QEMU's default
    options: tuple = ()  # more arguments for QEMU
    exit_port: int = 0xF4  # where isa-debug-exit is; elsewhere the kernel does not find it, and a test can still use it
    words: str = ""  # the kernel's command line (for an ISO image: the one built into it)
    # Each text is typed at a prompt of its own. A function is called at the prompt as act(control) (control.py). The
    # next entry follows at once, unless the function returns a text, which is typed, or True: then it has typed a line
    # itself. A prompt will follow.
    typed: tuple = ("exit\r",)
    prompt: object = "K> "  # or a tuple of prompts
    at_entry: Optional[Callable] = None  # called as at_entry(stub, symbols) before the first instruction
    gdb: tuple = ()  # commands for gdb, after those of .gdbinit
    vscode: str = ""  # start gdb as this configuration of .vscode/launch.json does, not by .gdbinit
    patience: int = 1  # a factor of the usual timeout
    conduct: Optional[Callable] = None  # runs the machine in its own way, called as conduct(session) (graderun.py)


@dataclass(frozen=True)
class Test:
    """A graded test. Expected and forbidden lines are exact strings, or compiled patterns for whole lines."""

    title: str
    points: int
    machine: Machine
    lines: tuple = ()  # must all be there, in this order
    forbidden: tuple = ()
    status: int = SUCCESS
    resets: str = ""  # the machine must end by a reset, BY_PORT or BY_TRIPLE_FAULT; QEMU's status means nothing then
    whole: bool = False  # the lines must be the whole output
    anywhere: tuple = ()  # lines that must all be there, in any order
    gdb_lines: tuple = ()  # the expected lines of gdb's output
    gdb_whole: bool = False
    verdicts: tuple = ()  # what the reader of the machine must find without fault (reading.py)
    tags: tuple = ()
    needs: tuple = ()  # what the machine must have, in the words of arch.py; others do not have this test

    def is_for(self, arch):
        """Whether the machine has what the test needs."""
        machine = self.machine
        of_a_pc = machine.image.startswith("grub") or machine.board or machine.exit_port != Machine.exit_port
        return arch.has(*self.needs, *((UEFI,) if machine.uefi else ()), *((PC,) if of_a_pc else ()))


@dataclass
class Run:
    """The outcome of a machine's run."""

    command: list
    output: bytearray = field(default_factory=bytearray)  # of the serial line
    errors: str = ""  # of QEMU itself
    gdb_output: str = ""
    verdicts: dict = field(default_factory=dict)  # what the reader has judged -> its complaints
    status: Optional[int] = None  # None: it had to be killed
    shutdown: Optional[str] = None  # QMP's reason for a SHUTDOWN event
    problem: str = ""  # why the run is invalid
    seconds: float = 0.0

    @property
    def lines(self):
        """The serial output as lines, without their ends and without the firmware's. (A line that the kernel has
        firmware print may have two carriage returns.)"""
        text = self.output.decode("utf-8", "backslashreplace")
        lines = [line.rstrip("\r") for line in text.split("\n")]
        if ARCH.firmware_end:
            ends = (at for at, line in enumerate(lines, 1) if line.startswith(ARCH.firmware_end))
            return lines[next(ends, 0) :]
        return lines


def judge(test, run):
    """Why a test fails, as a list of sentences; an empty list is a pass."""
    if run.problem:
        return [run.problem]
    complaints = []
    if test.resets:
        if run.shutdown != "guest-reset":
            complaints.append(f"the machine did not reset itself (QMP: SHUTDOWN, {run.shutdown}; status {run.status})")
        elif "CPU Reset" not in run.errors:
            complaints.append(f"how the machine reset itself is unknown: QEMU needs {' '.join(LOG_RESETS)}")
        elif test.resets != (way := BY_TRIPLE_FAULT if "Triple fault" in run.errors else BY_DEVICE):
            complaints.append(f"the machine reset itself {way}, not {test.resets}")
    elif run.shutdown == "guest-reset":
        complaints.append("the machine reset itself, as by a triple fault (QMP: SHUTDOWN, guest-reset)")
    elif run.shutdown:
        complaints.append(f"the machine did not end by its device (QMP: SHUTDOWN, {run.shutdown})")
    if run.status != test.status and not test.resets:
        complaints.append(f"QEMU's status is {run.status}, not {test.status}")
    complaints += compare(test.lines, run.lines, test.whole)
    for pattern in test.anywhere:
        complaints += compare((pattern,), run.lines, False)
    complaints += [f"in gdb: {text}" for text in compare(test.gdb_lines, run.gdb_output.split("\n"), test.gdb_whole)]
    for name in test.verdicts:
        complaints += [f"in the machine: {text}" for text in run.verdicts.get(name, [f"{name}: never judged"])]
    for line in run.lines:
        complaints += [f"forbidden line: {line}" for pattern in test.forbidden if matches(pattern, line)]
    if complaints:
        complaints += [f"the kernel said: {line}" for line in run.lines if line.startswith(LAST_WORDS)][:1]
    return complaints


def compare(wanted, lines, whole):
    """A complaint if the wanted lines are missing or out of order or, if `whole`, not the whole output."""
    if whole:
        found = [line for line in lines if line]
        for pattern, line in itertools.zip_longest(wanted, found):
            if pattern is None:
                return [f"unexpected line: {line}"]
            if line is None or not matches(pattern, line):
                return [f"expected the line: {show(pattern)}", f"but there is: {line or 'nothing'}"]
        return []
    rest = iter(lines)
    for pattern in wanted:
        if not any(matches(pattern, line) for line in rest):
            late = any(matches(pattern, line) for line in lines)
            return [f"missing line{' (it is there, but out of order)' if late else ''}: {show(pattern)}"]
    return []


def show(pattern):
    """A wanted line, as shown in complaints."""
    return pattern if isinstance(pattern, str) else f"(pattern) {pattern.pattern}"


def matches(pattern, line):
    """Whether a whole line is this string or has this pattern."""
    return line == pattern if isinstance(pattern, str) else pattern.fullmatch(line) is not None
