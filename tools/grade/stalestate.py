"""Stale bits in registers, as a loader or a firmware may leave them: functions for Machine.at_entry.

Sources: Intel SDM vol. 3A, 2.5 and 15.3; the RISC-V privileged specification, 12.1.
"""

import struct

import badloader
from arch import ARCH
from gdbstub import CPU

# Fields of SSTATUS, which is a part of MSTATUS, of SIE and SATP (RISC-V privileged specification, 12.1).
SIE, SPIE, UBE, VS, FS_INITIAL, FS, SUM, MXR = 1 << 1, 1 << 5, 1 << 6, 3 << 9, 1 << 13, 3 << 13, 1 << 18, 1 << 19
DEVICES_INTERRUPTS, SV39 = 1 << 9, 8 << 60
SUPERVISORS_INTERRUPTS = 1 << 1 | 1 << 5 | DEVICES_INTERRUPTS

# 32-bit code by which a loader leaves stale bits. Paging is off, so bits that require it (PCIDE, LMA) cannot be set;
# nor can TF, which would raise an exception within the loader.
TO_CR0, TO_CR4, TO_DR0, TO_DR7 = b"\x22\xc0", b"\x22\xe0", b"\x23\xc0", b"\x23\xf8"
EFER, MCG_STATUS, MCG_CTL, MC2_CTL, MC3_STATUS = 0xC000_0080, 0x17A, 0x17B, 0x408, 0x40D


def word(value):
    """The bytes of a 32-bit number in code."""
    return struct.pack("<I", value)


def put(register, value):
    """mov eax, value; mov register, eax."""
    return b"\xb8" + word(value) + b"\x0f" + register


def wrmsr(number, value):
    """mov ecx, number; mov edx, value's upper half; mov eax, its lower half; wrmsr."""
    return b"\xb9" + word(number) + b"\xba" + word(value >> 32) + b"\xb8" + word(value & 0xFFFF_FFFF) + b"\x0f\x30"


# VME PVI TSD DE PSE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP LA57 FSGSBASE OSXSAVE SMEP SMAP PKE
STALE_CR4 = put(TO_CR4, 0x75_1FDF)
STALE_CR0 = put(TO_CR0, 0x6005_002F)  # PE; and MP EM TS NE WP AM NW CD
STALE_EFER = wrmsr(EFER, 0x1001)  # SCE SVME
STALE_SEGMENTS = b"\x8c\xd8" + b"".join(b"\x8e" + bytes([0xC0 | s << 3]) for s in (0, 4, 5))  # DS's: ES FS GS
STALE_EFLAGS = b"\x68" + word(0x4_7402) + b"\x9d"  # push, popfd: AC NT IOPL DF
# Reporting is off, a machine check is in progress, and a bank holds an error.
STALE_BANKS = wrmsr(MCG_CTL, 0) + wrmsr(MC2_CTL, 0) + wrmsr(MCG_STATUS, 4) + wrmsr(MC3_STATUS, 1 << 63)
# The selector, the stack pointer and the address of another kernel's code for SYSENTER.
STALE_SYSENTER = wrmsr(0x174, 8) + wrmsr(0x175, 0x7000) + wrmsr(0x176, 0xC010_0000)


def stale_breakpoint(symbols):
    """A hardware breakpoint in the entry, where the kernel handles no exceptions yet."""
    return put(TO_DR0, symbols["check_processor"]) + put(TO_DR7, 0x401)


TRAMPOLINE = 0x8000  # free memory; a stack grows down from there


def stale(code, enter=badloader.enter_pvh):
    """A Machine.at_entry: a good loader, except for the bits that the code sets."""

    def stale_state(stub, symbols):
        enter(stub, symbols)
        made = code(symbols) if callable(code) else code
        # mov eax, its old value; push the entry; ret
        made += b"\xb8" + word(stub.read("ax")) + b"\x68" + word(stub.read("ip")) + b"\xc3"
        stub.write_memory(TRAMPOLINE, made)
        stub.write("sp", TRAMPOLINE)
        stub.write("ip", TRAMPOLINE)

    return stale_state


PC_STALE = tuple((name, stale(code)) for name, code in (
    ("CR4, five levels too", STALE_CR4), ("CR0, caches off", STALE_CR0), ("EFER", STALE_EFER),
    ("EFLAGS", STALE_EFLAGS), ("segments", STALE_SEGMENTS), ("breakpoint in DR7", stale_breakpoint),
))


def stale_registers(**values):
    """A Machine.at_entry: control and status registers of RISC-V that a firmware leaves."""

    def stale_state(stub, symbols):
        stub.run_to(symbols["_start"])
        stub.write_registers(values)

    return stale_state


STALE = {
    "x86_64": PC_STALE, "i386": PC_STALE,
    "riscv64": (
        ("sstatus", stale_registers(sstatus=SIE | SPIE | FS | SUM | MXR)),
        ("sie", stale_registers(sie=SUPERVISORS_INTERRUPTS)),
        ("stvec, sscratch and sepc", stale_registers(stvec=0x1001, sscratch=1, sepc=2)),
    ),
}[ARCH.name]


def multiboot2(stub, symbols):
    """A good multiboot2 loader."""
    badloader.enter_multiboot2(stub, symbols, badloader.multiboot2(badloader.memory_map(badloader.GOOD_MAP)))


def stale_frame_pointer(stub, symbols):
    """A loader's frame pointer, into the memory of the stack that the kernel starts on."""
    stub.run_to(symbols[ARCH.boot("kernel").entry])
    stub.write(CPU.frame, symbols["bootstacktop"] - ARCH.window(0) - 16)
