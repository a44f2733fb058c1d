"""Finds kern_pgdir, `pages` and the free list, by the record in kernel/src/globals.rs.

It is read from physical memory, so that it answers at every stop and on every processor.
"""

import functools
import re
from typing import NamedTuple, Optional

import gdb

from . import machine
from .pages import Pages

GLOBALS = "kernel::globals::GLOBALS"
MOST_FRAMES = 64
IN_REGISTERS = 8  # bytes of the largest value that i386 passes as such


class NotYet(Exception):
    """Raised if the kernel has not run far enough; its text is the command's answer."""


class Kernel(NamedTuple):
    """The places that are known; None if a place is not known yet."""

    kern_pgdir: Optional[int]
    pages: Optional[Pages]

    def need_kern_pgdir(self):
        """The page directory, or NotYet."""
        if self.kern_pgdir is None:
            raise NotYet("kern_pgdir is not known yet: mem_init has not allocated it.")
        return self.kern_pgdir


@functools.lru_cache(maxsize=None)
def symbol(name):
    """The address of a symbol of the image, code or data; None without one.

    `info address` alone would rather tell of a variable in scope that has the name.
    """
    for command, pattern in ((f"info variables ^{name}$", rf"^(0x[0-9a-f]+)  {name}$"),
                             (f"info address {name}", r" (?:at|address) (0x[0-9a-f]+)")):
        try:
            found = re.search(pattern, gdb.execute(command, to_string=True), re.M)
        except gdb.error:
            continue
        if found:
            return int(found[1], 16)
    return None


def find(facts):
    """The Kernel, read from memory now."""
    # Evaluate everything in gdb before switching to physical memory: gdb must not read physical memory as virtual.
    value = static(GLOBALS)
    if value is None:
        raise gdb.GdbError(f"The kernel has no {GLOBALS}: tools/gdb/josgdb/kernel.py must be told where it is now.")
    with machine.physical() as read:
        record = gdb.Value(read(facts.in_window(int(value.address)), value.type.sizeof), value.type)
        npages, kern_pgdir = number(record["npages"]), number(record["kern_pgdir"]) or None
        pa, head, nfree = (facts.in_window(number(record[name])) for name in ("pages", "page_free_list", "nfree"))
        if not npages or pa is None:
            return Kernel(kern_pgdir, None)
        sizes = (4, record["npages"].type.sizeof)
        head, nfree = (int.from_bytes(read(at, size), "little") for at, size in zip((head, nfree), sizes))
        if nfree and head == facts.page_info["END"]:
            head = None  # With pages=poison the list in the record is always empty.
        return Kernel(kern_pgdir, Pages(facts, read(pa, npages * facts.page_info["size"]), pa, head, nfree))


def static(name):
    """The value of a static variable of the kernel by its full name; None if it has none of that name."""
    found = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    return found.value() if found is not None else None


def variables(frame):
    """(name, value) of the variables in scope in a frame, the innermost first."""
    try:
        block = frame.block()
    except RuntimeError:
        return  # No debug information: assembly.
    while block is not None and not block.is_global and not block.is_static:
        for variable in block:
            if variable.is_variable or variable.is_argument:
                try:
                    value = variable.value(frame)
                except (gdb.error, RuntimeError):
                    continue
                if not value.is_optimized_out:
                    yield variable.name, value
        if block.function is not None:
            break
        block = block.superblock


def argument(frame, name):
    """The value of an argument of a frame.

    On i386 a large argument is passed by a pointer on the stack, and the compiler (LLVM 22) tells gdb the pointer's
    place as that of the argument.
    """
    frame.select()
    value = frame.read_var(name)
    plain = re.search(r"frame base reg \S+ offset 0\+\d+\.", gdb.execute(f"info address {name}", to_string=True))
    if machine.arch().name == "i386" and value.type.sizeof > IN_REGISTERS and plain:
        return value.address.cast(value.type.pointer().pointer()).dereference().dereference()
    return value


def in_mem_init(frame):
    """Whether a frame is mem_init's own."""
    return bool(re.match(r"(.*::)?mem_init\b", frame.name() or ""))


def number(value):
    """The number in a PhysAddr, VirtAddr, Frame or plain integer."""
    while value.type.code == gdb.TYPE_CODE_STRUCT:
        value = value[value.type.fields()[0]]
    return machine.unsigned(value)


def entry_pgdir(facts):
    """The physical address of entry_pgdir."""
    va = symbol("entry_pgdir")
    return facts.in_window(va) if va is not None else None
