"""The code that raises exceptions on each machine, and whatever a test of them must know: flags, registers, results.

Sources: Intel SDM vol. 3A, table 6-1; the RISC-V privileged specification, 12.1 and table 12.2.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from arch import ARCH
from descriptors import EXCEPTIONS
from gdbstub import CPU
from stalestate import FS, FS_INITIAL, MXR, SIE, SUM

NOWHERE = 0x1000  # an address that is never mapped
CODE = ARCH.window(ARCH.image)  # the kernel's


@dataclass(frozen=True)
class Raised:
    """An exception: the code that raises it, and the registers that the code needs."""

    vector: int
    code: bytes
    error: tuple = (0,)  # the error codes that the processor may give, or the values of STVAL; if empty, any
    registers: dict = field(default_factory=dict)
    is_fault: bool = True  # the interrupted code continues with the same instruction


class TrapCode(NamedTuple):
    """A machine's exceptions."""

    raised: tuple
    by_hand: tuple  # vectors that no code here raises; they have an error code, which `int` would not push
    nested: tuple  # exceptions, each within the handler of the one before
    double_fault: Raised
    page_fault: Raised
    # The register with the flags; all that can be set without harm, and the least.
    flags: str
    every_flag: int
    calm: int
    changing: int  # flags that arithmetic changes
    unseen: int  # flags that an exception and its end may change
    in_handler: tuple  # the flags in the handler: a mask, and their value
    # Application's areas: the store that an area's handler makes good, its registers, and the fault's error code.
    area_store: bytes
    area_registers: dict
    area_vector: int
    area_error: int
    # Probes: the registers of the address and the value, of the result and the fault; the flag that lets the kernel use
    # the user's pages, and the value that probe_load_user needs.
    address: str
    value: str
    fault: str
    let_in: int
    load_user: dict


# Bits of RFLAGS.
CONSTANT, IF, DF, IOPL, NT, AC, ID = 0x2, 1 << 9, 1 << 10, 3 << 12, 1 << 14, 1 << 18, 1 << 21
ARITHMETIC, RF = 0x8D5, 1 << 16  # the processor sets RF in the frames of faults; QEMU does not


def pc():
    """The exceptions of PCs."""
    wide = b"\x48" if ARCH.word == 8 else b""  # a prefix: the operand takes 64 bits
    push = b"\x50"  # push rax
    load, store = wide + b"\x8b\x01", wide + b"\x89\x01"  # mov rax, [rcx]; mov [rcx], rax
    load_es = b"\x8e\xc0"  # mov es, eax

    def interrupt(vector):
        """An exception without an error code, raised by `int vector`."""
        return Raised(vector, bytes([0xCD, vector]), is_fault=False)

    double_fault = Raised(8, push, registers={"sp": NOWHERE})
    page_fault = Raised(14, load, registers={"cx": NOWHERE})
    return TrapCode(
        raised=(
            *(interrupt(vector) for vector in sorted(EXCEPTIONS - {8, 10, 11, 12, 13, 14, 17, 21, 29, 30})),
            double_fault,
            Raised(11, b"\xcd\x80", error=(0x402, 0x802)),  # int 0x80 (QEMU 7.2 doubles the number)
            Raised(13, load_es, error=(0x28,), registers={"ax": 0x28}),  # behind the GDT's end
            page_fault,
            Raised(14, store, error=(3,), registers={"cx": CODE}),
        ),
        by_hand=(10, 12, 17, 21, 29, 30),
        nested=(double_fault, interrupt(2), interrupt(18), page_fault, interrupt(3)),
        double_fault=double_fault, page_fault=page_fault,
        flags="flags", every_flag=ARITHMETIC | CONSTANT | IF | DF | IOPL | NT | AC | ID, calm=CONSTANT | ID,
        changing=ARITHMETIC, unseen=RF, in_handler=(~ARITHMETIC, CONSTANT),
        area_store=wide + b"\xa3" + CPU.in_memory([ARCH.areas]),  # mov [areas], rax
        area_registers={}, area_vector=14, area_error=2,
        address="cx", value="dx", fault="dx", let_in=AC, load_user={},
    )


def riscv():
    """The exceptions of RISC-V. A store to a stack that is not there is what comes nearest to a double fault."""
    load, store, push = b"\x83\x32\x05\0", b"\x23\x30\x55\0", b"\x23\x3c\x51\xfe"  # ld t0, (a0); sd t0, (a0), -8(sp)
    device = ARCH.map.mmiobase + 0x800  # behind the serial port's registers
    lost = Raised(15, push, error=(NOWHERE - 8,), registers={"sp": NOWHERE})
    page_fault = Raised(13, load, error=(NOWHERE,), registers={"a0": NOWHERE})
    breakpoint_ = Raised(3, b"\x73\0\x10\0", error=())  # ebreak
    return TrapCode(
        raised=(
            breakpoint_, lost, page_fault,
            Raised(2, b"\x73\x10\0\xc0", error=()),  # unimp
            Raised(15, store, error=(CODE,), registers={"a0": CODE}),
            Raised(5, load, error=(device,), registers={"a0": device}),
        ),
        by_hand=(), nested=(lost, page_fault, breakpoint_, page_fault), double_fault=lost, page_fault=page_fault,
        flags="sstatus", every_flag=FS | SUM | MXR, calm=FS_INITIAL, changing=0, unseen=~(FS | SUM | MXR),
        in_handler=(SIE | SUM, 0),
        area_store=b"\x23\xb0\xef\x01",  # sd t5, (t6)
        area_registers={"t6": ARCH.areas}, area_vector=15, area_error=ARCH.areas,
        address="a0", value="a1", fault="a1", let_in=SUM, load_user={"a2": SUM},
    )


TRAPS = {"x86_64": pc, "i386": pc, "riscv64": riscv}[ARCH.name]()
