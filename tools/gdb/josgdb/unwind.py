"""Backtraces through traps: gdb's unwinder for the stubs that save the interrupted registers in a TrapFrame.

The stubs are assembly. What the assembler can say about their frames does not reach over the change of stacks, and
gdb's own guess is wrong there. gdb looks for a caller's function one byte before its address, where the call is, so it
shows a fault in a function's first instruction in the function before; `jos why` names the right one.
"""

from typing import NamedTuple

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from . import machine
from .context import CONTEXT


class Stub(NamedTuple):
    """A machine's stub."""

    names: tuple  # its functions; while the last one calls another function, the TrapFrame is complete
    type: str  # the TrapFrame's type
    saved: tuple  # (gdb's register, its place in the TrapFrame)
    pointer: str = ""  # the register with the TrapFrame's address, during that call; "": it is on top of the stack
    after: str = ""  # a stack pointer that a trap from ring 3 leaves right behind the TrapFrame


def fields(*names):
    """Registers that are fields of the same name."""
    return tuple((name, name) for name in names)


X86 = ("trap_stubs", "trap_common")
STUBS = {
    "x86_64": Stub(X86, "kernel::arch::x86_64::frame::TrapFrame",
                   fields(*"rip rsp rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()), pointer="rsp"),
    "i386": Stub(X86, "kernel::arch::i386::frame::TrapFrame",
                 fields(*"eip esp eax ebx ecx edx esi edi ebp".split()), after="esp"),
    "riscv64": Stub(("trap_entry",), "kernel::arch::riscv64::trap::frame::TrapFrame",
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
        if not stub or name not in stub.names:
            return None
        if pending.level() == 0:
            # The TrapFrame may be incomplete.
            return from_ring_3(pending, arch, stub)
        if name != stub.names[-1]:
            return None
        kind = gdb.lookup_type(stub.type)
        at = gdb.Value(machine.unsigned(pending.read_register(stub.pointer or arch.sp)))
        if not stub.pointer:
            at = at.cast(kind.pointer().pointer()).dereference()
        at = at.cast(kind.pointer())
        saved, unwound = at.dereference(), pending.create_unwind_info(Place(at, pc))
        for register, place in stub.saved:
            value = saved["x"][place] if isinstance(place, int) else saved[place]
            if register == stub.after and is_user(saved["cs"]):
                value = (at + 1).cast(value.type.pointer()).dereference()
            unwound.add_saved_register(register, value.cast(pending.read_register(register).type))
        return unwound


def is_user(selector):
    """Whether a code segment is a program's."""
    return machine.unsigned(selector) & 3 == 3


def from_ring_3(pending, arch, stub):
    """The frame of a stub that a single step from a program has led to.

    The processor's five words lie at the top of the kernel's stack, and the other registers are still the program's.
    """
    if arch.name == "riscv64":
        return None
    word, sp = pending.read_register(arch.sp).type, pending.read_register(arch.sp)
    unsigned = gdb.lookup_type("u64" if word.sizeof == 8 else "u32")
    top = CONTEXT.facts.addresses["KSTACKTOP"]
    first = gdb.Value(top - 5 * word.sizeof).cast(unsigned.pointer())
    ip, selector, _, stack, _ = ((first + number).dereference() for number in range(5))
    if not is_user(selector) or not top - 64 * word.sizeof < machine.unsigned(sp) <= top - 5 * word.sizeof:
        return None
    unwound = pending.create_unwind_info(Place(first, pending.read_register(arch.pc)))
    for register, _ in stub.saved:
        value = pending.read_register(register)
        value = {arch.pc: ip, arch.sp: stack}.get(register, value).cast(value.type)
        unwound.add_saved_register(register, value)
    return unwound


def function_at(pc):
    """The name of the function at an address, without debugging information."""
    said = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return said.split(" ")[0]


def register():
    """Adds the unwinder to gdb, in place of an older one."""
    register_unwinder(None, Trap(), replace=True)
