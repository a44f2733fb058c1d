"""Backtraces through traps: gdb's unwinder for the stubs that save the interrupted registers in a TrapFrame.

The stubs are assembly. What the assembler can say about their frames does not reach over the change of stacks, and
gdb's own guess is wrong there. gdb looks for a caller's function one byte before its address, where the call is, so it
shows a fault in a function's first instruction in the function before; `jos why` names the right one.
"""

from typing import NamedTuple

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from . import machine


class Stub(NamedTuple):
    """A machine's stub, while the function runs that it calls."""

    name: str
    frame: str  # the register with the address of the TrapFrame
    type: str  # its type
    saved: tuple  # (gdb's register, its place in the TrapFrame)


def fields(*names):
    """Registers that are fields of the same name."""
    return tuple((name, name) for name in names)


X86_64 = Stub("trap_common", "rsp", "kernel::arch::x86_64::frame::TrapFrame",
              fields(*"rip rsp rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()))
STUBS = {
    "x86_64": (X86_64, X86_64._replace(name="syscall_entry", frame="rbx")),
    "i386": (Stub("trap_common", "ebx", "kernel::arch::i386::frame::TrapFrame",
                  fields(*"eip esp eax ebx ecx edx esi edi ebp".split())),),
    "riscv64": (Stub("trap_entry", "sp", "kernel::arch::riscv64::trap::frame::TrapFrame",
                     (("pc", "sepc"), *((f"x{n}", n) for n in range(1, 32)))),),
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
        # In the innermost frame the TrapFrame may be incomplete.
        if pending.level() == 0:
            return None
        arch = machine.ARCHES.get(pending.architecture().name())
        if not arch:
            return None
        pc = pending.read_register(arch.pc)
        name = function_at(machine.unsigned(pc))
        stub = next((stub for stub in STUBS[arch.name] if stub.name == name), None)
        if not stub:
            return None
        at = gdb.Value(machine.unsigned(pending.read_register(stub.frame)))
        at = at.cast(gdb.lookup_type(stub.type).pointer())
        saved, unwound = at.dereference(), pending.create_unwind_info(Place(at, pc))
        for register, place in stub.saved:
            value = saved["x"][place] if isinstance(place, int) else saved[place]
            unwound.add_saved_register(register, value.cast(pending.read_register(register).type))
        return unwound


def function_at(pc):
    """The name of the function at an address, without debugging information."""
    said = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return said.split(" ")[0]


def register():
    """Adds the unwinder to gdb, in place of an older one."""
    register_unwinder(None, Trap(), replace=True)
