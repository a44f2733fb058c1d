"""Pretty printers: addresses with names, entries and permissions in words, PageInfo by its state."""

import re

import gdb
import gdb.printing

from . import kernel, machine
from .pages import info_text
from .context import CONTEXT


class Text:
    """A value that is one word."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """The printed text."""
        try:
            return self.text()
        except gdb.GdbError:  # Without facts.json there are no names.
            return self.value.format_string(raw=True)


class Address(Text):
    """PhysAddr, VirtAddr: as Rust's Debug writes them; a virtual address with its place in the map."""

    def text(self):
        """The number, and its name."""
        name, number = self.value.type.name.rpartition("::")[2], kernel.number(self.value)
        place = CONTEXT.facts.place(number) if name == "VirtAddr" and number >= CONTEXT.facts.addresses["UTOP"] else ""
        return f"{name}({number:#x}{' = ' + place if place else ''})"


class Frame(Text):
    """pages::Frame: the index in `pages`, and the address."""

    def text(self):
        """The index and the address."""
        index, facts = kernel.number(self.value), CONTEXT.facts
        if index == facts.page_info["END"]:  # The head of an empty list.
            return "Frame(none)"
        return f"Frame({index} = {facts.map['physical']['PHYS_BASE'] + index * facts.page_size:#x})"


class Range(Text):
    """PhysRange."""

    def text(self):
        """Both ends."""
        start, end = kernel.number(self.value["start"]), kernel.number(self.value["end_exclusive"])
        return f"[{start:#x}, {end:#x})"


class Ranges(Text):
    """RangeSet: its runs, without unused elements."""

    def text(self):
        """The runs."""
        runs = self.value["runs"]
        return "{" + ", ".join(str(Range(runs[i]).text()) for i in range(int(self.value["len"]))) + "}"


class Perms(Text):
    """Perm."""

    def text(self):
        """The kernel's letters."""
        return f"Perm({CONTEXT.facts.perm_text(kernel.number(self.value))})"


class Info(Text):
    """PageInfo."""

    def text(self):
        """Its state."""
        return f"PageInfo({info_text(CONTEXT.facts, int(self.value['pp_link']), int(self.value['pp_ref_or_prev']))})"


class Place(Text):
    """Pte: the address of an entry and, if memory can be read, the decoded entry. It is always of level 0."""

    def text(self):
        """The entry decoded."""
        pa, form = kernel.number(self.value["pa"]), CONTEXT.form
        with machine.physical() as read:
            word = int.from_bytes(read(pa, form.word), "little")
        entry = form.decode(0, word)
        says = f"{form.flags(0, word)} -> {entry.pa:#x}" if entry.kind == "page" else "not present"
        return f"Pte({pa:#x}: {word:#x} {says})"


class Leaf(Text):
    """format::Leaf, a decoded entry."""

    def text(self):
        """The address and the permissions."""
        perm = CONTEXT.facts.perm_text(kernel.number(self.value["perm"]))
        used = "".join(letter for letter, name in (("A", "accessed"), ("D", "dirty")) if self.value[name])
        return f"Leaf({kernel.number(self.value['pa']):#x} {perm}{' ' + used if used else ''})"


class Table:
    """boot's entry_pgdir::Table and Directory: the present entries, decoded. A table does not know its own level."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        """The type."""
        return self.value.type.name.rpartition("::")[2]

    def children(self):
        """The entries that are present."""
        form, entries = CONTEXT.form, self.value[self.value.type.fields()[0]]
        for index in range(form.entries):
            word = kernel.number(entries[index])
            if word & form.present:
                level = 1  # Large pages and tables decode alike at all levels above 0, and level 0 has no Table here.
                entry = form.decode(level, word)
                yield f"[{index}]", f"{form.flags(level, word)} -> {entry.pa:#x}"


PRINTERS = {
    r"libjos::mem::addr::(Phys|Virt)Addr": Address,
    r"libjos::mem::addr::PhysRange": Range,
    r"libjos::mem::range_set::RangeSet<\d+>": Ranges,
    r"libjos::paging::format::Perm": Perms,
    r"libjos::paging::format::Leaf": Leaf,
    r"libjos::mem::pages::info::Frame": Frame,
    r"libjos::mem::pages::info::PageInfo": Info,
    r"libjos::paging::pgdir::Pte": Place,
    r"boot::(x86_64|i386|riscv64)::entry_pgdir::(Table|Directory)": Table,
}


class Printers(gdb.printing.PrettyPrinter):
    """Finds the printer of a type by its full name."""

    def __init__(self):
        super().__init__("jos64", [gdb.printing.SubPrettyPrinter(pattern) for pattern in PRINTERS])

    def __call__(self, value):
        name = value.type.unqualified().strip_typedefs().name or ""
        return next((printer(value) for pattern, printer in PRINTERS.items() if re.fullmatch(pattern, name)), None)


def register():
    """Adds the printers to gdb, in place of older ones."""
    gdb.printing.register_pretty_printer(None, Printers(), replace=True)
