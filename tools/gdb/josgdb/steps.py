"""`jos step`: runs mem_init step by step, and shows the effect of each.

A step is a call of one of STEPS. What mem_init does between two of them is a step too, if it changes anything:
the directory's entry for itself, the switch of CR3. What a function is for is read from the source, from the
comment above it.
"""

import contextlib
import functools
import linecache
import re
from pathlib import Path

import gdb

from . import kernel, machine, snapshot
from .command import Command
from .context import CONTEXT
from .stops import HISTORY, take

STEPS = ("detect_memory", "boot_alloc", "page_init", "check_page_free_list", "check_page_alloc", "check_page",
         "boot_map_region", "check_kern_pgdir", "check_page_installed_pgdir")
START, END = "mem_init", "application_main"


class Step(Command):
    """Run to the next step of mem_init and tell what it did: jos step

From reset on, the first one stops at mem_init. Then each one runs one step: a call that mem_init makes, or what
it does itself between two. It ends where the application begins."""

    def __init__(self):
        super().__init__()
        self.entered = None  # (function, its stop) of a step whose call has not returned yet

    def run(self, words):
        self.wants(not words)
        with machine.physical():
            pass  # It must be there.
        if self.entered and self.entered[1] == position():
            self.finish(self.entered[0])
            return
        self.entered = None
        before = HISTORY.now or take()
        name = run_to((START, *STEPS, END))
        if name is None:
            return
        if name == START:
            print("mem_init begins:")
            print(f"  {line_of(gdb.selected_frame())}")
            return
        between = snapshot.compare(CONTEXT.form, before, HISTORY.now or take())
        self.entered = (name, position())
        if between:
            print("On the way to the next call:")
            print_lines(between)
            return
        self.finish(name)

    def finish(self, name):
        """Finishes the call in whose first instruction the machine stands."""
        self.entered = None
        if name == END:
            print("The memory system stands, and the application begins. There are no more steps.")
            return
        before = HISTORY.now or take()
        frame = gdb.newest_frame()
        while frame.type() == gdb.INLINE_FRAME:
            frame = frame.older()
        purpose = first_sentence(frame.function())
        call = call_line(frame)
        returned, value = finish(frame)
        if not gdb.selected_inferior().pid:
            print(f"{name} did not come back: the machine ended.")
            return
        if not returned:
            print(f"The machine stopped within {name}:")
            gdb.execute("frame")
            return
        print(f"{name}: {purpose}" if purpose else name)
        if call:
            print(f"  {call}")
        if value:
            print(f"  It returned {value}.")
        changes = snapshot.compare(CONTEXT.form, before, HISTORY.now or take())
        print_lines(changes or ["It changed nothing in tables and counts."])


def finish(frame):
    """Runs until a frame returns. Returns whether it did, and its value as text or ""."""
    back, returns = frame.older().pc(), frame.function().type.target().code != gdb.TYPE_CODE_VOID
    frame.select()
    with quietly():
        go("finish")
    if not gdb.selected_inferior().pid or gdb.newest_frame().pc() != back:
        return False, ""
    return True, gdb.history(0).format_string() if returns else ""


@contextlib.contextmanager
def quietly():
    """Suppresses gdb's messages about stops, if gdb can do that (from version 12 on)."""
    try:
        gdb.execute("set suppress-cli-notifications on")
    except gdb.error:
        yield
        return
    try:
        yield
    finally:
        gdb.execute("set suppress-cli-notifications off")


def go(command):
    """Lets the machine run. It may end meanwhile."""
    try:
        gdb.execute(command, to_string=True)
    except gdb.error:
        if gdb.selected_inferior().pid:
            raise


@functools.lru_cache(maxsize=None)
def breakpoint_at(name):
    """A disabled internal breakpoint at a function; None if an optimised kernel has inlined the function."""
    point = gdb.Breakpoint(name, internal=True)
    if point.pending:
        point.delete()
        return None
    point.enabled, point.silent = False, True
    return point


def run_to(names):
    """Runs until one of these functions begins, and returns its name; None if the machine stopped elsewhere."""
    points = {name: point for name in names if (point := breakpoint_at(name)) is not None}
    for point in points.values():
        point.hit_count, point.enabled = 0, True
    try:
        go("continue")
        reached = next((name for name, point in points.items() if point.hit_count), None)
    finally:
        for point in points.values():
            point.enabled = False
    if not gdb.selected_inferior().pid:
        print("The machine ended before the next step.")
    elif reached is None:
        print("The machine stopped before the next step:")
        gdb.execute("frame")
    return reached


def position():
    """The place of a stop: instruction and stack pointer."""
    return machine.register("pc"), machine.register("sp")


def call_line(frame):
    """The line from which a frame was called, in mem_init or else in the caller."""
    caller = frame.older()
    outer = caller
    while outer is not None and not kernel.in_mem_init(outer):
        outer = outer.older()
    return line_of(outer or caller) if caller is not None else ""


def line_of(frame):
    """A frame's source line, with its place; "" if it is not known."""
    place = frame.find_sal()
    if place.symtab is None:
        return ""
    text = linecache.getline(place.symtab.fullname(), place.line).strip()
    return f"{place.symtab.filename}:{place.line}: {text}"


def print_lines(lines):
    """Lines, indented."""
    for line in lines:
        print(f"  {line}")


def first_sentence(function):
    """The first sentence of the comment above a function, or "" if the source cannot be read."""
    # The symbol itself may name another file, that of a function inlined into it.
    start = function and gdb.find_pc_line(int(function.value().address)).symtab
    if start is None:
        return ""
    try:
        lines = Path(start.fullname()).read_text().splitlines()[: function.line - 1]
    except OSError:
        return ""
    return sentence_above(lines)


def sentence_above(lines):
    """The first sentence of the `///` comment at the end of these lines, above any attributes."""
    while lines and lines[-1].strip().startswith("#["):
        lines.pop()
    comment = []
    while lines and lines[-1].strip().startswith("///"):
        comment.insert(0, lines.pop().strip()[3:].strip())
    paragraph = " ".join(comment).split("  ")[0]
    found = re.match(r".*?[.:](?= [A-Z0-9`]|$)", paragraph)
    return (found[0] if found else paragraph).strip()


def register():
    """Adds the command to gdb."""
    Step()
