"""Processors as the grader sees them from outside, as data: registers in QEMU's gdb stub and monitor, the instructions
that the grader lets them execute, how a fault arrives, and how a function is called.

Registers have names without a width, which the two PCs share: `ax` is RAX on one and EAX on the other. The stack
pointer and the program counter are `sp` and `ip` on every machine. Sources: QEMU's target/i386/gdbstub.c and
target/riscv/gdbstub.c; the Intel SDM, vol. 2 (instructions) and vol. 3A, 4.7, 6.11 and 6.14 (faults, gates); the RISC-V
unprivileged specification, and the privileged one, 12.1; the System V ABI and the RISC-V ABIs (calls).
"""

import re
import struct
from dataclasses import dataclass, field

READ, WRITE, FETCH = "read", "write", "fetch"
PAGE_FAULT, TIMER = 14, 32  # vectors on PCs
# Bytes for a PC's timer: count down from 1, once (8254 data sheet).
INTERRUPTS_ON = 1 << 9  # of a PC's flags
TIMER_START = ((0x43, 0x30), (0x40, 1), (0x40, 0))


@dataclass(frozen=True)
class Cpu:
    """A processor."""

    word: int  # bytes of a general register
    general: list  # the registers that the stub passes on first, in its order
    further: dict  # those behind them: name -> bytes; the first of them may be the flags
    pattern: str  # of a register in what QEMU's monitor shows: its name and its value
    shown: dict  # the names of sp and ip there
    # Each instruction is followed by one at which the machine stops.
    load: bytes  # reads the word at the address in `place` into the register of a result
    store: bytes  # writes `value` to the word at `place`
    jump: bytes  # goes on at `place`
    nothing: bytes
    forever: bytes  # a jump to itself
    place: str
    value: str
    user_in: bytes  # lets the kernel use the user's pages, which the bits of `place` say
    user_out: bytes  # keeps it off them again
    user_bits: int
    arguments: tuple  # registers for a function's arguments; if there are none, the arguments are on the stack
    frame: str  # the frame pointer
    link: str  # the register of the return address; if empty, it is on the stack
    results: tuple  # the registers of a result of 64 bits, the lower half first
    loader: tuple  # the registers by which a loader says what it is, and where its information lies; a mask
    root: tuple  # the register with the root table's address: its name, a mask, and how far the address is shifted
    demanded: tuple  # what must be on: (register, bit, in words)
    forbidden: tuple  # what must be off, likewise
    apart: dict = field(default_factory=dict)  # registers that the stub passes on one by one: name -> number
    optional: dict = field(default_factory=dict)  # as `demanded`, if the processor has the feature of this name
    always: tuple = ()  # of these features, those that every processor has

    @property
    def flags(self):
        """The registers that are set and restored with the general ones."""
        return tuple(name for name in self.further if name == "flags")

    def registers(self, text):
        """The registers in the output of QEMU's `info registers`: name -> value."""
        return {name: int(value, 16) for name, value in re.findall(self.pattern, text)}

    def unpack(self, data):
        """The general registers and the flags in what the stub passes on: name -> value."""
        return dict(zip((*self.general, *self.flags), struct.unpack_from(self._layout, data)))

    def pack(self, registers):
        """The bytes by which the stub takes the general registers and the flags."""
        return struct.pack(self._layout, *(registers[name] for name in (*self.general, *self.flags)))

    @property
    def _layout(self):
        return f"<{len(self.general)}{self._code}{len(self.flags)}I"

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

    def root_table(self, registers):
        """The physical address of the root table in use."""
        name, mask, shift = self.root
        return (registers[name] & mask) << shift

    def call(self, arguments, back):
        """How a function gets arguments, each of 64 bits, and the address where it returns to: registers by name, and
        words for the stack."""
        registers = dict(zip(self.arguments, arguments))
        halves = [half for number in arguments for half in (number & self.largest, number >> 32)]
        words = () if self.arguments else halves
        return ({**registers, self.link: back}, ()) if self.link else (registers, (back, *words))

    def returned(self, found):
        """A function's result of 64 bits, from the registers after it."""
        return sum(found[name] << 8 * self.word * place for place, name in enumerate(self.results))


