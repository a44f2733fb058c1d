"""Programs in ring 3: their files, which of them an environment runs, and their symbols in gdb.

All programs are linked at the same addresses, so gdb has the symbols of one at a time.
"""

import functools
import struct
from pathlib import Path
from typing import NamedTuple

import gdb

from . import machine
from .facts import OBJ
from .context import CONTEXT

# A row of an ELF file's program headers: (its fields, the places in it of p_flags, p_offset, p_vaddr, p_filesz); and
# where the header has e_phoff, e_phentsize and e_phnum (System V ABI, generic part, chapters 4 and 5).
HEADERS = {1: ("<8I", 6, 1, 2, 4), 2: ("<2I6Q", 1, 2, 3, 5)}
PLACES = {1: ("<I", 28, 42), 2: ("<Q", 32, 54)}
LOAD, WRITABLE = 1, 2


class Program(NamedTuple):
    """A program's file, and what of it lies in memory unchanged: (address, bytes)."""

    path: Path
    parts: tuple

    @property
    def name(self):
        """The program's name."""
        return self.path.name


def parts_of(file):
    """The parts of a file that are loaded and cannot be written to; () if it is no program."""
    try:
        if file[:4] != b"\x7fELF":
            return ()
        kind = file[4]
        (form, flags, offset, address, size), (word, phoff, sizes) = HEADERS[kind], PLACES[kind]
        at, (step, count) = struct.unpack_from(word, file, phoff)[0], struct.unpack_from("<2H", file, sizes)
        rows = [struct.unpack_from(form, file, at + step * row) for row in range(count)]
    except (IndexError, KeyError, struct.error):
        return ()
    return tuple((row[address], file[row[offset] : row[offset] + row[size]]) for row in rows
                 if row[0] == LOAD and not row[flags] & WRITABLE and row[size])


def folder():
    """Where make keeps the machine's programs."""
    return OBJ / machine.arch().name / "user"


@functools.lru_cache(maxsize=None)
def program(path, _changed):
    """The Program in a file. A file that is built anew is read anew."""
    return Program(path, parts_of(path.read_bytes()))


def known():
    """The programs that there are, the loaded one first."""
    paths = sorted(folder().glob("*")) if folder().is_dir() else []
    if Symbols.path is not None:
        paths.insert(0, Symbols.path)
    return [program(path, path.stat().st_mtime_ns) for path in paths if path.is_file()]


def running(env):
    """The program whose code and constants lie in an environment's memory; None if none of the known ones does."""
    with machine.physical() as read:
        memory = Memory(read, env.root)
        return next((found for found in known() if found.parts and memory.holds(found.parts)), None)


class Memory:
    """What an address space shows, read once."""

    def __init__(self, read, root):
        self.read, self.root, self.pages = read, root, {}

    def page(self, va):
        """The page at an address; nothing if none is mapped."""
        if va not in self.pages:
            pa = CONTEXT.form.translate(self.read, self.root, va)
            self.pages[va] = b"" if pa is None else self.read(pa, CONTEXT.facts.page_size)
        return self.pages[va]

    def holds(self, parts):
        """Whether all parts of a file lie where they belong."""
        size = CONTEXT.facts.page_size
        for va, part in parts:
            for at in range(va - va % size, va + len(part), size):
                first, last = max(va, at), min(va + len(part), at + size)
                if self.page(at)[first - at : last - at] != part[first - va : last - va]:
                    return False
        return True


class Symbols:
    """The file of the program that gdb has the symbols of."""

    path = None


def load(path):
    """Gives gdb the symbols of the program in a file, in place of another's."""
    if path == Symbols.path:
        return
    if Symbols.path is not None:
        try:
            gdb.execute(f'remove-symbol-file "{Symbols.path}"', to_string=True)
        except gdb.error:
            pass  # The user has removed them.
        Symbols.path = None
    gdb.execute(f'add-symbol-file "{path}"', to_string=True)
    Symbols.path = path


def find(word):
    """The file of a program: a name of one that make has built, or a path."""
    built = folder() / word
    path = built if "/" not in word and built.is_file() else Path(word).resolve()
    if not path.is_file() or not parts_of(path.read_bytes()):
        names = " ".join(sorted(found.name for found in known()))
        raise gdb.GdbError(f"{word} is no program; there are: {names or 'none, run make'} (or give a file)")
    return path


def load_named():
    """Loads the program that QEMU's machine is named after: `make run-NAME-nox-gdb` names it so."""
    try:
        name = gdb.execute("monitor info name", to_string=True).strip()
    except gdb.error:
        return
    path = folder() / name
    if name and "/" not in name and path.is_file():
        load(path)
        print(f"The symbols of the program {name} are here, too: b umain stops where it begins.")
