"""The plain model of what the kernel's functions that driving.py calls must do: frames and their uses, all tables, and the
pages of the application's half. It is compared with a machine's RAM.
"""

from machinestate import END, IN_USE
from tableformat import PAGE, show_rights


class Wrong(Exception):
    """Raised if a function did not do what it must."""


class Model:
    """What the frames and the application's half of kern_pgdir must be."""

    def __init__(self, state):
        self.jos = state.jos
        self.free = free_frames(state)
        self.uses = {n: state.refs[n] for n, link in enumerate(state.links) if link == IN_USE}
        self.pages = dict(pages_below(state))  # va -> (pa, rights)
        self.tables = {(table.level, table.va) for table in state.tree.tables}
        self.held = []  # addresses of the frames that the grader took; only its mappings use them

    def missing(self, va):
        """The tables, (level, va), that a mapping at `va` needs and that do not exist."""
        form = self.jos.form
        wanted = [(level - 1, va // form.span(level) * form.span(level)) for level in range(1, form.levels)]
        return [table for table in wanted if table not in self.tables]

    def new_tables(self, state, va):
        """Adds the tables that `va` needs. Each takes a free frame, with one use; RAM says which."""
        missing = self.missing(va)
        if not missing:
            return
        places = {(table.level, table.va): table.pa for table in state.tree.tables}
        for table in missing:
            expect(table in places, f"there is no table of level {table[0]} for {table[1]:#x}")
            number = state.number(places[table])
            expect(number in self.free, f"the new table {places[table]:#x} was not free")
            self.free.discard(number)
            self.uses[number] = 1
            self.tables.add(table)

    def unmapped(self, state, pa):
        """Ends one use of a frame."""
        number = state.number(pa)
        self.uses[number] -= 1
        if not self.uses[number]:
            self.freed(state, number)

    def freed(self, state, number):
        """Makes a frame free."""
        del self.uses[number]
        self.free.add(number)
        pa = state.frame(number)
        if pa in self.held:
            self.held.remove(pa)

    def compare(self, state, name):
        """Raises Wrong unless the machine's RAM is as the model says."""
        free, after = free_frames(state), f"after {name}"
        for number in free ^ self.free:
            is_free = number in free
            raise Wrong(f"{after} frame {state.frame(number):#x} is {'' if is_free else 'not '}free")
        expect(state.nfree == len(free), f"{after} the counter says {state.nfree} free frames, the list has {len(free)}")
        uses = {n: state.refs[n] for n, link in enumerate(state.links) if link == IN_USE}
        for number in uses.keys() | self.uses.keys():
            found, wanted = uses.get(number), self.uses.get(number)
            expect(found == wanted, f"{after} pp_ref of {state.frame(number):#x} is {found}, not {wanted}")
        pages = dict(pages_below(state))
        for va in pages.keys() | self.pages.keys():
            found, wanted = show(pages.get(va)), show(self.pages.get(va))
            expect(found == wanted, f"{after} {va:#x} leads to {found}, not to {wanted}")
        for odd in state.tree.odd:
            raise Wrong(f"{after} {odd}")
        tables = {(table.level, table.va) for table in state.tree.tables}
        for level, va in tables ^ self.tables:
            is_there = (level, va) in tables
            raise Wrong(f"{after} there is {'a' if is_there else 'no'} table of level {level} for {va:#x}")


def free_frames(state):
    """The numbers of the frames on the free list, which must be whole."""
    numbers, number = set(), state.head
    while number != END:
        if number >= state.npages or number in numbers or state.links[number] > END:
            raise Wrong(f"the free list is broken at frame number {number:#x}")
        numbers.add(number)
        number = state.links[number]
    return numbers


def pages_below(state):
    """The pages of the application's half: (va, (pa, rights)) for each."""
    for run in state.tree.runs:
        if run.va < state.jos.lower_end:
            for offset in range(0, run.size, PAGE):
                yield run.va + offset, (run.pa + offset, run.rights)


def expect(condition, complaint):
    """Raises Wrong unless the condition holds."""
    if not condition:
        raise Wrong(complaint)


def show(leads):
    """Where an address leads, as text."""
    return f"{leads[0]:#x} {show_rights(leads[1])}" if leads else "nothing"
