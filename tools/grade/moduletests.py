"""The graded tests of programs from boot modules: an ELF file, a tar archive, and what is neither (modules.py)."""

import re

from arch import PC
from built import MODULES
from gradelib import Machine, Test
from usertests import ALL_GONE, PANIC, exits, new
from words import CHECKS, WELCOME

RUNS = (new(), "hello, world", "i am environment 00001000", *exits(), *ALL_GONE)
NO_SUCH = 'there is no program "guest"'
NEITHER = re.compile("a boot module is neither a program nor an archive: this is no tar archive, or a damaged one: .*")
RAN = (PANIC, "hello, world")
# A folder in an archive is no news.
WARNING = re.compile(r".*\bWARN\b.*")


def module(title, file, *lines, no=(PANIC,)):
    """A test of a module that QEMU gives to the kernel."""
    machine = Machine(words="run=guest", options=("-initrd", str(MODULES / file)))
    return test(title, machine, lines, no)


def test(title, machine, lines, no):
    """A test of a module."""
    lines = (*CHECKS, *lines, *WELCOME, "K> exit")
    return Test(f"program: {title}", 5, machine, lines, no, tags=("program", "module"), needs=(PC,))


TESTS = [
    module("from a file", "program", *RUNS),
    module("from an archive", "archive.tar", *RUNS, no=(PANIC, WARNING)),
    test("from an archive, by GRUB", Machine("grub-module"), RUNS, (PANIC, WARNING)),
    module("no module is a text", "text", NEITHER, NO_SUCH, no=RAN),
    module("a file that ends early", "cut-program", "guest cannot be run: this is no ELF file, or a damaged one", no=RAN),
    module("an archive that ends early", "cut-archive.tar", NEITHER, NO_SUCH, no=RAN),
    module("an empty module", "empty", NO_SUCH, no=RAN),
]
