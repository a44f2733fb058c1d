"""Drives the memory system's functions in a stopped machine, with arguments of the grader's choice, and judges each
call by what it changed in RAM, beside a plain model (drivingmodel.py).

The image has the functions as `grade_...` (tools/grade/shims). A call sets registers, puts a return address on the
stack, and lets the processor run to it. After each call the whole of `pages`, the free list and all tables of the
application's half are read from RAM and must be those of the model.
"""

import random

import access
import machinestate
import tableformat
from cpus import READ, WRITE
from drivingmodel import Model, Wrong, expect, show
from gdbstub import CPU, StubError
from machinestate import END, RESERVED
from tableformat import PAGE, R, U, W, X

NONE = (1 << 64) - 1
REFUSED = NONE - 0xFF
# Rights as the functions take them: those of pages that may be executed only where that can be withheld.
RIGHTS = {R: 0, R | W: 1, R | U: 2, R | W | U: 3}
EXECUTABLE = {R | X: 4, R | U | X: 6}

# What is driven: which functions, and how many calls.
SUBJECTS = {"frames": 40, "tables": 40, "mappings": 60}

MANY = 40  # pages: more than libjos flushes one by one

# Why a sequence ends early.
UNREADABLE = (Wrong, machinestate.Unreadable, StubError, OverflowError)


