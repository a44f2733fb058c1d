"""Processors as the grader sees them from outside, as data: registers in QEMU's gdb stub and monitor, the instructions
that the grader lets them execute, gates of exceptions, and how a function is called.

Registers have names without a width, which the two machines share: `ax` is RAX on one and EAX on the other. Sources:
QEMU's target/i386/gdbstub.c; the Intel SDM, vol. 2 (instructions) and vol. 3A, 6.11 and 6.14 (gates); the System V ABI
(calls).
"""

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Cpu:
    """A processor."""

    word: int  # bytes of a general register
    letter: str  # of a word's width, in the names that QEMU's monitor gives to registers
    general: list  # the registers that the stub passes on first, in its order; the flags behind them take 4 bytes
    # Each instruction is followed by one at which the machine stops.
    load: bytes  # reads the word at DI into AX
    store: bytes  # writes SI to the word at DI
    jump: bytes  # goes on at DI
    gate: int  # bytes of a gate
    arguments: tuple  # registers for a function's arguments; if there are none, the arguments are on the stack
    results: tuple  # the registers of a result of 64 bits, the lower half first
    demanded: tuple  # what must be on: (register, bit, in words)
    further: dict  # likewise, if the processor has the feature of this name

    def unpack(self, data):
        """The general registers and the flags in what the stub passes on: name -> value."""
        return dict(zip((*self.general, "flags"), struct.unpack_from(self._layout, data)))

    def pack(self, registers):
        """The bytes by which the stub takes the general registers and the flags."""
        return struct.pack(self._layout, *(registers[name] for name in (*self.general, "flags")))

    @property
    def _layout(self):
        return f"<{len(self.general)}{self._code}I"

    @property
    def _code(self):
        return "Q" if self.word == 8 else "I"

    @property
    def largest(self):
        """The number that a word holds if all of its bits are set."""
        return (1 << 8 * self.word) - 1

    def words(self, data):
        """The words in memory."""
        return struct.unpack(f"<{len(data) // self.word}{self._code}", data)

    def in_memory(self, words):
        """The bytes of words in memory."""
        return struct.pack(f"<{len(words)}{self._code}", *words)

    def handler(self, gate):
        """The address to which a gate leads."""
        low, middle = struct.unpack_from("<H4xH", gate)
        high = struct.unpack_from("<I", gate, 8)[0] if self.gate == 16 else 0
        return high << 32 | middle << 16 | low

    def call(self, arguments):
        """How a function gets arguments, each of 64 bits: registers by name, and words for the stack, above the return
        address."""
        if self.arguments:
            return dict(zip(self.arguments, arguments)), ()
        return {}, tuple(half for number in arguments for half in (number & self.largest, number >> 32))

    def returned(self, found):
        """A function's result of 64 bits, from the registers after it."""
        return sum(found[name] << 8 * self.word * place for place, name in enumerate(self.results))


PAGING, WRITE_PROTECT = ("CR0", 1 << 31, "paging"), ("CR0", 1 << 16, "write protection (WP)")
KEPT_OFF_USERS = {"smep": ("CR4", 1 << 20, "SMEP"), "smap": ("CR4", 1 << 21, "SMAP")}

X86_64 = Cpu(
    word=8, letter="R", general="ax bx cx dx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15 ip".split(),
    load=b"\x48\x8b\x07", store=b"\x48\x89\x37", jump=b"\xff\xe7",  # mov rax, [rdi]; mov [rdi], rsi; jmp rdi
    gate=16, arguments=("di", "si", "dx", "cx"), results=("ax",),
    demanded=(PAGING, WRITE_PROTECT, ("EFER", 1 << 11, "NX (NXE)")), further=KEPT_OFF_USERS,
)
I386 = Cpu(
    word=4, letter="E", general="ax cx dx bx sp bp si di ip".split(),
    load=b"\x8b\x07", store=b"\x89\x37", jump=b"\xff\xe7",  # mov eax, [edi]; mov [edi], esi; jmp edi
    gate=8, arguments=(), results=("ax", "dx"),
    demanded=(PAGING, WRITE_PROTECT), further=KEPT_OFF_USERS,
)


def of(form):
    """The processor that reads page tables of a format."""
    return {"x86-64": X86_64, "i386": I386}[form.name]
