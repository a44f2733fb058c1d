"""Backtraces through traps: gdb's unwinder for the stubs that save the interrupted registers in a TrapFrame.

The stubs are assembly. What the assembler can say about their frames does not reach over the change of stacks, and
gdb's own guess is wrong there. gdb looks for a caller's function one byte before its address, where the call is, so it
shows a fault in a function's first instruction in the function before; `jos why` names the right one.
"""

from typing import NamedTuple

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from . import kernel, machine
from .context import CONTEXT


# A stub pushes fewer words than these.
MOST_WORDS = 64


class Stub(NamedTuple):
    """A machine's stub, while it calls the function that handles the trap."""

    name: str
    type: str  # the TrapFrame's type
    saved: tuple  # (gdb's register, its place in the TrapFrame)
    pointer: str = ""  # the register with the TrapFrame's address; "": it is on top of the stack


def fields(*names):
    """Registers that are fields of the same name."""
    return tuple((name, name) for name in names)


STUBS = {
    "x86_64": Stub("trap_common", "kernel::arch::x86_64::frame::TrapFrame",
                   fields(*"rip rsp rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()), pointer="rsp"),
    "i386": Stub("trap_common", "kernel::arch::i386::frame::TrapFrame",
                 fields(*"eip esp eax ebx ecx edx esi edi ebp".split())),
    "riscv64": Stub("trap_entry", "kernel::arch::riscv64::trap::frame::TrapFrame",
                    (("pc", "sepc"), *((f"x{n}", n) for n in range(1, 32))), pointer="sp"),
}


class Place(NamedTuple):
    """What tells a frame from all others, as pointers."""

    sp: gdb.Value
    pc: gdb.Value


class Trap(Unwinder):
    """The frame of a stub."""

    def __init__(self):
        super().__init__("jos64-trap")

    def __call__(self, pending):
        arch = machine.ARCHES.get(pending.architecture().name())
        stub = arch and STUBS[arch.name]
        pc = stub and pending.read_register(arch.pc)
        name = function_at(machine.unsigned(pc)) if stub else ""
        if pending.level() == 0:
            return innermost(pending, arch, stub, name) if stub else None
        if not stub or name != stub.name:
            return None
        kind = gdb.lookup_type(stub.type).pointer()
        at = gdb.Value(machine.unsigned(pending.read_register(stub.pointer or arch.sp)))
        if not stub.pointer:
            at = at.cast(kind.pointer()).dereference()
        saved, unwound = at.cast(kind).dereference(), pending.create_unwind_info(Place(at.cast(kind), pc))
        if arch.name != "riscv64" and is_user(saved["cs"]):
            return None  # The stub's debugging information tells of a program's registers.
        for register, place in stub.saved:
            value = saved["x"][place] if isinstance(place, int) else saved[place]
            unwound.add_saved_register(register, value.cast(pending.read_register(register).type))
        return unwound


def is_user(selector):
    """Whether a code segment is a program's."""
    return machine.unsigned(selector) & 3 == 3


def innermost(pending, arch, stub, name):
    """The frame of a stub's beginning, to which a single step from a program has led; None in any other function.

    Only what the processor has changed is elsewhere; all other registers are still the program's.
    """
    if name in ("trap_stubs", "trap_common"):
        changed, place = by_trap(pending, arch)
    elif name == "syscall_entry":
        changed, place = by_syscall(pending, arch)
    else:
        return None
    if not changed:
        return None
    unwound = pending.create_unwind_info(Place(place, pending.read_register(arch.pc)))
    for register, _ in stub.saved:
        value = pending.read_register(register)
        unwound.add_saved_register(register, changed.get(register, value).cast(value.type))
    return unwound


def by_trap(pending, arch):
    """The program's registers that a trap has changed, and where the processor's words lie: at the kernel stack's top."""
    sp = pending.read_register(arch.sp)
    word = gdb.lookup_type("u64" if sp.type.sizeof == 8 else "u32")
    top = CONTEXT.facts.addresses["KSTACKTOP"]
    first = gdb.Value(top - 5 * word.sizeof).cast(word.pointer())
    pc, selector, _, stack, _ = ((first + number).dereference() for number in range(5))
    within = top - MOST_WORDS * word.sizeof < machine.unsigned(sp) <= top - 5 * word.sizeof
    return {arch.pc: pc, arch.sp: stack} if within and is_user(selector) else {}, first


def by_syscall(pending, arch):
    """The program's registers that the instruction SYSCALL has changed, and its stack."""
    stack = pending.read_register(arch.sp)
    if machine.unsigned(stack) >= CONTEXT.facts.addresses["UTOP"]:
        kept = kernel.static("kernel::arch::x86_64::syscall::USER_RSP")
        stack = gdb.Value(kernel.number(kept)).cast(stack.type) if kept is not None else stack
    return {arch.pc: pending.read_register("rcx"), arch.sp: stack}, stack


def function_at(pc):
    """The name of the function at an address, without debugging information."""
    said = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return said.split(" ")[0]


def register():
    """Adds the unwinder to gdb, in place of an older one."""
    register_unwinder(None, Trap(), replace=True)
