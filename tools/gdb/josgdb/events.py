"""The commands about events: diff, for changes since the last stop, and why, for a page fault."""

import re

import gdb

from . import fault as faults
from . import envs, kernel, machine, snapshot, traps
from .command import Command
from .context import CONTEXT
from .stops import HISTORY, take


class Diff(Command):
    """Tell what changed since the stop before this one: jos diff

Page tables, mappings, page states and counts, the free list, and control registers. + is new, - is gone,
! is changed. The bits that the processor sets by itself, A and D, are left out. To see what one function
does: stop at it, `finish`, `jos diff`."""

    def run(self, words):
        self.wants(not words)
        if HISTORY.now is None:
            HISTORY.now = take()
        if HISTORY.before is None:
            raise kernel.NotYet("This is the first stop: there is nothing to compare with yet.")
        lines = snapshot.compare(CONTEXT.form, HISTORY.before, HISTORY.now)
        print("\n".join(lines) if lines else "Nothing changed in tables, counts and control registers.")


class Why(Command):
    """Explain the page fault that the kernel is handling: jos why

It puts together what the processor tells of the fault (the error code and CR2; scause and stval on RISC-V), and the
walk of that address now. Stop where the kernel handles an exception: `break trap`; or a program's page fault:
`break page_fault_handler`."""

    def run(self, words):
        self.wants(not words)
        facts, form = CONTEXT.facts, CONTEXT.form
        frame = trap_frame()
        if frame is None:
            raise kernel.NotYet("No exception is being handled here; `break trap` stops at the next one.")
        trap = traps.read(frame)
        at = code(trap.at)
        if trap.unhandled is not None:
            stack = facts.region(trap.unhandled)["name"] == "guard gap"
            why = "the kernel stack ran over" if stack else "an exception could not be delivered"
            print(f"This is {trap.name}: {why}. The latest page fault was at {facts.named(trap.unhandled)}.")
        elif trap.fault is None:
            print(f"This is {trap.name}, not a page fault. It was raised at {at}.")
            return
        else:
            root = machine.mode().root
            with machine.physical() as read:
                steps = form.walk(read, root, trap.fault.va)
            print(faults.explain(form, trap.fault, steps))
            print(f"  {trap.fault.text}")
        print(f"  It happened at {at}.")


def trap_frame():
    """The TrapFrame of a function on the stack, in a variable of its own or in a Trap; of a program's trap; or None."""
    frame = gdb.newest_frame()
    for _ in range(kernel.MOST_FRAMES):
        if frame is None:
            return None
        if (frame.name() or "").endswith("::handle_trap"):
            return of_program()
        for _, value in kernel.variables(frame):
            found = pointed_to(value)
            if found is not None:
                return found
        frame = frame.older()
    return None


def pointed_to(value):
    """The TrapFrame that a variable leads to, a pointer to one or a Trap with one; None for any other variable."""
    if re.search(r"::trap::(\w+::)*Trap$", value.type.unqualified().name or "") and value.type.has_key("frame"):
        return value["frame"].dereference()
    is_pointer = value.type.code == gdb.TYPE_CODE_PTR
    return value.dereference() if is_pointer and (value.type.target().name or "").endswith("::TrapFrame") else None


def of_program():
    """The TrapFrame of the program that runs, where the stubs of traps save its registers; None if none has run."""
    kept = kernel.static("kernel::arch::x86::ring3::FRAME")
    if kept is None or not kernel.number(kept):
        return None
    pointer = gdb.lookup_type(envs.TYPES[machine.arch().name][0]).pointer()
    registers = gdb.Value(kernel.number(kept)).cast(pointer).dereference()
    return registers[registers.type.fields()[0]]


def code(pc):
    """An address in the code, with its function and line."""
    place, at = gdb.find_pc_line(pc), CONTEXT.facts.va_text(pc)
    block = gdb.block_for_pc(pc)
    while block is not None and block.function is None:
        block = block.superblock
    if block is None:  # Assembly: `info symbol` says "name + 12 in section .text".
        return f"{at} ({gdb.execute(f'info symbol {pc:#x}', to_string=True).split(' in section')[0].strip()})"
    function = f" in {block.function}"
    line = f", {place.symtab.filename}:{place.line}" if place.symtab is not None else ""
    return f"{at}{function}{line}"


def register():
    """Adds them to gdb."""
    for command in (Diff, Why):
        command()
