"""Page tables as a processor reads them: formats as data, and a walk of a whole tree.

Source: Intel SDM vol. 3A, 4.3 and 4.5; the RISC-V privileged architecture, 4.4. The kernel's own code for the same
tables (libjos/src/paging) is not used here, so that a mistake in it is not repeated.
"""

import array
from dataclasses import dataclass, field
from typing import NamedTuple

PAGE = 4096
# Rights of a mapping.
R, W, X, U, G = 1, 2, 4, 8, 16
# More than a kernel under test has: a broken tree must not keep the reader busy.
MOST_TABLES = 1500


@dataclass(frozen=True)
class Format:
    """A page-table format. Levels count from 0, whose entries map pages, up to the root's."""

    name: str
    levels: int
    index_bits: int
    entry_bytes: int
    address: int  # the bits of an entry that hold a physical address, shifted by `shift`
    va_bits: int
    leaf_levels: tuple  # the levels at which an entry may map a page
    bits: dict  # by name: P W U A D G, and NX or X, PS
    shift: int = 0  # an entry's address bits times 2^shift are the address
    software: int = 0  # bits left to software

    def span(self, level):
        """The bytes that an entry of `level` maps."""
        return PAGE << (level * self.index_bits)

    def entries(self, data):
        """The bytes of a table as numbers."""
        return array.array("I" if self.entry_bytes == 4 else "Q", data)

    @property
    def always(self):
        """The rights that a page has in any case: there is no bit to withhold them."""
        if "X" in self.bits:
            return 0
        return R if "NX" in self.bits else R | X

    def sign_extend(self, va):
        """A virtual address as the processor has it in 64 bits, if the format's addresses are extended."""
        if self.va_bits > 32 and va >> (self.va_bits - 1) & 1:
            return va | (1 << 64) - (1 << self.va_bits)
        return va

    def pa(self, entry):
        """The physical address in an entry."""
        return (entry & self.address) << self.shift

    def is_leaf(self, level, entry):
        """Whether a present entry maps a page."""
        if "X" in self.bits:
            return entry & (self.bits["R"] | self.bits["X"]) != 0
        return level == 0 or entry & self.bits["PS"] != 0

    def rights(self, entry):
        """The rights that an entry gives, by itself."""
        bits, rights = self.bits, R
        if "X" in bits:
            rights = (R if entry & bits["R"] else 0) | (X if entry & bits["X"] else 0)
        elif not entry & bits.get("NX", 0):
            rights |= X
        rights |= W if entry & bits["W"] else 0
        rights |= U if entry & bits["U"] else 0
        return rights | (G if entry & bits["G"] else 0)

    def odd_bits(self, level, entry):
        """The bits of a present entry that have no business in it: reserved ones, cache control, bits of a page in a
        table's entry."""
        bits, leaf = self.bits, self.is_leaf(level, entry)
        known = self.address | bits["P"] | (self.software if leaf else 0)
        names = ("R", "W", "X", "U", "G", "A", "D") if leaf else ("A", "W", "U", "NX") if "NX" in bits else ()
        if "X" not in bits:
            names = ("W", "U", "A", "D", "G", "NX", "PS") if leaf else ("W", "U", "A", "NX")
        for name in names:
            known |= bits.get(name, 0)
        if leaf and level == 0:
            known &= ~bits.get("PS", 0) | self.address
        odd = entry & ~known
        if "X" in bits and entry & bits["W"] and not entry & bits["R"]:
            odd |= bits["W"]
        if leaf:
            odd |= entry & self.address & ((self.span(level) - 1) >> self.shift) & ~(PAGE - 1 >> self.shift)
        return odd

    def lacking_bits(self, level, entry):
        """The bits that a present entry must have, and has not: where a processor may leave it to the kernel to note
        that a page is used and written, the kernel does so from the start."""
        if "X" not in self.bits or not self.is_leaf(level, entry):
            return 0
        return (self.bits["A"] | (self.bits["D"] if entry & self.bits["W"] else 0)) & ~entry

    def table_rights(self):
        """The rights of entries for tables that restrict what is below; 0 if they restrict nothing."""
        return 0 if "X" in self.bits else W | X | U


X86_BITS = {"P": 1, "W": 2, "U": 4, "A": 0x20, "D": 0x40, "PS": 0x80, "G": 0x100}
X86_64 = Format(
    "x86-64", 4, 9, 8, (1 << 52) - PAGE, 48, (0, 1, 2), {**X86_BITS, "NX": 1 << 63}, software=0xE00,
)
I386 = Format("i386", 2, 10, 4, (1 << 32) - PAGE, 32, (0, 1), X86_BITS, software=0xE00)
SV39 = Format(
    "Sv39", 3, 9, 8, (1 << 54) - (1 << 10), 39, (0, 1, 2),
    {"P": 1, "R": 2, "W": 4, "X": 8, "U": 0x10, "G": 0x20, "A": 0x40, "D": 0x80}, shift=2, software=0x300,
)


