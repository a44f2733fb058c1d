"""The graded tests of exceptions that are handled: the stack on which each arrives, and the registers before and after.

A test stops the kernel, loads every register with a value of its own, and lets an instruction raise the exception. At
the function that the exception stubs call, it compares the frame in memory; then it makes that function return at once,
with other values in all registers, and compares the registers of the interrupted code. The kernel prints none of this.
"""

import itertools
import struct
from dataclasses import dataclass, field

from arch import ARCH, HALVES
from control import require
from descriptors import EXCEPTIONS
from faulttests import REGISTERS
from frames import CONSTANT, FRAMES, NT
from gdbstub import CPU, GENERAL, SEGMENTS
from gradelib import FAILURE, Machine, Test
from statetests import MCG_STATUS, STALE_BANKS, stale
from words import CHECKS, NO_PROMPT, WELCOME

KERNBASE, KSTACK, KSTACKTOP, UPAGES = ARCH.kernbase, ARCH.kstack, ARCH.kstacktop, ARCH.upages
NOWHERE = 0x1000  # an address that is never mapped
NON_CANONICAL = (ARCH.map.lower_end,) if ARCH.has(HALVES) else ()
SCRATCH = KSTACK + 64  # at the far end of the kernel's stack, which nothing uses

# Bits of RFLAGS.
ARITHMETIC, IF, DF, IOPL, AC, ID = 0x8D5, 1 << 9, 1 << 10, 3 << 12, 1 << 18, 1 << 21
RF = 1 << 16  # the processor sets it in the frames of faults; QEMU does not
EVERY_FLAG = ARITHMETIC | CONSTANT | IF | DF | IOPL | NT | AC | ID


@dataclass(frozen=True)
class Raised:
    """An exception: the code that raises it, and the registers that the code needs."""

    vector: int
    code: bytes
    error: tuple = (0,)  # the error codes that the processor may give
    registers: dict = field(default_factory=dict)
    is_fault: bool = True  # the interrupted code continues with the same instruction


def interrupt(vector):
    """An exception without an error code, raised by `int vector`."""
    return Raised(vector, bytes([0xCD, vector]), is_fault=False)


WIDE = b"\x48" if ARCH.word == 8 else b""  # a prefix: the operand takes 64 bits
PUSH = b"\x50"  # push rax
LOAD, STORE = WIDE + b"\x8b\x01", WIDE + b"\x89\x01"  # mov rax, [rcx]; mov [rcx], rax
LOAD_ES = b"\x8e\xc0"  # mov es, eax
DOUBLE_FAULT = Raised(8, PUSH, registers={"sp": NOWHERE})
PAGE_FAULT = Raised(14, LOAD, registers={"cx": NOWHERE})
RAISED = (
    *(interrupt(vector) for vector in sorted(EXCEPTIONS - {8, 10, 11, 12, 13, 14, 17, 21, 29, 30})),
    DOUBLE_FAULT,
    Raised(11, b"\xcd\x80", error=(0x402, 0x802)),  # int 0x80 (QEMU 7.2 doubles the number)
    Raised(13, LOAD_ES, error=(0x28,), registers={"ax": 0x28}),  # behind the GDT's end
    PAGE_FAULT,
    Raised(14, STORE, error=(3,), registers={"cx": KERNBASE + 0x10_0000}),  # the kernel's code
)
# No code here raises these; they have an error code, which `int` would not push.
BY_HAND = (10, 12, 17, 21, 29, 30)
# Each within the handler of the one before.
NESTED = (DOUBLE_FAULT, interrupt(2), interrupt(18), PAGE_FAULT, interrupt(3))


