"""The judgements of a stopped machine's memory system. Each subject is a function from a State to complaints: sentences
that say where, what must be there, and what is.

A judgement takes its expectation from the memory map (memmap.py), the loader's information and the kernel's ELF file;
what it finds, from registers and RAM.
"""

import itertools
from collections import Counter

import environments
import memmap
import tableformat
from loaderinfo import Range
from machinestate import END, IN_USE, RESERVED, Unreadable
from tableformat import G, PAGE, R, U, W, X, show_rights

MOST = 4  # complaints about a subject: one mistake often shows in thousands of frames


def verdicts(state, features=()):
    """The complaints of each subject, by its name. `features` names what the processor has: smep, smap."""
    subjects = {
        "frames": frames, "counts": counts, "map": kernel_map, "processor": lambda state: processor(state, features),
    }
    return judged(state, subjects)


def among_programs(state):
    """The verdicts of the subjects that can be judged while programs run: the memory system by kern_pgdir, and all
    environments."""
    try:
        kernels = state.of(state.globals[1])
    except Unreadable as error:
        return {"environments": [str(error)]}
    subjects = {
        "frames": frames, "counts": counts, "map": kernel_map,
        "environments": lambda state: itertools.chain(environments.complaints(state), spaces(state)),
    }
    return judged(kernels, subjects)


def judged(state, subjects):
    """The first complaints about a state, by subject."""
    found = {}
    for name, judgement in subjects.items():
        try:
            found[name] = list(itertools.islice(judgement(state), MOST))
        except (Unreadable, OverflowError) as error:
            found[name] = [str(error)]
    return found


# Frames: `pages` and the free list.


def frames(state):
    """Every frame of RAM is free, in use or reserved, as the loader's map and the kernel's own memory demand, and the
    free list is whole."""
    yield from in_use(state)
    free = yield from free_list(state)
    links, refs = state.links, state.refs
    # All frames on the list are free by their links.
    if free.count(1) + len(state.not_free) != state.npages:
        for number, link in enumerate(links):
            if link <= END and not free[number]:
                yield f"frame {state.frame(number):#x}: pages says it is free, but it is not on the list"
    for number in state.not_free:
        if links[number] == IN_USE and refs[number] == 0:
            yield f"frame {state.frame(number):#x} is lost: neither free nor counted"
        elif links[number] == RESERVED and refs[number] == 0:
            yield f"frame {state.frame(number):#x} is reserved, but its pp_ref is 0"
    yield from reservations(state)
    yield from run_table(state, free)


def in_use(state):
    """The memory system that is judged is the one in use."""
    kern_pgdir = state.globals[1]
    if kern_pgdir != state.root:
        yield f"{state.cpu.root[0]} leads to {state.root:#x}, but kern_pgdir is {kern_pgdir:#x}"
    leads = tableformat.at(state.tree.runs, state.jos.upages)
    if leads is None or leads[0] != state.pages_at:
        where = f"{leads[0]:#x}" if leads else "nowhere"
        yield f"pages lies at {state.pages_at:#x}, but UPAGES ({state.jos.upages:#x}) leads to {where}"


def free_list(state):
    """Follows the list; returns a byte for each frame, 1 if it is on the list."""
    links, refs, npages = state.links, state.refs, state.npages
    free, before, number, count = bytearray(npages), None, state.head, 0
    while number != END:
        if number >= npages:
            yield f"the free list leads to frame number {number:#x} of {npages:#x}"
            break
        if free[number]:
            yield f"the free list runs in a circle: frame {state.frame(number):#x} is on it twice"
            break
        if links[number] > END:
            yield f"frame {state.frame(number):#x} is on the free list, but its pp_ref is {refs[number]}"
            break
        if before is not None and refs[number] != before:
            yield (
                f"frame {state.frame(number):#x} follows frame number {before:#x} on the free list, but links back to "
                f"{refs[number]:#x}"
            )
        free[number], before, number, count = 1, number, links[number], count + 1
    if count != state.nfree:
        yield f"{count} frames are on the free list, the kernel's counter says {state.nfree}"
    return free


def reservations(state):
    """The frames that are never handed out are those that must not be, no more and no fewer."""
    for name, run in must_be_reserved(state):
        for number in state.numbers(run):
            if state.links[number] != RESERVED:
                says = "free" if state.links[number] <= END else "in use"
                yield f"frame {state.frame(number):#x} of {name} must be reserved, but is {says}"
                break
    further = unexplained(state)
    wanted = run_table_pages(state.npages)
    if len(further) != wanted or (further and further[-1] - further[0] + 1 != wanted):
        places = ", ".join(f"{state.frame(number):#x}" for number in further[:3])
        yield (
            f"{len(further)} frames are reserved for no known reason ({places}, ...); the table of runs takes "
            f"{wanted} in one piece"
        )


# The table of runs (libjos/src/mem/pages/runs/table.rs): for each block of 512 frames, and each group of 512 blocks, a
# bound on the free runs in it.
BLOCK, ENTRY = 512, 12


