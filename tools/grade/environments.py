"""The environments of a stopped machine, read from RAM: JOS's array `envs` at UENVS, and the directory of each.

Nothing of libjos is used here: the layout of `struct Env` is spelled out once more (i386: JOS's 124 bytes), and which
environment has which page is told by its tables.
"""

import struct
from collections import Counter
from typing import NamedTuple

import tableformat
from loaderinfo import Range
from machinestate import IN_USE, Unreadable
from tableformat import G, PAGE, R, U, W, X, show_rights

NENV = 1024
FREE, DYING, RUNNABLE, RUNNING, NOT_RUNNABLE = range(5)
# The bits of an id that are neither the slot nor the generation, which begins at bit 12.
GENERATION, NEVER_SET = 0x1000, 0xC00
# The kernel's own half of the environments, in one piece: its pages, by the bytes of a word.
OWN_PAGES = {4: 21, 8: 22}

# `struct Env`, by the bytes of a word: the trap frame of 17 words on i386 and 22 on x86-64, then the other fields.
LAYOUTS = {4: struct.Struct("<68s I iiIIII II B3x II iI"), 8: struct.Struct("<176s Q iiIIII QQ B7x QQ iI")}
assert {word: layout.size for word, layout in LAYOUTS.items()} == {4: 124, 8: 256}


class Env(NamedTuple):
    """An element of `envs`. The fields have JOS's names."""

    env_tf: bytes
    env_link: int
    env_id: int
    env_parent_id: int
    env_type: int
    env_status: int
    env_runs: int
    env_cpunum: int
    env_pgdir: int
    env_pgfault_upcall: int
    env_ipc_recving: int
    env_ipc_dstva: int
    env_ipc_value: int
    env_ipc_from: int
    env_ipc_perm: int

    def root(self, state):
        """The physical address of its directory."""
        return state.shown(self.env_pgdir)


