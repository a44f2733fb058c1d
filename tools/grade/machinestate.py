"""The state of a stopped machine as the judgements need it: registers, physical memory, the kernel's places.

Nothing here asks the kernel. Where its variables lie is told by its symbols; `GLOBALS` (kernel/src/globals.rs) has the
five words that gdb uses too.
"""

import array
import copy
import struct
from functools import cached_property

import cpus
import tableformat
from elf import W, X
from loaderinfo import Range
from memmap import Kernel
from tableformat import PAGE

# `pp_link` of a frame that is not on the free list, and of the last one that is (PageInfo in libjos).
IN_USE, RESERVED, END = 0xFFFF_FFFF, 0xFFFF_FFFE, 0xFFFF_FFFD
PAGE_INFO = 8  # bytes: pp_link, then pp_ref or the link back


class Unreadable(Exception):
    """Raised if the machine's state cannot be read, with what is wrong with it."""


class State:
    """A stopped machine. `load_physical(pa, size)` gives its memory; the kernel's ELF file is `image`, `info` is what
    the loader said; no RAM but the first `limit` bytes may be used, nor the ranges `given_up`."""

    def __init__(
        self, jos, image, info, found, load_physical, limit=None, given_up=(), fresh=False, programs=False
    ):
        self.fresh = fresh  # whether nothing has run yet that maps pages of its own
        self.programs = programs  # whether there is an array of environments (environments.py)
        self.given_up = given_up
        self.jos, self.image, self.info, self.registers = jos, image, info, found
        self.cpu = cpus.of(jos.form)
        self._load, self._tables = load_physical, {}
        self.ram = [run for run in info.ram() if run.end > jos.phys_base and run not in given_up]
        top = jos.phys_base + min(max(jos.window, jos.physmap_max), limit or 1 << 64)
        self.ram = [run._replace(end=min(run.end, top)) for run in self.ram if run.start < top]

    def load(self, pa, size):
        """Bytes of physical memory; None where there is neither the kernel nor RAM that the loader told of."""
        kernel = Range(self.kernel.start, self.kernel.end)
        if not any(run.start <= pa and pa + size <= run.end for run in (kernel, *self.ram)):
            return None
        if size != PAGE:
            return self._load(pa, size)
        if pa not in self._tables:
            self._tables[pa] = self._load(pa, PAGE)
        return self._tables[pa]

    def must_load(self, pa, size, name):
        """Bytes of physical memory that must be RAM."""
        data = self.load(pa, size)
        if data is None:
            raise Unreadable(f"{name} is said to lie at {pa:#x} ({size} bytes), where there is no RAM")
        return data

    @cached_property
    def kernel(self):
        """Where the kernel lies in physical memory."""
        loaded = self.image.segments
        start, end = min(s.pa for s in loaded), max(s.pa + s.size for s in loaded)
        data = min(s.pa for s in loaded if s.flags & W)
        rodata = min(s.pa for s in loaded if not s.flags & (W | X))
        stack = self.image.symbols["bootstack"] - self.jos.kernbase + self.jos.phys_base
        return Kernel(start, rodata, data, -(-end // PAGE) * PAGE, stack)

    def is_on(self, feature):
        """Whether the processor's register has the bit for a feature."""
        register, bit, _ = self.cpu.optional.get(feature, ("", 0, ""))
        return feature in self.cpu.always or self.registers[register] & bit != 0

    @cached_property
    def root(self):
        """The physical address of the root table in use."""
        return self.cpu.root_table(self.registers)

    def of(self, root):
        """The same machine as the tables at `root` show it."""
        other = copy.copy(self)
        for name in ("tree", "shown_tables"):
            other.__dict__.pop(name, None)
        other.root = root
        return other

    @cached_property
    def globals(self):
        """The kernel's record of JOS's globals: npages, kern_pgdir, and where pages, page_free_list and nfree lie."""
        try:
            va = self.image.symbol("7globals7GLOBALS")
        except KeyError:
            raise Unreadable("the kernel has no record GLOBALS (kernel/src/globals.rs)") from None
        data = self.must_load(self.shown(va), 5 * self.cpu.word, "GLOBALS")
        npages, kern_pgdir, *places = self.cpu.words(data)
        if not npages or not kern_pgdir:
            raise Unreadable(f"there is no memory system: npages is {npages}, kern_pgdir {kern_pgdir:#x}")
        return npages, kern_pgdir, *(self.shown(va) for va in places)

    def shown(self, va):
        """The physical address that the window at KERNBASE shows at `va`."""
        pa = va - self.jos.kernbase + self.jos.phys_base
        if not 0 <= va - self.jos.kernbase < self.jos.window:
            raise Unreadable(f"{va:#x} is not in the window at KERNBASE")
        return pa

    @cached_property
    def npages(self):
        """How many frames `pages` must describe: up to the end of RAM."""
        return (self.ram[-1].end - self.jos.phys_base) // PAGE

    @cached_property
    def pages_at(self):
        """The physical address of the array `pages`."""
        return self.globals[2]

    @cached_property
    def pages_size(self):
        """Bytes of the array `pages`, in whole pages."""
        return -(-self.npages * PAGE_INFO // PAGE) * PAGE

    @cached_property
    def words(self):
        """The array `pages` as numbers of 32 bits: a link and a count for each frame."""
        if self.globals[0] != self.npages:
            raise Unreadable(f"npages is {self.globals[0]}, but by the loader's map RAM has {self.npages} frames")
        return array.array("I", self.must_load(self.pages_at, self.npages * PAGE_INFO, "pages"))

    @cached_property
    def links(self):
        """`pp_link` of each frame."""
        return self.words[0::2]

    @cached_property
    def refs(self):
        """`pp_ref` of each frame, or its link back if it is free."""
        return self.words[1::2]

    @cached_property
    def not_free(self):
        """The numbers of the frames that `pages` does not call free."""
        return [number for number, link in enumerate(self.links) if link > END]

    @cached_property
    def head(self):
        """The number of the first free frame."""
        return struct.unpack("<I", self.must_load(self.globals[3], 4, "page_free_list"))[0]

    @cached_property
    def nfree(self):
        """The allocator's own count of free frames."""
        return int.from_bytes(self.must_load(self.globals[4], self.cpu.word, "nfree"), "little")

    @cached_property
    def tree(self):
        """The tables in use, without what UVPT shows."""
        form = self.jos.form
        slots = set(range(1 << form.index_bits)) - {self.jos.slots.get("UVPT")}
        return tableformat.walk(form, self.load, self.root, slots)

    @cached_property
    def shown_tables(self):
        """What UVPT shows."""
        return tableformat.walk(self.jos.form, self.load, self.root, {self.jos.slots["UVPT"]})

    def frame(self, number):
        """A frame's physical address."""
        return self.jos.phys_base + number * PAGE

    def number(self, pa):
        """The number of the frame at a physical address."""
        return (pa - self.jos.phys_base) // PAGE

    def numbers(self, run):
        """The numbers of the frames of a physical range that `pages` describes."""
        return range(max(self.number(run.start), 0), min(self.number(run.end), self.npages))