def run_table_pages(npages):
    """How many pages the table takes."""
    blocks = -(-npages // BLOCK)
    return -(-(blocks + -(-blocks // BLOCK)) * ENTRY // PAGE)


def run_table(state, free):
    """The table denies no run of free frames."""
    further = unexplained(state)
    if not further:
        return
    blocks = -(-state.npages // BLOCK)
    groups = -(-blocks // BLOCK)
    data = state.load(state.frame(further[0]), (blocks + groups) * ENTRY)
    bounds = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), ENTRY)]
    whole = bytearray(blocks)
    for block in range(blocks):
        part = free[block * BLOCK : (block + 1) * BLOCK]
        order = largest_run(part)
        whole[block] = order == 9
        if bounds[block] < order + 1:
            where = f"block {block} ({state.frame(block * BLOCK):#x})"
            yield f"the table of runs says that {where} has no free run of order {order}"
    for group in range(groups):
        order = largest_run(whole[group * BLOCK : (group + 1) * BLOCK])
        if bounds[blocks + group] < order + 1:
            yield f"the table of runs says that group {group} has no run of 2^{order} free blocks"


def largest_run(flags):
    """The order of the largest aligned run of ones among these flags; -1 if there is none."""
    for order in reversed(range(10)):
        size = 1 << order
        if size <= len(flags):
            ones = b"\1" * size
            if any(flags.startswith(ones, at) for at in range(0, len(flags) - size + 1, size)):
                return order
    return -1


def unexplained(state):
    """The numbers of the reserved frames that need not be."""
    taken = bytearray(state.npages)
    for _, run in must_be_reserved(state):
        numbers = state.numbers(run)
        taken[numbers.start : numbers.stop] = b"\1" * len(numbers)
    return [number for number in state.not_free if state.links[number] == RESERVED and not taken[number]]


def must_be_reserved(state):
    """The physical ranges that must be reserved, each with a name."""
    return [
        *memmap.reserved(state.jos, state.ram, state.kernel, state.info.kept_pages()),
        ("kern_pgdir", Range(state.root, state.root + PAGE)),
        ("the array pages", Range(state.pages_at, state.pages_at + state.pages_size)),
        *(("RAM that is given up", run) for run in state.given_up),
    ]


# Counts: pp_ref against the tables.


def uses(state):
    """How often the tables use each frame: number -> count. Mappings below UTOP count, and each table."""
    count = Counter(state.number(table.pa) for table in state.tree.tables)
    for run in state.tree.runs:
        if run.va < state.jos.lower_end:
            count.update(range(state.number(run.pa), state.number(run.pa + run.size)))
    if state.programs:
        environments.count(state, count)
    return count


def counts(state):
    """pp_ref of each frame is the number of its uses, and no table is used twice."""
    yield from in_use(state)
    yield from state.tree.odd
    found, links, refs = uses(state), state.links, state.refs
    tables = Counter(table.pa for table in state.tree.tables)
    for pa, times in tables.items():
        if times > 1:
            yield f"page table {pa:#x} is entered {times} times"
        if pa == state.root:
            yield f"kern_pgdir ({pa:#x}) is entered as a table outside of UVPT"
    for number, times in found.items():
        pa = state.frame(number)
        kind = "page table" if pa in tables else "page"
        if number >= state.npages:
            yield f"{kind} {pa:#x} is used by the tables, but is no frame of RAM"
        elif links[number] <= END:
            yield f"{kind} {pa:#x} is free, yet used by the tables"
        elif refs[number] != times + (links[number] == RESERVED):
            yield f"{kind} {pa:#x} has {times} uses, but its pp_ref is {refs[number]}"
    unused = [
        number for number in state.not_free if number not in found and refs[number] != (links[number] == RESERVED)
    ]
    if state.programs and environments.are_the_kernels_own(state, unused):
        return
    for number in unused:
        yield f"page {state.frame(number):#x} has no use in the tables, but its pp_ref is {refs[number]}"


# The kernel's part of the address space.


def kernel_map(state):
    """Every page of the kernel's map leads where it must, and between its parts nothing is mapped. Where X cannot be
    withheld, all is executable, and nobody asks where it may be."""
    yield from in_use(state)
    yield from space(state)


def spaces(state):
    """In every environment's directory the kernel's part is as in the kernel's own, and UVPT shows its own tables."""
    for env in environments.there_are(state):
        for complaint in space(state.of(env.root(state))):
            yield f"environment {env.env_id:08x}: {complaint}"


def space(state):
    """Complaints about the directory at the state's root, as kernel_map has them."""
    yield from state.tree.odd
    jos = state.jos
    nx = not jos.form.always & X
    envs = environments.place(state) if state.programs else Range(0, 0)
    parts = memmap.parts(jos, state.kernel, state.ram, state.pages_at, state.pages_size, envs)
    upper = [run for run in state.tree.runs if run.va >= jos.lower_end]
    yield from compare(jos, parts, upper)
    for run in state.tree.runs:
        if nx and run.rights & W and run.rights & X and run.va >= jos.lower_end:
            yield f"{run.va:#x}, {run.size:#x} bytes, are both writable and executable"
        if run.rights & G and run.va < jos.lower_end:
            yield f"{run.va:#x}, {run.size:#x} bytes of the application's half, are global"
        if nx and run.va < jos.lower_end and not run.rights & U and run.rights & X:
            yield f"{run.va:#x}, {run.size:#x} bytes of the application's half, are the kernel's to execute"
    if state.fresh:
        for run in state.tree.runs:
            if run.va < jos.lower_end:
                leads = f"{run.pa:#x} {show_rights(run.rights)}"
                yield f"{run.va:#x} must not be mapped before anything runs, but leads to {leads}"
        for table in state.tree.tables:
            if table.va < jos.lower_end:
                yield f"page table {table.pa:#x}, for {table.va:#x}, is the application's, and nothing has run yet"
        for table in state.tree.empty:
            yield f"page table {table.pa:#x}, for {table.va:#x}, is empty"
    if jos.uvpt is not None:
        yield from self_map(state)


def compare(jos, parts, runs):
    """Complaints about each place where `runs` differ from `parts`; both are sorted."""
    edges = sorted({edge for item in (*parts, *runs) for edge in (item.va, item.end)})
    wanted, found = iter_at(parts), iter_at(runs)
    for start, end in itertools.pairwise(edges):
        part, run = wanted(start), found(start)
        if part is None and run is None:
            continue
        leads = f"{run.pa + start - run.va:#x} {show_rights(run.rights)}" if run else None
        if part is None:
            yield f"{gap(jos, start)}: {start:#x} must not be mapped, but leads to {leads}, {end - start:#x} bytes"
            continue
        must = f"{part.pa + start - part.va:#x} {show_rights(part.rights)}"
        if must != leads:
            but = f"leads to {leads}" if leads else "is not mapped"
            yield f"{part.name}: {start:#x} must lead to {must}, but {but}, {end - start:#x} bytes"


def iter_at(items):
    """A function that gives the item at an address, for addresses that only grow."""
    rest, current = iter(items), None

    def at(va):
        nonlocal current
        while current is None or current.end <= va:
            current = next(rest, None)
            if current is None:
                return None
        return current if current.va <= va else None

    return at


def gap(jos, va):
    """The name of a part that must be empty."""
    return memmap.gap_name(jos, va)


def self_map(state):
    """UVPT shows the tables, read-only, to the user too, and nothing else."""
    jos = state.jos
    always = jos.form.always
    wrong, wanted = (W | X) & ~always, R | U | always
    at = state.root + jos.slots["UVPT"] * jos.form.entry_bytes
    entry = int.from_bytes(state.load(at, jos.form.entry_bytes), "little")
    if not entry & 1 or jos.form.pa(entry) != state.root:
        yield f"UVPT: the root's entry at {at:#x} is {entry:#x}, and does not lead to the root at {state.root:#x}"
        return
    tables = {state.root, *(table.pa for table in state.tree.tables)}
    # Where a large page is mapped, UVPT shows the page's beginning in the place of a table.
    beginnings = {pa for pa, _ in state.tree.large}
    shown = set()
    for run in state.shown_tables.runs:
        if run.rights & wrong:
            rights = f"{show_rights(run.rights)}, and none of {show_rights(wrong)} is allowed"
            yield f"UVPT: {run.va:#x}, {run.size:#x} bytes, has the rights {rights}"
        for pa in range(run.pa, min(run.pa + run.size, state.frame(state.npages)), PAGE):
            if pa in tables and run.rights == wanted:
                shown.add(pa)
            elif not any(pa & ~(jos.form.span(level) - 1) in beginnings for level in jos.form.leaf_levels):
                va, what = run.va + pa - run.pa, "a" if pa in tables else "no"
                yield f"UVPT: {va:#x} shows {pa:#x} {show_rights(run.rights)}, {what} page table"
    for pa in tables - shown:
        yield f"UVPT: the page table {pa:#x} is not shown"


# The processor.


def processor(state, features):
    """Registers: the directory in use, protection, and the stack."""
    yield from in_use(state)
    jos, found, cpu = state.jos, state.registers, state.cpu
    for name, bit, what in (*cpu.demanded, *(cpu.optional[feature] for feature in features)):
        if not found[name] & bit:
            yield f"{what} is off: {name} is {found[name]:#x}"
    for name, bit, what in cpu.forbidden:
        if found[name] & bit:
            yield f"{what} is on: {name} is {found[name]:#x}"
    stack, at = found[cpu.shown["sp"]], found[cpu.shown["ip"]]
    bottom = jos.kstktop - jos.kstksize
    if not bottom <= stack < jos.kstktop:
        yield f"the stack in use, at {stack:#x}, is not the kernel stack ({bottom:#x} to {jos.kstktop:#x})"
    kernel = state.kernel
    text = range(*(jos.kernbase + pa - jos.phys_base for pa in (kernel.start, kernel.rodata)))
    if at not in text:
        yield f"the machine executes at {at:#x}, not in the kernel's code"
