"""Tables, counts and control registers at one moment, and how two moments differ."""

from dataclasses import dataclass, field
from itertools import groupby
from typing import Optional

from .facts import plural, size_text
from .paging import Run, merged

# The most tables to read at a stop.
MOST_TABLES = 1024


@dataclass
class Snapshot:
    """The machine's state at one moment."""

    registers: dict = field(default_factory=dict)  # name -> (value, its bits by name)
    directories: dict = field(default_factory=dict)  # physical address -> (name, tables, whether they are complete)
    pages: Optional[object] = None  # Pages, once they are known


def compare(form, old, new, most=12):
    """The changes between two snapshots, as lines."""
    lines = registers(old, new)
    for root, (name, tables, whole) in new.directories.items():
        _, before, _ = old.directories.get(root, ("", {}, True))
        found = directory(form, root, before, tables, most)
        if root not in old.directories and found:
            found.insert(0, f"was not there before; it lies at {root:#x}")
        if not whole:
            found.append(f"(only the first {MOST_TABLES} tables were compared)")
        lines += [f"{name}: {line}" for line in found]
    return lines + counts(form.facts, old.pages, new.pages, most)


def registers(old, new):
    """Changed control registers."""
    lines = []
    for name, (value, bits) in new.registers.items():
        before, bits_before = old.registers.get(name, (value, bits))
        if value == before:
            continue
        words = [f"+{bit}" for bit in bits if bit not in bits_before]
        words += [f"-{bit}" for bit in bits_before if bit not in bits]
        if words:
            lines.append(f"{name}: {' '.join(words)}")
        else:
            lines.append(f"{name}: {before:#x} -> {value:#x}")
    return lines


def directory(form, root, old, new, most):
    """Changes below one page directory, without A and D, which the processor sets by itself."""
    lines, text = [], form.facts.va_text
    for sign, some, others in (("+", new, old), ("-", old, new)):
        for table in sorted(some.keys() - others.keys(), key=lambda table: (-some[table][0], table)):
            level, base, _ = some[table]
            if table == root:
                continue
            what = size_text(form.levels[level]["size"] * form.entries)
            lines.append(f"{sign} table of level {level} at {table:#x}, for {what} from {text(base)}")
    lines = shorten(lines, most)
    level, _, words = new[root]
    _, _, before = old.get(root, (level, 0, (0,) * form.entries))
    for index, (word, previous) in enumerate(zip(words, before)):
        entry = form.decode(level, word)
        if word != previous and entry.kind == "table" and entry.pa == root:
            va = form.address(level, 0, index)
            lines.append(f"+ entry [{index}] is the directory itself: its tables show at {text(va)}")
    one = {leaf.va: leaf for leaf in form.leaves(old, root)} if root in old else {}
    two = {leaf.va: leaf for leaf in form.leaves(new, root)}
    lines += mappings(form, one, two, most)
    return lines


def mappings(form, old, new, most):
    """Pages that were mapped, unmapped or changed, with neighbours merged."""
    perm, text = form.facts.perm_text, form.facts.va_text
    gone = [leaf for va, leaf in old.items() if va not in new]
    come = [leaf for va, leaf in new.items() if va not in old]
    changed = [(leaf, new[va]) for va, leaf in old.items() if va in new and new[va] != leaf]
    lines = [f"+ {run_text(form, run)}" for run in merged(sorted(come, key=by_va))]
    lines += [f"- {run_text(form, run)}" for run in merged(sorted(gone, key=by_va))]
    for (was, now), group in groupby(sorted(changed, key=lambda pair: pair[0].va), key=lambda pair: transition(*pair)):
        pairs = list(group)
        if was == now and len(pairs) > 1:
            first, last = pairs[0][1], pairs[-1][1]
            lines.append(f"! {plural(len(pairs), 'page')} {text(first.va)}..{text(last.last)} lead elsewhere")
        elif was != now:
            first, last = pairs[0][1], pairs[-1][1]
            lines.append(f"! {text(first.va)}..{text(last.last)}: {perm(was)} -> {perm(now)}")
        else:
            lines.append(f"! {run_text(form, pairs[0][1])}, before to {pairs[0][0].pa:#x}")
    return shorten(lines, most)


def by_va(run):
    """A sort key."""
    return run.va


def transition(one: Run, other: Run):
    """The permissions before and after."""
    return one.perm, other.perm


def run_text(form, run):
    """A run as `jos map` and `jos diff` write it."""
    sizes = size_text(run.smallest)
    if run.largest != run.smallest:
        sizes += f"..{size_text(run.largest)}"
    facts = form.facts
    va, last, pa = facts.va_text(run.va), facts.va_text(run.last), facts.pa_text(run.pa)
    return f"{va}..{last} -> {pa} {facts.perm_text(run.perm)} {size_text(run.size):>7} by {sizes}"


def counts(facts, old, new, most):
    """Changed PageInfos."""
    if new is None or (not new.initialised and (old is None or not old.initialised)):
        return [f"pages: {plural(len(new), 'PageInfo')} at {new.pa:#x}, not set yet"] if new and old is None else []
    rows = []
    relinked = 0
    same = old is not None and len(old) == len(new)
    if same and old.initialised and old.links == new.links and old.refs == new.refs:
        return []
    for index in range(len(new)):
        if same and old.links[index] == new.links[index] and old.refs[index] == new.refs[index]:
            continue
        was, now = old.state(index) if same else "unknown", new.state(index)
        if was == now:
            relinked += 1
        else:
            rows.append((index, was, now))
    lines = []
    start = 0
    for i in range(1, len(rows) + 1):
        if i < len(rows) and rows[i][1:] == rows[i - 1][1:] and rows[i][0] == rows[i - 1][0] + 1:
            continue
        (first, was, now), last = rows[start], rows[i - 1][0]
        pa = facts.map["physical"]["PHYS_BASE"] + first * facts.page_size
        if first == last:
            lines.append(f"page {first} ({pa:#x}): {was} -> {now}")
        else:
            size = size_text((last - first + 1) * facts.page_size)
            lines.append(f"pages {first}..{last} ({pa:#x}, {size}): {was} -> {now}")
        start = i
    lines = shorten(lines, most)
    before = old.counts()[0] if same and old.initialised else 0
    free = new.counts()[0]
    if free != before:
        lines.append(f"free pages: {before} -> {free}")
    elif relinked:
        lines.append(f"the free list's order changed: {plural(relinked, 'link')}")
    return lines


def shorten(lines, most):
    """The first lines, and how many more there are."""
    return lines if len(lines) <= most + 1 else [*lines[:most], f"... and {len(lines) - most} more like these"]
