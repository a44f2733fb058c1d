"""The commands about page tables: walk, map, and layout, which draws the map of the address space."""

import gdb

from . import envs, kernel, machine, snapshot, values
from .command import Command
from .facts import plural, size_text
from .paging import merged
from .context import CONTEXT
from .stops import directory_name


def split_directory(words):
    """(the other words, the words that name a directory after `in`, or ())"""
    if "in" not in words:
        return words, ()
    at = words.index("in")
    name = words[at + 1 :]
    if len(name) != (2 if name[:1] == ["env"] else 1):
        raise gdb.GdbError(
            'After "in" comes one directory: kern_pgdir, entry_pgdir, env ID, or a physical address.')
    return words[:at], name


def pick_directory(words, found):
    """(root, its name, a note for the user or "") of a directory by name, or of the one in use."""
    facts = CONTEXT.facts
    if len(words) == 2:
        env = envs.by_id(words[1])
        return env.root, env.name, ""
    name = words[0] if words else None
    if name == "kern_pgdir":
        return found.need_kern_pgdir(), name, ""
    if name == "entry_pgdir":
        root = kernel.entry_pgdir(facts)
        with machine.physical() as read:
            loaded = any(read(root, facts.page_size))
        if not loaded:
            raise kernel.NotYet("entry_pgdir is still empty: the kernel is not in memory yet, or has not made it yet.")
        return root, name, ""
    if name is not None:
        root = values.address(name)
        if root % facts.page_size:
            raise gdb.GdbError(f"{root:#x} is no page directory: those begin on a page.")
        return root, directory_name(found, root), ""
    paging, root, why_not = machine.mode()
    if not paging:
        raise kernel.NotYet(f'Now {why_not}. "in entry_pgdir" looks at the tables that the kernel starts on.')
    note = '(kern_pgdir is not in use yet; "in kern_pgdir" looks at it)'
    is_early = found.kern_pgdir not in (None, root) and envs.of_root(root) is None
    return root, directory_name(found, root), note if is_early else ""


class Walk(Command):
    """Walk the page tables for an address, level by level: jos walk VA [in DIR]

Each line is a level: the entry's index, where it lies, its value, its bits by name, and where it leads.
The last lines say why the walk stops, and what it comes to."""

    usage = "VA [in DIR]"

    def run(self, words):
        words, directory = split_directory(words)
        self.wants(words)
        facts, form = CONTEXT.facts, CONTEXT.form
        va = values.address(" ".join(words))
        found = kernel.find(facts)
        root, name, note = pick_directory(directory, found)
        with machine.physical() as read:
            steps = form.walk(read, root, va)
        print(f"{facts.named(va)}, walked from {name} at {root:#x} {note}".rstrip())
        if not form.is_canonical(va):
            print("  The address is not canonical: its upper bits differ, and the processor refuses it.")
            return
        width = len(str(form.entries - 1))
        for step in steps:
            at, word = facts.pa_text(step.at), facts.entry_text(step.word)
            print(f"  level {step.level} [{step.index:{width}}] at {at}: {word}  {self.leads(step)}")
        print(f"  {self.end(steps, va)}")

    @staticmethod
    def leads(step):
        """An entry's bits, and the address that it leads to."""
        if step.entry.kind == "absent":
            return "not present"
        form = CONTEXT.form
        size = size_text(form.levels[step.level]["size"])
        what = "table" if step.entry.kind == "table" else f"{size} page"
        return f"{form.flags(step.level, step.word):<14} {what} at {step.entry.pa:#x}"

    @staticmethod
    def end(steps, va):
        """The reason why the walk stops, and its result."""
        form, step = CONTEXT.form, steps[-1]
        size = form.levels[step.level]["size"]
        if step.entry.kind == "absent":
            what = "this page is not" if step.level == 0 else f"nothing within {size_text(size)} of it is"
            return f"It stops at level {step.level}, whose entry is not present: {what} mapped."
        perm = form.facts.perm_text(form.granted(steps))
        return f"It stops at a page of {size_text(size)}: physical {step.entry.pa + va % size:#x}, {perm}."


class Map(Command):
    """List what is mapped: jos map [VA | FROM TO] [in DIR]

Neighbouring pages that lead to neighbours with the same permissions are one line. With one address, only its
region of the map is shown; with two, what lies from the first up to the second. Permissions are written as
the kernel writes them: u user, r read, w write, x execute, g global, and - for what is withheld."""

    usage = "[VA | FROM TO] [in DIR]"

    def run(self, words):
        words, directory = split_directory(words)
        self.wants(len(words) <= 2)
        facts, form = CONTEXT.facts, CONTEXT.form
        ends = [values.address(word) for word in words]
        first, last = 0, facts.last
        if len(ends) == 1:
            region = facts.region(ends[0])
            first, last = region["base"], region["last"]
        elif ends:
            first, last = ends[0], (ends[1] - 1) % (facts.last + 1)
            self.wants(first <= last)
        found = kernel.find(facts)
        root, name, note = pick_directory(directory, found)
        with machine.physical() as read:
            tables, whole = form.tables(read, root)
        print(f"{name} at {root:#x}: {plural(len(tables), 'table')} {note}".rstrip())
        same_region = lambda one, other: facts.region(one.va) is facts.region(other.va)  # noqa: E731
        leaves = (leaf for leaf in form.leaves(tables, root) if first <= leaf.last and leaf.va <= last)
        region, lines = None, 0
        for run in merged(leaves, same_region):
            if facts.region(run.va) is not region:
                region = facts.region(run.va)
                self.heading(region)
            print(f"  {snapshot.run_text(form, run)}")
            lines += 1
        itself = self.self_entry(tables, root)
        if itself is not None and first <= itself <= last:
            self.heading(facts.region(itself))
            print(f"  {facts.va_text(itself)}  the tables above, by the directory's entry for itself")
        elif not lines:
            print("  Nothing is mapped there.")
        if not whole:
            print("  (There are more tables than these.)")
        if form.note and lines:
            print(form.note)

    @staticmethod
    def heading(region):
        """The line over a region's runs."""
        print(f"{region['name']} ({region['access']})")

    @staticmethod
    def self_entry(tables, root):
        """The lowest address at which a directory shows its own tables, or None."""
        form = CONTEXT.form
        level, base, words = tables[root]
        for index, word in enumerate(words):
            entry = form.decode(level, word)
            if entry.kind == "table" and entry.pa == root:
                return form.address(level, base, index)
        return None


class Layout(Command):
    """Draw the map of the address space, and tell where the processor is in it: jos layout"""

    needs_machine = False

    def run(self, words):
        self.wants(not words)
        facts = CONTEXT.facts
        print("\n".join(facts.map["picture"]))
        paging, root, why_not = machine.mode() if machine.connected() else (False, 0, "there is no machine")
        if not paging:
            print(f"Now {why_not}.")
            return
        arch = machine.arch()
        for name in (arch.pc, arch.sp):
            print(f"{name} is {facts.named(machine.register(name))}")
        found = kernel.find(facts)
        print(f"{arch.root} leads to {root:#x} ({directory_name(found, root)})")


def register():
    """Adds them to gdb."""
    for command in (Walk, Map, Layout):
        command()