class Traps:
    """A stopped machine whose exceptions arrive at breakpoints. The kernel handles none of them."""

    def __init__(self, stub, symbols):
        self.stub, self.symbols = stub, symbols
        self.frames = FRAMES(stub, symbols)
        # No device interrupts the code while the flag IF is set.
        self.masks = {port: int(stub.monitor(f"i /b {port:#x}").split("=")[1], 16) for port in (0x21, 0xA1)}
        self.mask(dict.fromkeys(self.masks, 0xFF))
        self.values = itertools.count(1)

    def mask(self, masks):
        """Set the lines that the interrupt controllers do not let through."""
        for port, mask in masks.items():
            self.stub.monitor(f"o /b {port:#x} {mask:#x}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.mask(self.masks)

    def different(self):
        """A value of its own for each general register."""
        base, top = 0x0123_4567_0000_0000 >> 64 - 8 * CPU.word, 1 << 8 * CPU.word - 1
        return {name: base * 3 ** (nth := next(self.values)) % top + nth for name in GENERAL}

    def arrange(self, exception, flags, sp):
        """Load the registers of the code that is to be interrupted."""
        self.stub.write_registers({**self.different(), "sp": sp, "flags": flags, **exception.registers})
        return self.stub.registers()

    def check_frame(self, before, exception, resume):
        """The machine is at `trap`: check the stack, the frame and the flags; returns the frame's address."""
        name = f"vector {exception.vector}"
        frame = self.frames.find(exception.vector, before["sp"])
        wanted = {**before, "vector": exception.vector, "ip": resume}
        for register, value in self.frames.read(frame).items():
            value &= ~RF if register == "flags" else CPU.largest
            good = value in exception.error if register == "error" else value == wanted[register]
            require(good, f"{name}: in the frame {register} is {value:#x}, not {wanted.get(register, 0):#x}")
        flags = self.stub.read("flags") & ~ARITHMETIC
        require(flags == CONSTANT, f"{name}: the handler runs with the flags {flags:#x}")
        return frame

    def go_on(self, before, exception, resume, prepared):
        """Make `trap` return at once, and check the interrupted code's registers."""
        back = self.frames.go_on({**self.different(), "flags": ARITHMETIC | CONSTANT}, prepared)
        self.stub.run_to(resume)
        after = self.stub.registers()
        for register in (*GENERAL, "flags", *SEGMENTS):
            value = after[register] & ~RF if register == "flags" else after[register]
            require(
                value == before[register],
                f"vector {exception.vector}: {register} was {before[register]:#x}, and is {value:#x} afterwards",
            )
        back()

    def raise_all(self, exceptions, flags, sp):
        """Raise the first exception, each further one within the handler of the one before, and return from all."""
        exception, *further = exceptions
        with self.stub.interlude(exception.code):
            prepared = self.frames.prepare(exception)
            before = self.arrange(exception, flags, sp)
            resume = before["ip"] + (0 if exception.is_fault else len(exception.code))
            self.stub.run_to(self.symbols["trap"])
            frame = self.check_frame(before, exception, resume)
            if further:
                kept = self.stub.read_memory(frame, self.frames.size)
                self.stub.write("ip", before["ip"] + 32)  # elsewhere: there is a breakpoint at `trap`
                self.raise_all(further, flags, self.stub.read("sp"))
                found = self.stub.read_memory(frame, self.frames.size)
                require(found == kept, "a frame changed while another was in use")
            self.go_on(before, exception, resume, prepared)

    def deliver(self, vector, flags, sp):
        """Enter the stub of an exception with an error code as the processor would, and return."""
        error = 0x5A5A
        with self.stub.interlude(b"\x90"):
            exception = Raised(vector, b"\x90", error=(error,))
            before = self.arrange(exception, flags, sp)
            pushed = self.frames.pushed(error, before)
            below = self.frames.top(sp) - len(pushed)
            self.stub.write_memory(below, pushed)
            # The processor clears IF and NT.
            stub = self.symbols["trap_stubs"] + 16 * vector
            self.stub.write_registers({"ip": stub, "sp": below, "flags": flags & ~(IF | NT)})
            self.stub.run_to(self.symbols["trap"])
            self.check_frame(before, exception, before["ip"])
            self.go_on(before, exception, before["ip"], None)


def every_exception(stub, symbols):
    """Raise each exception twice, with the flags set and clear and with stack pointers that are not aligned."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    with Traps(stub, symbols) as traps:
        for flags, sp in ((EVERY_FLAG, KSTACKTOP - 0x1003), (CONSTANT, KSTACKTOP - 0x2008)):
            for exception in RAISED:
                traps.raise_all([exception], flags, sp)
            for vector in BY_HAND:
                traps.deliver(vector, flags, sp)


def nested_exceptions(stub, symbols):
    """Raise exceptions within the handlers of exceptions."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    with Traps(stub, symbols) as traps:
        traps.raise_all(NESTED, EVERY_FLAG, KSTACKTOP - 0x1003)


STORE_TO_AREA = WIDE + b"\xa3" + CPU.in_memory([ARCH.areas])  # mov [areas], rax


def area_fault(stub, symbols):
    """Let an application's handler resolve a fault, with values of this test's own in all registers."""
    start = next(address for name, address in symbols.items() if "store_and_fault" in name)
    store = start + stub.read_memory(start - ARCH.kernbase, 64).index(STORE_TO_AREA)
    stub.run_to(store)
    kept = stub.registers()
    with Traps(stub, symbols) as traps:
        before = traps.arrange(PAGE_FAULT, EVERY_FLAG, KSTACKTOP - 0x4003)
        stub.run_to(symbols["trap"])
        traps.check_frame(before, Raised(14, b"", error=(2,)), store)
        stub.run_to(store + len(STORE_TO_AREA))  # the instruction behind the store, once the handler has mapped the page
    after = stub.registers()
    for register in (*GENERAL, "flags", *SEGMENTS):
        require(after[register] & ~(RF if register == "flags" else 0) == before[register],
                f"{register} was {before[register]:#x}, and is {after[register]:#x} after a fault that was handled")
    stub.write_registers({name: value for name, value in kept.items() if name not in SEGMENTS})


# Probes: the function, the address, the value to store; the value that comes back, or the fault's error code.
FAULTED = 1 << 8 * CPU.word - 1
WORD = 0x8877_6655_4433_2211
CODE = KERNBASE + 0x10_0000
MISSING = UPAGES + ARCH.ptsize - 4096
GUARD = KSTACK - 8
# The registers of a probe's arguments: the address, and the value to store.
ADDRESS, VALUE = "cx", "dx"


# The memory that the probes use: no byte is 0, so that a store of too many bytes is seen.
AROUND = struct.pack("<3Q", WORD, WORD, WORD)


@dataclass(frozen=True)
class Probe:
    """A call of a probe, and its result: a value, or an error code."""

    function: str
    va: int
    value: int = None
    error: int = None
    stored: int = 0  # how many bytes of the value are stored


def faults(function, va, error):
    """A probe that faults."""
    return Probe(function, va, error=error)


PROBES = (
    Probe("probe_load", SCRATCH, WORD & CPU.largest), Probe("probe_load_byte", SCRATCH + 3, 0x44),
    Probe("probe_load_byte", SCRATCH + 7, 0x88), Probe("probe_load_user", SCRATCH, WORD & CPU.largest),
    Probe("probe_store", SCRATCH + 8, stored=CPU.word), Probe("probe_store_byte", SCRATCH + 11, stored=1),
    *(
        faults(function, va, error)
        for function in ("probe_load", "probe_load_byte", "probe_load_user")
        for va, error in ((NOWHERE, 0), (GUARD, 0), *((va, 0) for va in NON_CANONICAL))
    ),
    *(
        faults(function, va, error)
        for function in ("probe_store", "probe_store_byte")
        for va, error in ((NOWHERE, 2), (GUARD, 2), (CODE, 3), *((va, 2) for va in NON_CANONICAL))
    ),
    # User pages.
    faults("probe_load_user", MISSING, 0), Probe("probe_load_user", UPAGES, value=-1),
)
# With SMAP, and AC clear.
KEPT_OFF = (
    faults("probe_load", UPAGES, 1), faults("probe_load_byte", UPAGES, 1), faults("probe_store", UPAGES, 3),
)
LET_IN = (Probe("probe_load", UPAGES, value=-1),)  # with AC set


def call_probe(stub, symbols, probe, flags):
    """Call a probe, and check its result, memory, and all other registers."""
    back = stub.read("ip")
    stub.write_memory(SCRATCH, AROUND)
    with Traps(stub, symbols) as traps:
        before = {**traps.different(), ADDRESS: probe.va, "sp": KSTACKTOP - 0x1008, "flags": flags}
        stub.write_memory(before["sp"], CPU.in_memory([back]))
        stub.write_registers({**before, "ip": symbols[probe.function]})
        stub.run_to(back)
        after = stub.registers()
    name = f"{probe.function}({probe.va:#x}) with the flags {flags:#x}"
    value, fault = after["ax"], after["dx"]
    wanted = {**before, "sp": before["sp"] + CPU.word, "flags": flags}
    if probe.function == "probe_load_user":
        wanted["flags"] &= ~AC
    if probe.error is None:
        require(fault == 0, f"{name}: a fault, {fault:#x}")
        read = int.from_bytes(stub.read_memory(probe.va, CPU.word), "little") if probe.value == -1 else probe.value
        require(read is None or value == read, f"{name} gives {value:#x}")
    else:
        require(fault == FAULTED | probe.error, f"{name}: the fault is {fault:#x}")
        require(value == probe.va, f"{name}: the fault is at {value:#x}")
    for register in {*GENERAL, "flags"} - {"ax", "dx"}:
        is_good = (after[register] ^ wanted[register]) & ~(ARITHMETIC | RF if register == "flags" else 0) == 0
        require(is_good, f"{name}: {register} is {after[register]:#x}, not {wanted[register]:#x}")
    memory = bytearray(AROUND)
    if probe.stored:
        at = probe.va - SCRATCH
        memory[at : at + probe.stored] = CPU.in_memory([before[VALUE]])[: probe.stored]
    require(stub.read_memory(SCRATCH, len(memory)) == memory, f"{name} has changed other memory")


def every_probe(stub, symbols):
    """Call every probe, on pages of every kind, with AC clear and set."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    start = stub.registers()
    for flags, more in ((CONSTANT | ID, KEPT_OFF), (CONSTANT | AC, LET_IN)):
        for probe in (*PROBES, *more):
            call_probe(stub, symbols, probe, flags)
    stub.write_registers({name: value for name, value in start.items() if name not in SEGMENTS})


# Registers of the machine checks and of the caches' kinds, by number.
PAT, MCG_CAP, MCG_CTL, MC0_CTL = 0x277, 0x179, 0x17B, 0x400
PAT_AT_RESET = 0x0007_0406_0007_0406  # Intel SDM vol. 3A, table 11-12
ALL_ONES = (1 << 64) - 1


def model_specific(stub, symbols):
    """A loader has turned the reports of machine checks off; the kernel turns all of them on. It leaves PAT alone."""
    stale(STALE_BANKS)(stub, symbols)
    stub.run_to(symbols["check_page_installed_pgdir"])

    def rdmsr(number):
        found = stub.run_code(b"\x0f\x32", cx=number)
        return found["dx"] << 32 | found["ax"]

    banks = rdmsr(MCG_CAP) & 0xFF
    require(banks > 3, f"the processor has {banks} banks")
    wanted = {PAT: PAT_AT_RESET, MCG_STATUS: 0, MCG_CTL: ALL_ONES}
    for bank in range(banks):
        wanted.update({MC0_CTL + 4 * bank: ALL_ONES, MC0_CTL + 4 * bank + 1: 0})
    for number, value in wanted.items():
        require((found := rdmsr(number)) == value, f"the register {number:#x} is {found:#x}, not {value:#x}")


def trap_test(title, points, at_entry, lines=(*CHECKS, *WELCOME, "K> exit"), **machine):
    """A test whose function stops the kernel, and lets it run on to the prompt."""
    return Test(f"traps: {title}", points, Machine(cpu="max", at_entry=at_entry, **machine), lines, tags=("traps",))


TESTS = [
    trap_test("each on its stack, and every register restored", 10, every_exception),
    trap_test("one within another", 10, nested_exceptions),
    Test(
        "traps: every register restored after an area's fault", 10,
        Machine(cpu="max", at_entry=area_fault, words="test=registers-handled"), REGISTERS, NO_PROMPT, FAILURE,
        tags=("traps",),
    ),
    trap_test("every probe, on pages of every kind", 10, every_probe),
    trap_test("machine checks on in every bank", 5, model_specific),
]
