"""The commands that show the array `pages`: page and freelist."""

import gdb

from . import envs, kernel, machine, values
from .command import Command
from .facts import plural, size_text
from .pages import ascending
from .context import CONTEXT
from .stops import directories

# The default number of lines of a list.
MOST_LINES = 16


def need_pages(found):
    """The array `pages`; raises an error with the reason if it does not exist yet."""
    if found.pages is None:
        raise kernel.NotYet("`pages` is not known yet: mem_init has not allocated it.")
    if not found.pages.initialised:
        raise kernel.NotYet(f"`pages` lies at {found.pages.pa:#x}, but page_init has not filled it in yet.")
    return found.pages


class Page(Command):
    """Tell all about one page of physical memory: jos page PA|INDEX

A plain decimal number (or a Frame) is an INDEX in the array `pages`, anything else a physical address. Shows
its PageInfo, what it holds, and every mapping of it: in the directory in use, in kern_pgdir, and below UTOP in each
environment."""

    usage = "PA|INDEX"

    def run(self, words):
        self.wants(words)
        facts, form = CONTEXT.facts, CONTEXT.form
        text = " ".join(words)
        base = facts.map["physical"]["PHYS_BASE"]
        by_index = text.isdecimal() or values.type_of(text) == "libjos::mem::pages::info::Frame"
        pa = base + values.address(text) * facts.page_size if by_index else values.address(text)
        if pa >= facts.kernbase or values.type_of(text) == "libjos::mem::addr::VirtAddr":
            raise gdb.GdbError(f"{pa:#x} is a virtual address; jos walk {pa:#x} tells where it leads.")
        found = kernel.find(facts)
        pages = need_pages(found)
        index = (pa - base) // facts.page_size
        if not 0 <= index < len(pages):
            raise gdb.GdbError(f"There is no page {index} ({pa:#x}): `pages` has {plural(len(pages), 'page')}.")
        roots = directories(found)
        with machine.physical() as read:
            maps = [(name, root, form.tables(read, root)[0]) for name, root in roots]
        pa = base + index * facts.page_size
        print(f"page {index}, {pa:#x}..{pa + facts.page_size - 1:#x}: {pages.state(index)}")
        print(f"  PageInfo at {pages.pa + index * facts.page_info['size']:#x}: {self.link(pages, index)}")
        for what in self.uses(pages, pa, maps):
            print(f"  {what}")
        for name, root, tables in maps:
            self.mapped(name, root, tables, pa)
        for env in self.others([root for _, root, _ in maps]):
            with machine.physical() as read:
                tables, _ = form.tables(read, env.root)
            self.mapped(env.name, env.root, tables, pa, or_not=False)

    @staticmethod
    def others(roots):
        """The environments whose directories are none of these."""
        try:
            return [env for env in envs.every() if env.root not in roots]
        except kernel.NotYet:
            return []

    @staticmethod
    def mapped(name, root, tables, pa, or_not=True):
        """Prints where a directory maps a page."""
        facts, form = CONTEXT.facts, CONTEXT.form
        runs = [leaf for leaf in form.leaves(tables, root) if leaf.pa <= pa < leaf.pa + leaf.size]
        if name.startswith("environment"):  # Above UTOP it is as in kern_pgdir.
            runs = [leaf for leaf in runs if leaf.va < facts.addresses["UTOP"]]
        if runs or or_not:
            print(f"  {name} maps it {'at' if runs else 'nowhere'}")
        for leaf in runs:
            va = leaf.va + pa - leaf.pa
            print(f"    {facts.named(va)} {facts.perm_text(leaf.perm)}, by a page of {size_text(leaf.size)}")

    @staticmethod
    def link(pages, index):
        """The meaning of pp_link."""
        link = pages.links[index]
        if not pages.is_free(index):
            return f"pp_link is {'RESERVED' if link == pages.reserved else 'IN_USE'}"
        after = "it is the last" if link == pages.end else f"page {link} comes next"
        first = ", and it is the first on the free list" if pages.find_head() == index else ""
        return f"{after}{first}"

    @staticmethod
    def uses(pages, pa, maps):
        """The page's contents, if they are known."""
        facts, form = CONTEXT.facts, CONTEXT.form
        for name, root, tables in maps:
            if pa in tables:
                level, base, words = tables[pa]
                used = sum(bool(word & form.present) for word in words)
                what = f"{name} itself" if pa == root else \
                    f"a table of level {level} in {name}, from {facts.va_text(base)} on"
                yield f"It is {what}; {used} of its {form.entries} entries are present."
        size = len(pages) * facts.page_info["size"]
        if pages.pa <= pa < pages.pa + size:
            yield "It holds a part of the array `pages`."
        parts = (("stext", "text_end_exclusive", "code"), ("text_end_exclusive", "rodata_end_exclusive", "constants"),
                 ("bootstack", "bootstacktop", "stack"), ("rodata_end_exclusive", "end", "data"))
        for start, end, what in parts:
            start, end = kernel.symbol(start), kernel.symbol(end)
            if start is not None and end is not None and facts.in_window(start) <= pa < facts.in_window(end - 1) + 1:
                yield f"It holds a part of the kernel's {what}."
                return


class Freelist(Command):
    """Show the free list, from its head on: jos freelist [LINES]

Runs of neighbours are one line. It says if the list is broken, and if it has another length than the allocator
thinks."""

    usage = "[LINES]"

    def run(self, words):
        self.wants(len(words) <= 1 and all(word.isdecimal() for word in words))
        most = int(words[0]) if words else MOST_LINES
        facts = CONTEXT.facts
        pages = need_pages(kernel.find(facts))
        frames, wrong = (listed := pages.free_list()).frames, listed.fault
        print(f"page_free_list: {plural(len(frames), 'page')}, {size_text(len(frames) * facts.page_size)}")
        runs = ascending(frames)
        for first, last in runs[:most]:
            count, at = abs(last - first) + 1, first * facts.page_size + facts.map["physical"]["PHYS_BASE"]
            print(f"  page {first} at {at:#x}" if count == 1 else
                  f"  pages {first}..{last} from {at:#x}, {count} {'down' if last < first else 'up'}wards")
        if len(runs) > most:
            print(f'  ... and {len(runs) - most} more runs ("jos freelist {len(runs)}" shows all)')
        if wrong:
            print(f"  The list is broken: {wrong}.")
        elif pages.nfree not in (None, len(frames)):
            print(f"  But the allocator counts {pages.nfree}.")
        free, in_use, reserved = pages.counts()
        print(f"of {plural(len(pages), 'page')}: {free} free, {in_use} in use, {reserved} reserved")


def register():
    """Adds them to gdb."""
    for command in (Page, Freelist):
        command()