def place(state):
    """The physical memory of `envs`, as UENVS says."""
    leads = tableformat.at(state.of(state.globals[1]).tree.runs, state.jos.uenvs)
    if leads is None:
        raise Unreadable(f"nothing is mapped at UENVS ({state.jos.uenvs:#x})")
    size = -(-NENV * LAYOUTS[state.cpu.word].size // PAGE) * PAGE
    return Range(leads[0], leads[0] + size)


def array(state):
    """All elements of `envs`."""
    layout = LAYOUTS[state.cpu.word]
    data = state.must_load(place(state).start, NENV * layout.size, "envs")
    return [Env(*fields) for fields in layout.iter_unpack(data)]


def there_are(state):
    """The environments that are not free."""
    return [env for env in array(state) if env.env_status != FREE]


def count(state, uses):
    """Adds to `uses` (frame number -> count) what the environments use: `envs` itself, their roots and tables, the links
    to the tables of the kernel's half, and their pages."""
    uses.update(state.numbers(place(state)))
    for env in there_are(state):
        root = env.root(state)
        uses[state.number(root)] += 1
        tree = state.of(root).tree
        for table in tree.tables:
            if table.va < state.jos.lower_end or root <= table.at < root + PAGE:
                uses[state.number(table.pa)] += 1
        for run in tree.runs:
            if run.va < state.jos.lower_end:
                uses.update(range(state.number(run.pa), state.number(run.pa + run.size)))


def are_the_kernels_own(state, numbers):
    """Whether these frames, which no table uses, can be the kernel's own half of the environments: one piece of memory,
    and for each environment a frame for the registers that its trap frame has no room for. Each is in use once."""
    pieces = [[]]
    for number in numbers:
        if pieces[-1] and pieces[-1][-1] + 1 != number:
            pieces.append([])
        pieces[-1].append(number)
    array, most = max(map(len, pieces)), OWN_PAGES[state.cpu.word] + len(there_are(state))
    once = all(state.links[number] == IN_USE and state.refs[number] == 1 for number in numbers)
    return once and 0 < array and len(numbers) <= most


def complaints(state):
    """Ids and states are those that JOS's functions give; each environment has a directory, tables and pages of its own,
    and its pages lie below UTOP, are the user's, and no memory of the kernel's. `state` is the machine as kern_pgdir
    shows it."""
    found = array(state)
    for slot, env in enumerate(found):
        for complaint in fields(state, slot, env):
            yield f"envs[{slot}], {env.env_id:#x}: {complaint}"
    used = [env for env in found if env.env_status != FREE]
    running = [env for env in used if env.env_status == RUNNING]
    if len(running) > 1:
        yield f"{len(running)} environments are running on one processor"
    in_use = state.cpu.root_table(state.registers)
    if in_use != state.root and [env.root(state) for env in running] != [in_use]:
        roots = ", ".join(f"{env.root(state):#x}" for env in running) or "none"
        yield f"the directory in use is that at {in_use:#x}, and the running environment's is {roots}"
    kernels = {state.root, *(table.pa for table in state.tree.tables)}
    owners = Counter()
    for env in used:
        tree = state.of(env.root(state)).tree
        own = {table.pa for table in tree.tables if table.va < state.jos.lower_end} | {env.root(state)}
        owners.update(own)
        for table in own & kernels:
            yield f"environment {env.env_id:08x} has the kernel's page table {table:#x} as its own"
        for run in tree.runs:
            if run.va < state.jos.lower_end:
                for complaint in pages(state, run):
                    yield f"environment {env.env_id:08x}: {run.va:#x}, {run.size:#x} bytes, {complaint}"
    for table, times in owners.items():
        if times > 1:
            yield f"page table {table:#x} belongs to {times} environments"
    tables = kernels | set(owners)
    for env in used:
        for run in state.of(env.root(state)).tree.runs:
            shown = [pa for pa in range(run.pa, run.pa + run.size, PAGE) if pa in tables]
            if run.va < state.jos.lower_end and shown:
                yield f"environment {env.env_id:08x} has the page table {shown[0]:#x} among its pages, near {run.va:#x}"


def fields(state, slot, env):
    """Complaints about an element of `envs`."""
    if env.env_status not in (FREE, RUNNABLE, RUNNING, NOT_RUNNABLE):
        yield f"the status is {env.env_status}"
    elif env.env_status == FREE:
        if env.env_pgdir:
            yield f"it is free, but has the directory {env.env_pgdir:#x}"
        if env.env_id == 0:
            return
    else:
        if env.env_pgdir % PAGE or not 0 < env.env_pgdir - state.jos.kernbase < state.jos.window:
            raise Unreadable(f"envs[{slot}], {env.env_id:#x}: its directory is said to lie at {env.env_pgdir:#x}")
        if env.env_status == RUNNING and env.env_runs == 0:
            yield "it is running, but has never been switched to"
    for name, number in (("id", env.env_id), ("parent's id", env.env_parent_id)):
        if number < GENERATION and (name == "id" or number) or number & NEVER_SET:
            yield f"the {name} is {number:#x}"
    if env.env_id % NENV != slot:
        yield "the id is another slot's"
    if env.env_parent_id == env.env_id:
        yield "it is its own parent"
    if env.env_type or env.env_cpunum:
        yield f"type and processor are {env.env_type} and {env.env_cpunum}, not 0"
    if env.env_ipc_recving not in (0, 1):
        yield f"env_ipc_recving is {env.env_ipc_recving}"
    # A parent could wake it, but no program here does.
    if env.env_status in (RUNNABLE, RUNNING) and env.env_ipc_recving:
        yield "it may run, and waits for a message"


def pages(state, run):
    """Complaints about pages that an environment maps below UTOP."""
    nx = not state.jos.form.always & X
    if not run.rights & U or not run.rights & R:
        yield f"is not the program's: {show_rights(run.rights)}"
    if run.rights & G:
        yield "is global"
    if nx and run.rights & W and run.rights & X:
        yield "is both writable and executable"
    if not (PAGE <= run.va and run.end <= state.jos.utop):
        yield f"lies outside of page 1 to UTOP ({state.jos.utop:#x})"
    for number in range(state.number(run.pa), state.number(run.pa + run.size)):
        if number >= state.npages or state.links[number] != IN_USE:
            yield f"leads to {state.frame(number):#x}, which no program may have"
            return