class Run(NamedTuple):
    """Virtual addresses mapped to physical ones in order, all with the same rights."""

    va: int
    size: int
    pa: int
    rights: int

    @property
    def end(self):
        """The first address behind it."""
        return self.va + self.size


class Table(NamedTuple):
    """A page table of `level`, whose first entry is for `va`; `at` is the address of the entry that leads to it."""

    level: int
    va: int
    pa: int
    at: int


@dataclass
class Tree:
    """What the tables of a root say."""

    runs: list = field(default_factory=list)  # from the lowest address up
    tables: list = field(default_factory=list)  # without the root
    large: list = field(default_factory=list)  # the entries of pages larger than 4 KB, as (pa, size)
    empty: list = field(default_factory=list)  # of these tables, those without any entry
    odd: list = field(default_factory=list)  # sentences about entries that no kernel may leave


def show_rights(rights):
    """Rights as text."""
    return "".join(letter if rights & bit else "-" for letter, bit in zip("rwxug", (R, W, X, U, G)))


def walk(form, load, root, slots=None):
    """The Tree of the tables at `root`. `load` gives the bytes at a physical address, or None where there is no RAM.
    With `slots`, only these entries of the root are followed."""
    tree = Tree()

    def table(level, pa, base, allowed):
        data = load(pa, PAGE)
        span = form.span(level)
        step, next_entry, longer = span >> form.shift, None, 0
        for index, entry in enumerate(form.entries(data)):
            if entry == next_entry:
                next_entry += step
                longer += span
                continue
            if longer:
                extend(longer)
            next_entry, longer = None, 0
            if not entry or (slots is not None and level == form.levels - 1 and index not in slots):
                continue
            va, at = form.sign_extend(base + index * span), pa + index * form.entry_bytes
            if not entry & form.bits["P"]:
                tree.odd.append(f"the entry at {at:#x}, for {va:#x}, is {entry:#x}, neither absent nor present")
                continue
            if odd := form.odd_bits(level, entry):
                tree.odd.append(f"the entry at {at:#x}, for {va:#x}, is {entry:#x}: bits {odd:#x} must be 0 in it")
            if lacking := form.lacking_bits(level, entry):
                tree.odd.append(f"the entry at {at:#x}, for {va:#x}, is {entry:#x}: bits {lacking:#x} must be 1 in it")
            rights = form.rights(entry)
            if form.is_leaf(level, entry):
                if level not in form.leaf_levels:
                    tree.odd.append(f"the entry at {at:#x}, for {va:#x}, is {entry:#x}, a page of {span:#x} bytes")
                    continue
                leaf(va, span, form.pa(entry) & ~(span - 1), rights & allowed)
                # Most pages lead to the frame behind the last page's, with the same bits: nothing else is asked of them.
                if level == 0 and not (entry ^ entry + len(data) * step) & ~form.address and not odd and not lacking:
                    next_entry = entry + step
            elif level == 0:
                tree.odd.append(f"the entry at {at:#x}, for {va:#x}, is {entry:#x}, a table below the last level")
            else:
                below = form.pa(entry)
                tree.tables.append(Table(level - 1, va, below, at))
                if len(tree.tables) > MOST_TABLES:
                    raise OverflowError(f"more than {MOST_TABLES} page tables from {root:#x} on")
                if load(below, PAGE) is None:
                    tree.odd.append(f"the entry at {at:#x}, for {va:#x}, leads to a table at {below:#x}, not in RAM")
                    continue
                restricted = form.table_rights()
                if not any(load(below, PAGE)):
                    tree.empty.append(tree.tables[-1])
                table(level - 1, below, base + index * span, allowed & (rights | ~restricted))

        if longer:
            extend(longer)

    def extend(size):
        last = tree.runs[-1]
        tree.runs[-1] = last._replace(size=last.size + size)

    def leaf(va, size, pa, rights):
        if size > PAGE:
            tree.large.append((pa, size))
        last = tree.runs[-1] if tree.runs else None
        if last and last.end == va and last.pa + last.size == pa and last.rights == rights:
            tree.runs[-1] = Run(last.va, last.size + size, last.pa, rights)
        else:
            tree.runs.append(Run(va, size, pa, rights))

    table(form.levels - 1, root, 0, R | W | X | U | G)
    return tree


def at(runs, va):
    """Where a virtual address leads by a list of runs: (physical address, rights), or None."""
    for run in runs:
        if run.va <= va < run.end:
            return run.pa + (va - run.va), run.rights
    return None


def translate(form, load, root, va):
    """Where the tables at `root` lead a virtual address, level by level: the list of (level, address of the entry,
    entry) that a processor reads."""
    steps, pa = [], root
    for level in reversed(range(form.levels)):
        index = (va & ((1 << form.va_bits) - 1)) // form.span(level) % (1 << form.index_bits)
        place = pa + index * form.entry_bytes
        entry = int.from_bytes(load(place, form.entry_bytes), "little")
        steps.append((level, place, entry))
        if not entry & form.bits["P"] or form.is_leaf(level, entry):
            break
        pa = form.pa(entry)
    return steps
