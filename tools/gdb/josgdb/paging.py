"""Page tables: the walk of an address, and all mappings of a page directory.

A `read` here is a function (physical address, size) -> bytes. Levels count from the bottom, as in libjos.
"""

import struct
from dataclasses import dataclass

# Bits of an x86 entry that the processor defines and JOS64's format does not use (Intel SDM vol. 3A, 4.5.4).
UNUSED_BITS = {3: "PWT", 4: "PCD"}
# Bits that it leaves to software, which are a program's own (JOS's PTE_AVAIL).
AVAIL = 0xE00


@dataclass(frozen=True)
class Entry:
    """An entry as the processor decodes it: kind is "absent", "table" or "page"."""

    kind: str
    pa: int = 0
    perm: int = 0  # of a page; of a table, the permissions that it lets through


@dataclass(frozen=True)
class Step:
    """One level of a walk."""

    level: int
    table: int
    index: int
    at: int
    word: int
    entry: Entry


@dataclass(frozen=True)
class Run:
    """A run of bytes at va mapped to pa, with the permissions that all levels together grant."""

    va: int
    size: int
    pa: int
    perm: int
    smallest: int  # bytes of the smallest page in it
    largest: int

    @property
    def last(self):
        """The last address."""
        return self.va + self.size - 1


class Format:
    """The page-table format that the facts describe."""

    def __init__(self, facts):
        self.facts, form = facts, facts.format
        self.levels, self.entries, self.index_bits = facts.levels, facts.entries, form["index_bits"]
        self.root, self.word = len(self.levels) - 1, form["entry_bytes"]
        # Addresses that fill their word are not sign-extended.
        self.span = self.levels[self.root]["size"] * self.entries
        self.halves = self.span <= facts.last
        self.perms, self.present = form["perms"], form["present"]
        # On x86 one bit, PS, tells a page from a table; on RISC-V a page is an entry that grants something.
        self.large = self.levels[1]["leaf"] & ~sum(form["grants"].values())
        self.used = (("A", form["accessed"]), ("D", form["dirty"]))
        self.note = form["note"]
        self.everything = sum(self.perms.values())

    def decode(self, level, word):
        """Decodes an entry of a level as the processor does."""
        if not word & self.present:
            return Entry("absent")
        form, perm = self.facts.format, 0
        for name, bit in self.perms.items():
            granted, withheld = form["grants"][name], form["withholds"][name]
            if word & granted == granted and not word & withheld:
                perm |= bit
        kind = "page" if word & self.levels[level]["leaf"] else self.levels[level]["others"]
        if kind == "table":
            through = sum(bit for name, bit in self.perms.items() if not form["tables"][name])
            return Entry("table", (word & form["table_address"]) << form["address_shift"], perm | through)
        if kind == "absent":
            return Entry("absent")
        return Entry("page", (word & self.levels[level]["address"]) << form["address_shift"], perm)

    def flags(self, level, word):
        """The bits of an entry by name."""
        form = self.facts.format
        bits = [*((name, bit) for name, bit in form["grants"].items() if bit), *self.used]
        bits.append(("P" if self.large else "V", self.present))
        bits += [("XD" if name == "X" else f"no {name}", bit) for name, bit in form["withholds"].items() if bit]
        if self.large:
            bits.append(("PS" if level else "PAT", self.large))
            bits += [(name, 1 << bit) for bit, name in UNUSED_BITS.items()]
            bits.append((f"AVAIL={word & AVAIL:#x}", AVAIL))
        return " ".join(name for name, bit in sorted(bits, key=lambda row: row[1]) if word & bit) or "-"

    def index(self, level, va):
        """The index of the table's entry that maps an address."""
        return va // self.levels[level]["size"] % self.entries

    def address(self, level, base, index):
        """The lowest address that an entry maps; base is its table's lowest. Sign-extended at the root."""
        va = base + index * self.levels[level]["size"]
        extend = self.halves and level == self.root and va >= self.span // 2
        return va - self.span + (1 << 64) if extend else va

    def is_canonical(self, va):
        """Whether the format can translate an address."""
        if not self.halves:
            return va < self.span
        return va < self.span // 2 or va >= (1 << 64) - self.span // 2

    def walk(self, read, root, va):
        """The walk of an address from the root down to the entry that decides: a page, or an absent one."""
        steps, table = [], root
        for level in range(self.root, -1, -1):
            index = self.index(level, va)
            at = table + self.word * index
            word = int.from_bytes(read(at, self.word), "little")
            entry = self.decode(level, word)
            steps.append(Step(level, table, index, at, word, entry))
            if entry.kind != "table":
                break
            table = entry.pa
        return steps

    def translate(self, read, root, va):
        """The physical address that an address leads to, or None."""
        step = self.walk(read, root, va)[-1]
        if step.entry.kind != "page" or not self.is_canonical(va):
            return None
        return step.entry.pa + va % self.levels[step.level]["size"]

    def granted(self, steps):
        """The permissions that all levels of a walk to a page together grant."""
        perm = self.everything
        for step in steps:
            perm &= step.entry.perm
        return perm

    def tables(self, read, root, limit=4096):
        """All tables of a directory, as {physical address: (level, lowest address, words)}; and whether they are all.

        A directory's entry for itself is left out: what it shows are these tables.
        """
        found, todo = {}, [(root, self.root, 0)]
        while todo and len(found) < limit:
            table, level, base = todo.pop()
            letter = {4: "I", 8: "Q"}[self.word]
            words = struct.unpack(f"<{self.entries}{letter}", read(table, self.word * self.entries))
            found[table] = (level, base, words)
            for index in range(self.entries - 1, -1, -1) if level else ():
                entry = self.decode(level, words[index]) if words[index] else None
                if entry and entry.kind == "table" and entry.pa not in found and entry.pa != root:
                    todo.append((entry.pa, level - 1, self.address(level, base, index)))
        return found, not todo

    def leaves(self, tables, root):
        """Every page that tables() found, as runs of one page, by address."""
        yield from self._leaves_of(tables, root, root, self.everything)

    def _leaves_of(self, tables, root, table, allows):
        level, base, words = tables[table]
        for index, word in enumerate(words):
            if not word & self.present:
                continue
            entry = self.decode(level, word)
            if entry.kind == "page":
                size = self.levels[level]["size"]
                yield Run(self.address(level, base, index), size, entry.pa, entry.perm & allows, size, size)
            elif entry.pa != root and entry.pa in tables and tables[entry.pa][0] == level - 1:
                yield from self._leaves_of(tables, root, entry.pa, allows & entry.perm)


def merged(leaves, joins=lambda one, other: True):
    """Merges neighbouring runs that continue in both address spaces with the same permissions."""
    run = None
    for leaf in leaves:
        follows = run and run.perm == leaf.perm and run.va + run.size == leaf.va and run.pa + run.size == leaf.pa
        if follows and joins(run, leaf):
            smallest, largest = min(run.smallest, leaf.smallest), max(run.largest, leaf.largest)
            run = Run(run.va, run.size + leaf.size, run.pa, run.perm, smallest, largest)
            continue
        if run:
            yield run
        run = leaf
    if run:
        yield run