class Pc(Cpu):
    """A processor of a PC: a fault pushes an error code, and leads to the address in a gate."""

    PRESENT, CODES = 1, {READ: 0, WRITE: 2, FETCH: 16}  # of the error code

    def is_halted(self, monitor):
        """Whether the processor is halted. `monitor` asks QEMU's monitor."""
        return "HLT=1" in monitor("info registers")

    def wake(self, stub):
        """Gets the processor out of its halt, in which QEMU lets it execute nothing: the timer, started by hand,
        interrupts it, and the machine stops at the interrupt's entry. With interrupts off it has halted for good."""
        found = self.registers(stub.monitor("info registers"))
        flags = next(value for name, value in found.items() if name in ("RFL", "EFL"))
        if self.is_halted(stub.monitor) and flags & INTERRUPTS_ON:
            for port, value in TIMER_START:
                stub.monitor(f"o /b {port:#x} {value:#x}")
            entry = self.gate(stub, TIMER)
            stub.set_breakpoint(entry)
            stub.go()
            stub.clear_breakpoint(entry)

    def handler(self, stub):
        """The address to which page faults lead."""
        return self.gate(stub, PAGE_FAULT)

    def gate(self, stub, vector):
        """The address to which a gate leads."""
        base, size = int(stub.monitor("info registers").split("IDT=")[1].split()[0], 16), 2 * self.word
        gate = stub.read_memory(base + vector * size, size)
        low, middle = struct.unpack_from("<H4xH", gate)
        high = struct.unpack_from("<I", gate, 8)[0] if self.word == 8 else 0
        return high << 32 | middle << 16 | low

    def fault(self, stub, found):
        """The error code and the address of a fault that has arrived, with these registers."""
        (error,) = self.words(stub.read_memory(found["sp"], self.word))
        return error, self.registers(stub.monitor("info registers"))["CR2"]

    def fault_code(self, access, present):
        """The error code of an access of this kind to a page that is present, or is not."""
        return self.CODES[access] | (self.PRESENT if present else 0)

    def fault_words(self, error):
        """What an error code says."""
        bits = ["present" if error & self.PRESENT else "not present"]
        return ", ".join(bits + [access for access, code in self.CODES.items() if error & code])


class RiscV(Cpu):
    """A RISC-V hart: every trap leads to one address, and registers tell why."""

    CODES = {READ: 13, WRITE: 15, FETCH: 12}  # of page faults
    WFI, SOFTWARE = 0x1050_0073, 1 << 1  # the instruction that halts; a cause of interrupts, in SIE and SIP

    def is_halted(self, monitor):
        """Whether the hart is halted, or has just been woken: it stands behind the instruction that halts it."""
        before = self.registers(monitor("info registers"))["pc"] - 4
        return f"{self.WFI:#010x}" in monitor(f"x /1wx {before:#x}")

    def wake(self, stub):
        """Gets the hart out of its halt, in which QEMU lets it execute nothing: an interrupt is requested, which it does
        not take, since they are off there."""
        if self.is_halted(stub.monitor):
            before = {name: stub.read(name) for name in ("ip", "sie", "sip")}
            stub.write_registers({name: before[name] | self.SOFTWARE for name in ("sie", "sip")})
            stub.set_breakpoint(before["ip"])
            stub.go()
            stub.clear_breakpoint(before["ip"])
            stub.write_registers(before)

    def handler(self, stub):
        """The address to which traps lead."""
        return self.registers(stub.monitor("info registers"))["stvec"]

    def fault(self, stub, _found):
        """The number and the address of a fault that has arrived."""
        found = self.registers(stub.monitor("info registers"))
        return found["scause"], found["stval"]

    def fault_code(self, access, _present):
        """The cause's number for an access of this kind."""
        return self.CODES[access]

    def fault_words(self, cause):
        """What a cause's number says."""
        kinds = [f"{access} page fault" for access, code in self.CODES.items() if code == cause]
        return kinds[0] if kinds else f"scause {cause}"


