"""Reads a TrapFrame of the kernel, each machine's own, as a Trap."""

from typing import NamedTuple, Optional

from . import fault as faults
from . import machine


class Trap(NamedTuple):
    """A trap."""

    name: str
    at: int  # the interrupted instruction
    fault: Optional[faults.Fault] = None  # if it is a page fault
    unhandled: Optional[int] = None  # the address of the latest page fault, if that had no stack


def read(frame):
    """The Trap of a TrapFrame, a gdb.Value."""
    return riscv(frame) if machine.arch().name == "riscv64" else x86(frame)


def x86(frame):
    """The Trap of an x86 processor."""
    vector, error, flags, at = (int(frame[name]) for name in ("vector", "error", saved(frame, "flags"), saved(frame, "ip")))
    cr2 = machine.register("cr2")
    if vector == 8:
        # Its own error code is 0; it means that the latest page fault, if any, could not be delivered.
        return Trap("a double fault", at, unhandled=cr2)
    if vector != 14:
        return Trap(f"exception {vector}", at)
    return Trap("a page fault", at, faults.x86(cr2, error, machine.register("cr0"), machine.register("cr4"), flags))


def riscv(frame):
    """The Trap of a RISC-V hart."""
    scause, stval, sstatus, at = (int(frame[name]) for name in ("scause", "stval", "sstatus", "sepc"))
    if scause not in faults.SCAUSES:
        return Trap(f"exception {scause}", at)
    if int(frame["x"][0]):  # The stub found no room on the interrupted stack.
        return Trap("a trap on an unusable stack", at, unhandled=stval)
    return Trap("a page fault", at, faults.riscv(stval, scause, sstatus))


def saved(frame, register):
    """The name of a TrapFrame's field, without the letter that says how wide the machine is: rip or eip is "ip"."""
    return next(field.name for field in frame.type.fields() if field.name[1:] == register)