class Drive:
    """A sequence of calls, made from `seed`, on a stopped machine. `read` gives its State anew."""

    def __init__(self, processor, image, read, seed):
        self.random, self.read = random.Random(seed), read
        self.processor, self.image = processor, image
        state = read()
        self.jos = state.jos
        # Rights as tables show them -> as the functions take them.
        always = self.jos.form.always
        kinds = RIGHTS if always & X else {**RIGHTS, **EXECUTABLE}
        self.rights = {rights | always: number for rights, number in kinds.items()}
        self.model = Model(state)
        self.state, self.log = state, []
        self.addresses = self.pick_addresses()

    # The steps.

    def go(self, subject, steps):
        """Calls `steps` functions, of those of a subject; then gives back all frames. Returns complaints: the first
        ends it, with the calls that led there."""
        weights = {
            "frames": [(4, self.alloc), (2, self.free), (2, self.free_wrongly), (1, self.alloc_run)],
            "tables": [
                (1, self.alloc), (3, self.walk), (2, self.lookup), (2, self.insert), (1, self.insert_nowhere),
                (1, self.insert_above),
            ],
            "mappings": [(2, self.alloc), (1, self.free), (6, self.insert), (4, self.remove), (2, self.change_rights)],
        }
        kinds = [operation for weight, operation in weights[subject] for _ in range(weight)]
        try:
            if subject == "tables":
                self.large_pages()
            if subject == "mappings":
                self.remove_many()
            for _ in range(steps):
                self.random.choice(kinds)()
            if subject == "frames":
                self.exhaust()
            self.give_back()
        except UNREADABLE as wrong:
            return [f"{wrong}", f"the last calls: {'; '.join(self.log[-4:])}"]
        return []

    def call(self, name, *arguments):
        """Calls a function and reads the machine's state after it."""
        self.log.append(f"{name}({', '.join(f'{argument:#x}' for argument in arguments)})")
        result = self.just_call(name, *arguments)
        self.state = self.read()
        return result

    def just_call(self, name, *arguments):
        """The result of a function."""
        start, processor = self.image.symbols[f"grade_{name}"], self.processor
        registers, words = CPU.call(arguments, processor.returned)
        found = processor.run(start, words, **registers)
        if found["ip"] != processor.returned:
            raise Wrong(f"{name} panics, or faults")
        return CPU.returned(found)

    def alloc(self, zero=None):
        """page_alloc gives a free frame, filled with zeros if asked."""
        zero = self.random.getrandbits(1) if zero is None else zero
        junk = self.random.randbytes(PAGE)
        head = self.state.head
        if head != END:
            self.write(self.state.frame(head), junk)
        pa = self.call("page_alloc", zero)
        if not self.model.free:
            expect(pa == NONE, f"page_alloc gives {pa:#x}, but no frame is free")
            raise Wrong("no frame is free, though nearly all should be")
        number = self.state.number(pa)
        expect(number in self.model.free, f"page_alloc gives {pa:#x}, which is not free")
        if zero:
            data = self.state.must_load(pa, PAGE, "the frame")
            at = next((at for at, byte in enumerate(data) if byte), None)
            expect(at is None, f"ALLOC_ZERO left {data[at or 0]:#x} at {pa + (at or 0):#x}")
        self.model.free.discard(number)
        self.model.uses[number] = 0
        self.model.held.append(pa)
        self.model.compare(self.state, "page_alloc")
        return pa

    def free(self):
        """page_free of a frame without uses puts it on the list; with uses it is refused."""
        if not self.model.held:
            return self.alloc()
        pa = self.random.choice(self.model.held)
        number = self.state.number(pa)
        result = self.call("page_free", pa)
        if self.model.uses[number]:
            expect(result == REFUSED, f"page_free of {pa:#x}, which is in use, was not refused")
        else:
            expect(result == 0, f"page_free of {pa:#x} was refused")
            self.model.freed(self.state, number)
        return self.model.compare(self.state, "page_free")

    def free_wrongly(self):
        """page_free of a free or reserved frame is refused."""
        kinds = [sorted(self.model.free), [n for n, link in enumerate(self.state.links) if link == RESERVED]]
        number = self.random.choice(self.random.choice([kind for kind in kinds if kind]))
        result = self.call("page_free", self.state.frame(number))
        what = "free" if number in self.model.free else "reserved"
        expect(result == REFUSED, f"page_free of {self.state.frame(number):#x}, which is {what}, was not refused")
        self.model.compare(self.state, "page_free")

    def insert(self, va=None, pa=None, rights=None):
        """page_insert maps a frame, makes tables, counts, and ends the mapping that was there before."""
        pa = pa or (self.random.choice(self.model.held) if self.model.held else self.alloc())
        va = self.random.choice(self.addresses) if va is None else va
        rights = self.random.choice([*self.rights]) if rights is None else rights
        old = self.model.pages.get(va)
        self.touch(va, old)
        result = self.call("page_insert", pa, va, self.rights[rights])
        expect(result == 0, f"page_insert at {va:#x} was refused ({result - REFUSED})")
        self.model.new_tables(self.state, va)
        self.model.uses[self.state.number(pa)] += 1
        if old:
            self.model.unmapped(self.state, old[0])
        self.model.pages[va] = (pa, rights)
        self.model.compare(self.state, "page_insert")
        self.sees(va)

    def change_rights(self):
        """page_insert of the same frame at the same address changes rights alone, for the TLB too."""
        own = [va for va in self.addresses if va in self.model.pages]
        if own:
            va = self.random.choice(own)
            pa, rights = self.model.pages[va]
            self.insert(va, pa, self.random.choice([other for other in self.rights if other != rights]))

    def insert_nowhere(self):
        """page_insert where there is no address, or nothing may be mapped, is refused and changes nothing."""
        pa = self.random.choice(self.model.held) if self.model.held else self.alloc()
        va = self.random.choice([*self.jos.nowhere, *([self.jos.uvpt + 5 * PAGE] if self.jos.uvpt else [])])
        result = self.call("page_insert", pa, va, 1)
        expect(result >= REFUSED, f"page_insert at {va:#x} was not refused")
        self.model.compare(self.state, "page_insert")

    def insert_above(self):
        """page_insert above UTOP maps, and counts nothing; page_remove there frees nothing."""
        pa = self.random.choice(self.model.held) if self.model.held else self.alloc()
        va = self.jos.mmiobase + (512 + self.random.randrange(512)) * PAGE
        expect(self.call("page_insert", pa, va, 1) == 0, f"page_insert at {va:#x} was refused")
        self.model.new_tables(self.state, va)
        self.model.compare(self.state, "page_insert above UTOP")
        leads = tableformat.at(self.state.tree.runs, va)
        wanted = pa, R | W | self.jos.form.always
        expect(leads == wanted, f"after page_insert {va:#x} leads to {show(leads)}, not to {show(wanted)}")
        expect(self.call("page_remove", va) == 0, f"page_remove at {va:#x} was refused")
        self.model.compare(self.state, "page_remove above UTOP")
        expect(tableformat.at(self.state.tree.runs, va) is None, f"after page_remove {va:#x} is mapped")

    def remove(self):
        """page_remove ends a mapping, for the TLB too, and frees the frame after its last use."""
        own = [va for va in self.addresses if va in self.model.pages]
        va = self.random.choice(own if own and self.random.random() < 0.8 else self.addresses)
        old = self.model.pages.pop(va, None)
        self.touch(va, old)
        result = self.call("page_remove", va)
        expect(result == 0, f"page_remove at {va:#x} was refused")
        if old:
            self.model.unmapped(self.state, old[0])
        self.model.compare(self.state, "page_remove")
        self.sees(va)

    def remove_many(self):
        """unmap_range ends mappings for the TLB too, if there are more than are worth a flush each."""
        pa, number = self.alloc(), self.state.number(self.model.held[-1])
        first = self.addresses[0] // self.jos.form.span(1) * self.jos.form.span(1)
        pages = [first + index * PAGE for index in range(MANY)]
        rights = R | W | self.jos.form.always
        for va in pages:
            inserted = self.just_call("page_insert", pa, va, self.rights[rights])
            expect(inserted == 0, f"page_insert at {va:#x} was refused")
            self.model.pages[va] = (pa, rights)
        self.state = self.read()
        self.model.new_tables(self.state, first)
        self.model.uses[number] = MANY
        self.model.compare(self.state, "many times page_insert")
        for va in pages:
            self.touch(va, self.model.pages.pop(va))
        result = self.call("unmap_range", first, MANY * PAGE)
        expect(result == 0, f"unmap_range of {MANY} pages at {first:#x} was refused")
        self.model.freed(self.state, number)
        self.model.compare(self.state, "unmap_range")
        for va in pages:
            self.sees(va)

    def walk(self):
        """pgdir_walk gives the address of the last level's entry, and makes tables only if asked."""
        va, create = self.random.choice(self.addresses), self.random.getrandbits(1)
        exists = not self.model.missing(va)
        result = self.call("pgdir_walk", va, create)
        if create:
            self.model.new_tables(self.state, va)
        elif not exists:
            expect(result == NONE, f"pgdir_walk of {va:#x} gives {result:#x}, but there is no table")
            return self.model.compare(self.state, "pgdir_walk")
        level, at, _ = tableformat.translate(self.jos.form, self.state.load, self.state.root, va)[-1]
        expect(level == 0 and result == at, f"pgdir_walk of {va:#x} gives {result:#x}; its entry is at {at:#x}")
        return self.model.compare(self.state, "pgdir_walk")

    def lookup(self):
        """page_lookup gives the frame that is mapped, va2pa the address in it; both change nothing."""
        va, offset = self.random.choice(self.addresses), self.random.randrange(PAGE)
        leads = self.model.pages.get(va)
        for name, given, wanted in (("page_lookup", va, 0), ("va2pa", va + offset, offset)):
            result, wanted = self.call(name, given), leads[0] + wanted if leads else NONE
            expect(result == wanted, f"{name} of {given:#x} gives {result:#x}, not {wanted:#x}")
        self.model.compare(self.state, "page_lookup")

    def large_pages(self):
        """va2pa in large pages of the window; page_insert and page_remove there are refused."""
        for _ in range(3):
            offset = self.random.randrange(16 * PAGE * 512, self.jos.window - PAGE)
            va, pa = self.jos.kernbase + offset, self.jos.phys_base + offset
            result = self.call("va2pa", va)
            expect(result == pa, f"va2pa of {va:#x} gives {result:#x}, not {pa:#x}")
        va = self.jos.kernbase + 32 * 512 * PAGE
        result = self.call("page_remove", va)
        expect(result >= REFUSED, f"page_remove of {va:#x}, in a large page, was not refused")
        self.model.compare(self.state, "page_remove")

    def alloc_run(self):
        """page_alloc_run gives 2^n frames in a row if there are any such, and page_free_run takes them back."""
        order = self.random.randrange(10)
        size, free = 1 << order, self.model.free
        there = any(all(n in free for n in range(at, at + size)) for at in range(0, self.state.npages - size + 1, size))
        pa = self.call("page_alloc_run", order)
        if not there:
            expect(pa == NONE, f"page_alloc_run({order}) gives {pa:#x}, but there is no such run")
            return self.model.compare(self.state, "page_alloc_run")
        expect(pa != NONE, f"page_alloc_run({order}) gives nothing, but there is a run")
        first = self.state.number(pa)
        run = range(first, first + size)
        expect(first % size == 0 and all(n in free for n in run), f"page_alloc_run({order}) gives {pa:#x}")
        free.difference_update(run)
        self.model.uses.update(dict.fromkeys(run, 0))
        self.model.compare(self.state, "page_alloc_run")
        expect(self.call("page_free_run", pa, order) == 0, f"page_free_run of {pa:#x} was refused")
        for number in run:
            self.model.freed(self.state, number)
        return self.model.compare(self.state, "page_free_run")

    def exhaust(self):
        """page_alloc gives every free frame once, and then none; page_insert without a frame for a table is refused."""
        pa = self.alloc()
        runs = self.take_runs()
        given, left = [], set(self.model.free)
        while left:
            got = self.just_call("page_alloc", 0)
            expect(got != NONE, f"page_alloc gives nothing, but {len(left)} frames are free")
            number = self.state.number(got)
            expect(number in left, f"page_alloc gives {got:#x}, which is not free")
            left.discard(number)
            given.append(got)
        self.state = self.read()
        self.model.free.clear()
        self.model.uses.update({self.state.number(got): 0 for got in given})
        self.model.compare(self.state, "page_alloc of all")
        expect(self.call("page_alloc", 0) == NONE, "page_alloc gives a frame, but none is free")
        va = self.jos.lower_end // 2 + self.random.randrange(min(1 << 20, self.jos.lower_end // 4 // PAGE)) * PAGE
        if self.model.missing(va):
            result = self.call("page_insert", pa, va, 1)
            expect(result == REFUSED + 1, f"page_insert at {va:#x} without frames for tables gives {result:#x}")
            self.model.compare(self.state, "page_insert without frames")
        self.random.shuffle(given)
        for got in given:
            expect(self.just_call("page_free", got) == 0, f"page_free of {got:#x} was refused")
            self.model.freed(self.state, self.state.number(got))
        for got, order in runs:
            expect(self.just_call("page_free_run", got, order) == 0, f"page_free_run of {got:#x} was refused")
            for number in range(self.state.number(got), self.state.number(got) + (1 << order)):
                self.model.freed(self.state, number)
        self.state = self.read()
        self.model.compare(self.state, "page_free of all")

    def take_runs(self):
        """Takes free frames by page_alloc_run until few are left: (address, order) of each run."""
        runs = []
        for order in (9, 8, 7, 6, 5):
            while len(self.model.free) > 64 and (pa := self.just_call("page_alloc_run", order)) != NONE:
                numbers = range(self.state.number(pa), self.state.number(pa) + (1 << order))
                expect(self.model.free.issuperset(numbers), f"page_alloc_run({order}) gives {pa:#x}, not free")
                self.model.free.difference_update(numbers)
                self.model.uses.update(dict.fromkeys(numbers, 0))
                runs.append((pa, order))
        return runs

    def give_back(self):
        """Unmaps and frees all that the grader has."""
        for va in self.addresses:
            if va in self.model.pages:
                old = self.model.pages.pop(va)
                self.call("page_remove", va)
                self.model.unmapped(self.state, old[0])
        for pa in list(self.model.held):
            expect(self.call("page_free", pa) == 0, f"page_free of {pa:#x} was refused")
            self.model.freed(self.state, self.state.number(pa))
        self.model.compare(self.state, "giving all back")

    def pick_addresses(self):
        """Pages of the application's half, of which nothing uses any: near each other, far from each other, the first
        and the last."""
        form, jos = self.jos.form, self.jos
        bases = [0, jos.lower_end - form.span(1)]
        bases += [self.random.randrange(jos.lower_end // PAGE) * PAGE for _ in range(3)]
        bases += [jos.lower_end // 4 * 3 - form.span(1)]
        picked = set()
        for base in bases:
            base = base // form.span(1) * form.span(1)
            picked |= {base + self.random.randrange(1 << form.index_bits) * PAGE for _ in range(3)}
        used = {va // form.span(1) for va in self.model.pages}
        return sorted(va for va in picked if va // form.span(1) not in used)

    # The processor's side.

    def write(self, pa, data):
        """Writes to a frame, through the window."""
        self.processor.stub.write_memory(self.jos.kernbase + pa - self.jos.phys_base, data)

    def touch(self, va, leads):
        """Lets the processor use a mapping, so that its TLB has it."""
        if leads:
            self.processor.load(va)
            if leads[1] & W:
                self.processor.store(va + 8, self.random.getrandbits(8 * CPU.word))

    def sees(self, va):
        """The processor reads and writes at `va` as the model says, whatever its TLB had."""
        leads = self.model.pages.get(va)
        loaded = self.processor.load(va)
        if leads is None:
            expect(loaded == access.faults(READ, va, False), f"a read of {va:#x}, unmapped, {loaded} (a stale TLB?)")
            return
        pa, rights = leads
        look = lambda: int.from_bytes(self.state.must_load(pa, CPU.word, "the page"), "little")
        word = look()
        after = word + 1 & CPU.largest
        where = f"{va:#x}, where {pa:#x} has {word:#x}"
        expect(loaded == access.Outcome(word), f"a read of {where}, {loaded} (a stale TLB?)")
        stored = self.processor.store(va, after)
        if rights & W:
            expect(look() == after, f"a write to {va:#x} does not reach {pa:#x}, but {stored} (a stale TLB?)")
        else:
            expect(stored == access.faults(WRITE, va, True), f"a write to {va:#x}, read-only, {stored} (a stale TLB?)")


def verdicts(stub, image, read, seed):
    """The complaints about each subject, by its name. `read` gives the machine's State anew."""
    found = {}
    with access.Processor(stub, image.symbols["entry"], [image.symbol("rust_begin_unwind")]) as processor:
        with processor.user_pages():
            for subject, steps in SUBJECTS.items():
                try:
                    complaints = Drive(processor, image, read, f"{seed} {subject}").go(subject, steps)
                except UNREADABLE as wrong:
                    complaints = [str(wrong)]
                found[f"driven {subject}"] = complaints and [*complaints, f"the same again: GRADE_SEED={seed}"]
    return found