PAGING, WRITE_PROTECT = ("CR0", 1 << 31, "paging"), ("CR0", 1 << 16, "write protection (WP)")
KEPT_OFF_USERS = {"smep": ("CR4", 1 << 20, "SMEP"), "smap": ("CR4", 1 << 21, "SMAP")}
FLAGS_AND_SEGMENTS = dict.fromkeys("flags cs ss ds es fs gs".split(), 4)
# mov ax, [di]; mov [di], si; jmp di; nop. No bit lets the kernel use the user's pages: QEMU's own processors, on which
# functions are called, do not keep it off them.
X86 = {
    "further": FLAGS_AND_SEGMENTS, "pattern": r"\b([A-Z][A-Z0-9]+) *=([0-9a-f]+)", "place": "di", "value": "si",
    "jump": b"\xff\xe7", "nothing": b"\x90",
    "forever": b"\xeb\xfe", "user_in": b"\x90", "user_out": b"\x90", "user_bits": 0, "frame": "bp",
    "link": "",
    "loader": ("ax", "bx", 0xFFFF_FFFF), "root": ("CR3", ~4095, 0), "forbidden": (), "optional": KEPT_OFF_USERS,
}
X86_64 = Pc(
    word=8, general="ax bx cx dx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15 ip".split(),
    shown={"sp": "RSP", "ip": "RIP"}, load=b"\x48\x8b\x07", store=b"\x48\x89\x37",
    arguments=("di", "si", "dx", "cx"), results=("ax",),
    demanded=(PAGING, WRITE_PROTECT, ("EFER", 1 << 11, "NX (NXE)")), **X86,
)
I386 = Pc(
    word=4, general="ax cx dx bx sp bp si di ip".split(), shown={"sp": "ESP", "ip": "EIP"},
    load=b"\x8b\x07", store=b"\x89\x37", arguments=(), results=("ax", "dx"),
    demanded=(PAGING, WRITE_PROTECT), **X86,
)
# Control and status registers of supervisor mode, the FPU's, and those by which a firmware limits it, by number.
CSRS = {
    "medeleg": 0x302, "mideleg": 0x303, "mcounteren": 0x306, "pmpcfg0": 0x3A0, "pmpaddr0": 0x3B0, "pmpaddr1": 0x3B1,
    "fcsr": 0x003, "sstatus": 0x100, "sie": 0x104, "stvec": 0x105, "sscratch": 0x140, "sepc": 0x141, "sip": 0x144,
}
RISCV64 = RiscV(
    word=8,
    general="zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6 "
            "ip".split(),
    further={}, pattern=r" (?:x\d+/)?([a-z]\w+) +([0-9a-f]{16})\b", shown={"sp": "sp", "ip": "pc"},
    load=b"\x03\x35\x05\0", store=b"\x23\x30\xb5\0", jump=b"\x67\0\x05\0",  # ld a0, (a0); sd a1, (a0); jr a0
    nothing=b"\x01\0", forever=b"\x6f\0\0\0", place="a0", value="a1",
    user_in=b"\x73\x20\x05\x10", user_out=b"\x73\x30\x05\x10",  # csrs sstatus, a0; csrc sstatus, a0
    user_bits=1 << 18, arguments=("a0", "a1", "a2", "a3"), frame="s0", link="ra", results=("a0",),
    loader=("a0", "a1", (1 << 64) - 1), root=("satp", (1 << 44) - 1, 12),
    demanded=(("satp", 1 << 63, "paging (Sv39)"),),
    forbidden=(
        ("mstatus", 1 << 18, "access to user pages (SUM)"), ("mstatus", 1 << 19, "reading of code (MXR)"),
    ),
    apart={**{f"f{number}": 33 + number for number in range(32)}, **{name: 66 + csr for name, csr in CSRS.items()}},
    always=("smep", "smap"),
)


def of(form):
    """The processor that reads page tables of a format."""
    return {"x86-64": X86_64, "i386": I386, "Sv39": RISCV64}[form.name]
