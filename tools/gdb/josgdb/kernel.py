"""Where the kernel keeps kern_pgdir, `pages` and the free list, at whatever point it stopped.

In this order: the static PMAP, once mem_init has returned; variables of the functions on the stack while it
runs; and what CR3 and UPAGES show, in the short time between. Structs are found by the debug information.
"""

import functools
import re
from typing import NamedTuple, Optional

import gdb

from . import machine
from .pages import Pages

PMAP = "kernel::pmap::PMAP"
PMAP_TYPE, PAGES_TYPE = "libjos::pmap::Pmap<", "libjos::mem::pages::Pages"
MOST_FRAMES = 64


class NotYet(Exception):
    """The machine has not come far enough for an answer: this is the answer."""


class Kernel(NamedTuple):
    """What is known; None stands for: not yet."""

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


def find(facts, form):
    """The Kernel, by what its memory holds now.

    Whatever gdb evaluates, it does so before memory is read physically: it must not take one for the other.
    """
    paging, root, _ = machine.mode()
    if not paging:
        return Kernel(None, None)
    candidates = [static(), *on_stack()]
    entry = entry_pgdir(facts)
    with machine.physical() as read:

        def physical(va):
            """Where a variable lies."""
            pa = form.translate(read, root, va)
            return facts.in_window(va) if pa is None else pa

        kern_pgdir = pages = None
        for candidate in candidates:
            if isinstance(candidate, int):
                kern_pgdir = candidate if kern_pgdir is None else kern_pgdir
                continue
            value = candidate
            if isinstance(candidate, At):
                pa = physical(candidate.va)
                if pa is None:  # What a register held before, and leads nowhere now.
                    continue
                value = gdb.Value(read(pa, candidate.type.sizeof), candidate.type)
            pmap = inner(value, PMAP_TYPE)
            if pmap is None:  # A Pages by itself, which may be what a Pmap was made of.
                pages = value if pages is None else pages
            elif number(pmap["kern_pgdir"]):  # The static begins as zeros.
                kern_pgdir, pages = number(pmap["kern_pgdir"]), pmap["pages"]
                break
        if kern_pgdir is None and root != entry:
            kern_pgdir = root
        if pages is not None:
            return Kernel(kern_pgdir, pages_of(facts, pages, physical, read))
        if kern_pgdir is not None:
            return Kernel(kern_pgdir, from_upages(facts, form, read, kern_pgdir))
    return Kernel(None, None)


class At(NamedTuple):
    """A value that is still to be read."""

    va: int
    type: gdb.Type


def static():
    """Where PMAP is."""
    found = gdb.lookup_static_symbol(PMAP) or gdb.lookup_global_symbol(PMAP)
    if found is None:
        raise gdb.GdbError(f"The kernel has no {PMAP}: tools/gdb/josgdb/kernel.py must be told where it is now.")
    value = found.value()
    return At(int(value.address), value.type)


def on_stack():
    """What the functions on the stack know, the innermost first: a Pmap, a Pages, or kern_pgdir as a number."""
    frame = gdb.newest_frame()
    for _ in range(MOST_FRAMES):
        if frame is None:
            break
        for name, value in variables(frame):
            try:
                pointer = value.type.code == gdb.TYPE_CODE_PTR
                type_ = value.type.target() if pointer else value.type
                if (type_.name or "").startswith(PMAP_TYPE) or type_.name == PAGES_TYPE:
                    if not pointer:
                        value.fetch_lazy()
                    yield At(int(value), type_) if pointer else value
                elif name == "kern_pgdir" and in_mem_init(frame):
                    yield number(value)
            except gdb.error:
                continue  # Optimised out, or not yet set.
        frame = frame.older()


def inner(value, prefix):
    """The first member, however deep, of a type whose name begins so."""
    if (value.type.name or "").startswith(prefix):
        return value
    if value.type.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return None
    for field in value.type.fields():
        if field.type.sizeof:
            found = inner(value[field], prefix)
            if found is not None:
                return found
    return None


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


def in_mem_init(frame):
    """Whether a frame is mem_init's own."""
    return bool(re.match(r"(.*::)?mem_init\b", frame.name() or ""))


def number(value):
    """The number in a PhysAddr, VirtAddr, Frame or plain integer."""
    while value.type.code == gdb.TYPE_CODE_STRUCT:
        value = value[value.type.fields()[0]]
    return int(value) % (1 << 64)


def pages_of(facts, pages, physical, read):
    """The array of a struct Pages."""
    array = pages["array"]["pointer"]
    pa, npages = physical(int(array["data_ptr"])), int(array["length"])
    data = read(pa, npages * facts.page_info["size"])
    return Pages(facts, data, pa, int(pages["page_free_list"]), int(pages["nfree"]))


def from_upages(facts, form, read, root):
    """The array as UPAGES shows it, which may be a few PageInfos of zeros too long: those are cut off."""
    tables, _ = form.tables(read, root)
    run = next((leaf for leaf in form.leaves(tables, root) if leaf.va == facts.upages), None)
    if run is None:
        return None
    size = sum(leaf.size for leaf in form.leaves(tables, root) if facts.region(leaf.va) is facts.region(facts.upages))
    data, info = read(run.pa, size), facts.page_info["size"]
    end = len(data)
    while end and not any(data[end - info : end]):
        end -= info
    return Pages(facts, data[:end], run.pa)


def entry_pgdir(facts):
    """The physical address of entry_pgdir."""
    va = symbol("entry_pgdir")
    return facts.in_window(va) if va is not None else None
