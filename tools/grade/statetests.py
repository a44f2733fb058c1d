"""The graded tests of the processor's state: what a loader may leave in its registers, what the kernel makes of them,
machine checks and NMIs, and the stacks for exceptions that cannot trust the one in use.

The registers are read from outside, at the prompt. They must be the same however the kernel was started, so there is
one list of them, and stale bits in every register at the entry change nothing in it.
"""

import re
import struct

import badloader
from control import require
from gradelib import FAILURE, Machine, Test
from words import CHECKS, NO_PROMPT, PAGE_FAULT, UPAGES, WELCOME, boots, cannot_start, fault, panic

PAGE = 4096
KERNBASE = 0xFFFF_FFFF_F000_0000

# Registers at the prompt: value, and which bits count. Of EFLAGS those that change with any instruction do not.
EVERYWHERE = {
    "CR0": (0x8001_0011, ~0),  # PE ET WP PG
    "EFER": (0xD00, ~0),  # LME LMA NXE
    "DR7": (0x400, ~0),
    "RFL": (0x20_0002, ~0x8D5),  # ID; not CF PF AF ZF SF OF
}
CR4 = {"": 0xE0, "max": 0x30_08E0}  # PAE MCE PGE; and UMIP SMEP SMAP


def registers(cpu):
    """Look at the registers that the entry and the kernel write; gives a function for Machine.typed."""

    def look(control):
        found = control.registers()
        for name, (value, mask) in {**EVERYWHERE, "CR4": (CR4[cpu], ~0)}.items():
            require(found[name] & mask == value, f"{name} is {found[name]:#x}, not {value:#x}")
        state = control.monitor("info registers")
        require(re.search(r"^LDT=0000 ", state, re.M), "LDTR holds what the loader left")

    look.__name__ = "read the registers"
    return look


# What a loader may leave, by name: 32-bit code that leaves it. Paging is off, so bits that demand it cannot be there.


def put(register, value):
    """Code that moves a value to a control or debug register, given as the bytes behind 0F."""
    return b"\xb8" + struct.pack("<I", value) + b"\x0f" + register


def wrmsr(number, value):
    """Code that writes a model-specific register."""
    high, low = value >> 32, value & 0xFFFF_FFFF
    return b"\xb9" + struct.pack("<I", number) + b"\xba" + struct.pack("<I", high) + b"\xb8" + struct.pack("<I", low) + b"\x0f\x30"


TO_CR0, TO_CR4, TO_DR0, TO_DR7 = b"\x22\xc0", b"\x22\xe0", b"\x23\xc0", b"\x23\xf8"
EFER, MCG_CTL, MC2_CTL = 0xC000_0080, 0x17B, 0x408
STALE = {
    # VME PVI TSD DE PSE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP LA57 FSGSBASE OSXSAVE SMEP SMAP PKE
    "CR4": put(TO_CR4, 0x0075_1FDF),
    "CR0": put(TO_CR0, 0x6005_002F),  # MP EM TS NE WP AM NW CD, and PE
    "EFER": wrmsr(EFER, 0x4001),  # SCE, FFXSR
    "EFLAGS": b"\x68" + struct.pack("<I", 0x4_7402) + b"\x9d",  # AC NT IOPL DF
}
EVERYTHING = b"".join(STALE.values())

TRAMPOLINE = 0x8000  # free memory; a stack grows down from there


def leave(stub, code):
    """Run the 32-bit code before the instruction that is next, as the loader's last."""
    eax, eip = stub.read("rax"), stub.read("rip")
    back = b"\xb8" + struct.pack("<I", eax) + b"\x68" + struct.pack("<I", eip) + b"\xc3"
    stub.write_memory(TRAMPOLINE, code + back)
    stub.write("rsp", TRAMPOLINE)
    stub.write("rip", TRAMPOLINE)


def stale(code, enter=badloader.enter_pvh):
    """A Machine.at_entry: a good loader, but for the state that the code leaves."""

    def spoil(stub, symbols):
        enter(stub, symbols)
        leave(stub, code(symbols) if callable(code) else code)

    return spoil


def multiboot2(stub, symbols):
    """A good multiboot2 loader."""
    badloader.enter_multiboot2(stub, symbols, badloader.multiboot2(badloader.memory_map(badloader.GOOD_MAP)))


def breakpoint_in_kernel(symbols):
    """A hardware breakpoint on the kernel's first Rust function."""
    return put(TO_DR0, symbols["i386_init"] & 0xFFFF_FFFF) + put(TO_DR7, 0x401)
