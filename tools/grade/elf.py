"""Reads an ELF file: its symbols, and the segments that a loader puts into memory.

Python's standard library is enough for it, so that the reader of a machine depends on no tool that was built with the
kernel. Source: the System V ABI, chapters 4 (symbols) and 5 (program headers).
"""

import struct
from pathlib import Path
from typing import NamedTuple

PT_LOAD, SHT_SYMTAB, STT_FILE = 1, 2, 4
X, W = 1, 2  # flags of a segment
# By class: the formats of the file header from e_entry on, of a program header, a section header, and a symbol.
HEADER = {1: "<IIIIHHHHHH", 2: "<QQQIHHHHHH"}
PROGRAM = {1: "<IIIIIIII", 2: "<IIQQQQQQ"}
SECTION = {1: "<10I", 2: "<IIQQQQIIQQ"}
SYMBOL = {1: "<IIIBBH", 2: "<IBBHQQ"}


class Segment(NamedTuple):
    """A run of physical memory that a loader fills from the file."""

    va: int
    pa: int
    size: int
    flags: int


class Image:
    """The symbols and segments of the ELF file at `path`."""

    def __init__(self, path):
        self.data = Path(path).read_bytes()
        self.kind = self.data[4]
        header = struct.unpack_from(HEADER[self.kind], self.data, 24)
        self.entry, program_at, section_at, _, _, _, nr_program, _, nr_section, _ = header
        self.segments = [self._segment(program_at, i) for i in range(nr_program)]
        self.segments = [segment for segment in self.segments if segment]
        sections = [self._section(section_at, i) for i in range(nr_section)]
        self.symbols = {}  # name -> address
        for kind, offset, size, link in sections:
            if kind == SHT_SYMTAB:
                self._symbols(offset, size, sections[link][1])

    def symbol(self, part):
        """The address of the one symbol whose (mangled) name has this part; `KeyError` if there is none."""
        if part in self.symbols:
            return self.symbols[part]
        for name, address in self.symbols.items():
            if part in name:
                return address
        raise KeyError(part)

    def _segment(self, at, index):
        size = struct.calcsize(PROGRAM[self.kind])
        row = struct.unpack_from(PROGRAM[self.kind], self.data, at + index * size)
        if self.kind == 1:
            kind, _, va, pa, _, memory_size, flags, _ = row
        else:
            kind, flags, _, va, pa, _, memory_size, _ = row
        return Segment(va, pa, memory_size, flags) if kind == PT_LOAD else None

    def _section(self, at, index):
        size = struct.calcsize(SECTION[self.kind])
        row = struct.unpack_from(SECTION[self.kind], self.data, at + index * size)
        return row[1], row[4], row[5], row[6]

    def _symbols(self, offset, size, names_at):
        step = struct.calcsize(SYMBOL[self.kind])
        for row in struct.iter_unpack(SYMBOL[self.kind], self.data[offset : offset + size // step * step]):
            name, info, value = (row[0], row[3], row[1]) if self.kind == 1 else (row[0], row[1], row[4])
            if name and info & 15 != STT_FILE:
                end = self.data.index(0, names_at + name)
                self.symbols[self.data[names_at + name : end].decode()] = value
