"""The kernel's output, line by line, for the lists of tests: a good boot, a panic, a warning."""

import re

from arch import ARCH, HALVES, NX, PC
from built import OBJ
from gradelib import FAILURE, Machine, Test
from reports import DIGITS, REPORT

MB = 1024  # all sizes here are in K
HEX = f"0x{DIGITS}"
# An address in the kernel's image.
KERNEL = ARCH.address(ARCH.window(ARCH.image))[:-6] + ARCH.megabyte + "[0-9a-f]{5}"
# The beginning of a physical address of the kernel or right behind it, at full length and without zeros before it.
MB_1 = ARCH.address(ARCH.image)[:-6] + ARCH.megabyte
SHORT_MB_1 = f"{ARCH.image:#x}"[:-6] + ARCH.megabyte
# An entry that withholds execution, if a bit does.
NO_EXECUTE = "0x80000000[0-9a-f]{8}" if "NX" in ARCH.map.form.bits else HEX
UPAGES = ARCH.address(ARCH.upages)

def span(start, last):
    """A range of addresses, from the first one to the last."""
    return f"{ARCH.address(start)}-{ARCH.address(last)}"


CHECKS = (
    "check_page_free_list() succeeded!",
    "check_page_alloc() succeeded!",
    "check_page() succeeded!",
    "check_kern_pgdir() succeeded!",
    "check_page_free_list() succeeded!",
    "check_page_installed_pgdir() succeeded!",
)
TRAPS = r"kernel/src/panic\.rs"  # the file that reports all exceptions
WELCOME = ("Welcome to the JOS kernel monitor!", "Type 'help' for a list of commands.")


def amount(base, extended, limit=None, holes=0):
    """The lines about RAM, in K, below 1 MB and above. What lies above the limit, or above what the machine can use, is
    left unused; below it there are holes of this size in all."""
    low = 1024 if ARCH.has(PC) else 0
    lines = [f"Physical memory: {base + extended}K available, base = {base}K, extended = {extended}K"]
    limit = min(limit or ARCH.limit, ARCH.limit)
    if low + extended + holes > limit:
        above = ARCH.map.phys_base // 1024 + limit
        lines.append(f"Unused: {low + extended + holes - limit}K of RAM, all that lies above {above}K")
    return tuple(lines)


def opening(memory, limit=None, image="kernel"):
    """The first lines on a machine with so much memory (in K), which follow from QEMU's memory map. On PCs: 639K
    below the IO hole, of which whole pages count, and what is above 1 MB; everywhere without the firmware's."""
    firmware = ARCH.boot(image).firmware
    if ARCH.has(PC):
        return amount(639 // 4 * 4, memory - 1024 - firmware, limit)
    return amount(0, memory - firmware, limit, firmware)


def boots(memory=256 * MB, before=(), limit=None, image="kernel"):
    """The whole output of a good boot, up to the typed exit."""
    return (*before, *opening(memory, limit, image), *CHECKS, *WELCOME, "K> exit")


def panic(text, file=r"[\w/.-]+\.rs"):
    """A panic: its line, and a backtrace of at least one frame."""
    line = re.compile(rf"kernel panic at {file}:\d+:\d+: " + text)
    return line, "Backtrace:", re.compile(rf"  #0  {HEX}.*")


def cannot_start(why):
    """The line by which the entry code says why the kernel cannot start, and what to do."""
    return f"JOS64 cannot start: {why}"


# The last of the processors that are refused, and the line that says so.
REFUSED = ARCH.refused[-1].cpu
REFUSAL = cannot_start(ARCH.refused[-1].why)
NO_LOADER = cannot_start(
    f"not started by a multiboot2 or PVH loader; boot {OBJ}/jos.iso, or use {ARCH.qemu} -kernel {OBJ}/kernel"
)


def bad_information(why):
    """The kernel's message about unusable boot information: `why` is a pattern for the cause and the remedy."""
    return re.compile(rf"kernel panic at kernel/src/boot_info\.rs:\d+:\d+: JOS64 cannot start: the {why}")


def fault(name, points, title, text, file=TRAPS, needs=()):
    """A deliberate fault, picked by test=name: it ends in one panic after all checks, and never at a prompt."""
    lines = (*CHECKS, *panic(text, file))
    machine = Machine(words=f"test={name}")
    return Test(f"fault: {title}", points, machine, lines, NO_PROMPT, FAILURE, tags=("fault",), needs=needs)


def unknown_option(word):
    """The warning about an unknown word of the command line."""
    return f'warning: unknown option "{word}" ignored'


# All values of test=, in the kernel's order.
FAULT_NAMES = (
    *"read-null write-text write-rodata stack-overflow write-upages read-user read-hole double-free".split(),
    *"free-referenced boot-alloc-late panic failed-check table-outside-ram heap-stale".split(),
    *"heap-overrun heap-double-free heap-use-after-free heap-elsewhere".split(),
    *"page-use-after-free print-in-report".split(),
    *"fault-in-report exec-area reserved-bit".split(),
    *(("exec-data",) if ARCH.has(NX) else ()), *(("non-canonical",) if ARCH.has(HALVES) else ()),
    *(("screen-lost",) if ARCH.has(PC) else ()), *REPORT.faults,
)


def unknown_test(name):
    """The warning, with the names of all tests, four to a line."""
    rows = (" ".join(FAULT_NAMES[at : at + 4]) for at in range(0, len(FAULT_NAMES), 4))
    return f'warning: unknown test "{name}" ignored; known tests:', *(f" {row}" for row in rows)


KNOWN_OPTIONS = "known: test=NAME run=PROGRAM mem=SIZE log=LEVEL heap=poison pages=poison leakcheck -- APPLICATION'S WORDS"


NO_PROMPT = (re.compile(r"K> .*"), re.compile(r"kernel panic within .*"))

GRUB = Machine("grub")
PVH = Machine()

TWO_WORDS = (unknown_option("colour=mauve"), *unknown_test("nonsense"), KNOWN_OPTIONS)
ODD_WORDS = "test test= =x  foo-- --foo " + "y" * 200 + " log=loud --"
ODD_WARNINGS = (
    unknown_option("test"),
    *unknown_test(""),
    unknown_option("=x"),
    unknown_option("foo--"),
    unknown_option("--foo"),
    unknown_option("y" * 200),
    'warning: "log=loud" ignored: log= wants off, error, warn, info, debug or trace',
    KNOWN_OPTIONS,
)

WINDOW = '"window on physical memory"'


def page_fault(text):
    """The words of a panic for a page fault, whose text begins with the kind of access, as a pattern."""
    return REPORT.page_fault[text.split()[0]] + text
