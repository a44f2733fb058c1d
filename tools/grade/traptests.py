"""The graded tests of exceptions that are handled: the stack on which each arrives, and the registers before and after.

A test stops the kernel, loads every register with a value of its own, and lets an instruction raise the exception. At
the function that the exception stubs call, it compares the frame in memory; then it makes that function return at once,
with other values in all registers, and compares the registers of the interrupted code. The kernel prints none of this.
"""

import itertools
import struct
from dataclasses import dataclass

from arch import ARCH, HALVES, PC
from control import require
from faulttests import REGISTERS
from frames import FRAMES
from gdbstub import CPU, GENERAL, SEGMENTS
from gradelib import FAILURE, Machine, Test
from stalestate import MCG_STATUS, STALE_BANKS, stale
from trapcode import CODE, IF, NOWHERE, NT, TRAPS, Raised
from words import CHECKS, NO_PROMPT, WELCOME

KSTACK, KSTACKTOP, UPAGES = ARCH.kstack, ARCH.kstacktop, ARCH.upages
FPU = [*(name for name in CPU.apart if name[0] == "f")]
FLOATS = [name for name in FPU if name != "fcsr"]
NON_CANONICAL = (ARCH.map.lower_end,) if ARCH.has(HALVES) else ()
SCRATCH = KSTACK + 64  # at the far end of the kernel's stack, which nothing uses


class Traps:
    """A stopped machine whose exceptions arrive at breakpoints. The kernel handles none of them."""

    def __init__(self, stub, symbols):
        self.stub, self.symbols = stub, symbols
        self.frames = FRAMES(stub, symbols)
        self.values = itertools.count(1)
        self.kept = self.registers()

    def registers(self):
        """The values of all registers that an exception must leave alone: name -> value."""
        apart = [name for name in CPU.apart if name in FPU or name == TRAPS.flags]
        return {**self.stub.registers(), **{name: self.stub.read(name) for name in apart}}

    def restore(self):
        """Set all registers to their values at the beginning, and let devices interrupt again."""
        self.frames.unmask()
        self.stub.write_registers({name: value for name, value in self.kept.items() if name not in SEGMENTS})

    def different(self):
        """A value of its own for each general register."""
        base, top = 0x0123_4567_0000_0000 >> 64 - 8 * CPU.word, 1 << 8 * CPU.word - 1
        values = {name: base * 3 ** (nth := next(self.values)) % top + nth for name in (*GENERAL, *FLOATS)}
        return {**values, **({"fcsr": next(self.values) % 32} if FPU else {})}

    def arrange(self, exception, flags, sp):
        """Load the registers of the code that is to be interrupted."""
        self.stub.write_registers({**self.different(), "sp": sp, TRAPS.flags: flags, **exception.registers})
        return self.registers()

    def check_frame(self, before, exception, resume):
        """The machine is at `trap`: check the stack, the frame and the flags; returns the frame's address."""
        name = f"vector {exception.vector}"
        frame = self.frames.find(exception.vector, before["sp"])
        wanted = {**before, "vector": exception.vector, "ip": resume}
        for register, value in self.frames.read(frame).items():
            if register == "error":
                good = value in exception.error or not exception.error
            else:
                good = self.alike(register, value, wanted[register])
            require(good, f"{name}: in the frame {register} is {value:#x}, not {wanted.get(register, 0):#x}")
        flags, (mask, right) = self.stub.read(TRAPS.flags), TRAPS.in_handler
        require(flags & mask == right, f"{name}: the handler runs with the flags {flags:#x}")
        return frame

    @staticmethod
    def alike(register, one, other):
        """Whether two values of a register are the same, but for flags that an exception may change."""
        return (one ^ other) & (~TRAPS.unseen if register == TRAPS.flags else -1) == 0

    def go_on(self, before, exception, resume, prepared):
        """Make `trap` return at once, and check the interrupted code's registers."""
        flags = {TRAPS.flags: TRAPS.changing | TRAPS.in_handler[1]}
        back = self.frames.go_on({**self.different(), **flags}, prepared)
        self.stub.run_to(resume)
        self.check_registers(before, f"vector {exception.vector}")
        back()

    def check_registers(self, before, name):
        """The interrupted code has its registers again."""
        after = self.registers()
        for register in before.keys() - {"ip", *self.frames.unsaved(before)}:
            was, value = before[register], after[register]
            require(self.alike(register, value, was), f"{name}: {register} was {was:#x}, and is {value:#x} afterwards")

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
    traps = Traps(stub, symbols)
    for flags, sp in ((TRAPS.every_flag, KSTACKTOP - 0x1003), (TRAPS.calm, KSTACKTOP - 0x2008)):
        for exception in TRAPS.raised:
            traps.raise_all([exception], flags, sp)
        for vector in TRAPS.by_hand:
            traps.deliver(vector, flags, sp)
    traps.restore()


def nested_exceptions(stub, symbols):
    """Raise exceptions within the handlers of exceptions."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    traps = Traps(stub, symbols)
    traps.raise_all(TRAPS.nested, TRAPS.every_flag, KSTACKTOP - 0x1003)
    traps.restore()


def stack_that_is_nearly_full(stub, symbols):
    """The frame takes the last bytes of the kernel's stack, and if there is one byte less, the trap stack."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    traps = Traps(stub, symbols)
    for sp in (KSTACK + traps.frames.size, KSTACK + traps.frames.size - 1, KSTACKTOP, KSTACKTOP + 1):
        traps.raise_all([TRAPS.page_fault], TRAPS.calm, sp)
    traps.restore()


def area_fault(stub, symbols):
    """Let an application's handler resolve a fault, with values of this test's own in all registers."""
    start = next(address for name, address in symbols.items() if "store_and_fault" in name)
    store = start + stub.read_memory(start - ARCH.window(0), 64).index(TRAPS.area_store)
    stub.run_to(store)
    traps = Traps(stub, symbols)
    fault = Raised(TRAPS.area_vector, b"", error=(TRAPS.area_error,), registers=TRAPS.area_registers)
    before = traps.arrange(fault, TRAPS.every_flag, KSTACKTOP - 0x4003)
    stub.run_to(symbols["trap"])
    traps.check_frame(before, fault, store)
    stub.run_to(store + len(TRAPS.area_store))  # the instruction behind it, once the handler has mapped the page
    traps.check_registers(before, "a fault that was handled")
    traps.restore()


# Probes: the function, the address, the value to store; the value that comes back, or the fault's error code.
WORD = 0x8877_6655_4433_2211
MISSING = UPAGES + ARCH.ptsize - 4096
GUARD = KSTACK - 8


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
# With the user's pages closed to the kernel.
KEPT_OFF = (
    faults("probe_load", UPAGES, 1), faults("probe_load_byte", UPAGES, 1), faults("probe_store", UPAGES, 3),
)
LET_IN = (Probe("probe_load", UPAGES, value=-1),)  # with them open


def call_probe(stub, symbols, probe, flags):
    """Call a probe, and check its result, memory, and all other registers."""
    traps = Traps(stub, symbols)
    back = stub.read("ip")
    stub.write_memory(SCRATCH, AROUND)
    before = {**traps.different(), TRAPS.address: probe.va, "sp": KSTACKTOP - 0x1008, TRAPS.flags: flags}
    before.update(TRAPS.load_user if probe.function == "probe_load_user" else {})
    link, words = CPU.call((), back)
    before.update(link)
    stub.write_memory(before["sp"], CPU.in_memory(words))
    stub.write_registers({**before, "ip": symbols[probe.function]})
    stub.run_to(back)
    after = traps.registers()
    name = f"{probe.function}({probe.va:#x}) with the flags {flags:#x}"
    result = CPU.results[0]
    value, fault = after[result], after[TRAPS.fault]
    wanted = {**before, "sp": before["sp"] + CPU.word * len(words)}
    if probe.function == "probe_load_user":
        wanted[TRAPS.flags] &= ~TRAPS.let_in
    if probe.error is None:
        require(fault == 0, f"{name}: a fault, {fault:#x}")
        read = int.from_bytes(stub.read_memory(probe.va, CPU.word), "little") if probe.value == -1 else probe.value
        require(read is None or value == read, f"{name} gives {value:#x}")
    else:
        # A fault (1), of a page that is present (2), at a write (4).
        require(fault == 1 | probe.error << 1, f"{name}: the fault is {fault:#x}")
        require(value == probe.va, f"{name}: the fault is at {value:#x}")
    for register in wanted.keys() - {result, TRAPS.fault}:
        is_good = traps.alike(register, after[register] & ~TRAPS.changing, wanted[register] & ~TRAPS.changing) \
            if register == TRAPS.flags else after[register] == wanted[register]
        require(is_good, f"{name}: {register} is {after[register]:#x}, not {wanted[register]:#x}")
    memory = bytearray(AROUND)
    if probe.stored:
        at = probe.va - SCRATCH
        memory[at : at + probe.stored] = CPU.in_memory([before[TRAPS.value]])[: probe.stored]
    require(stub.read_memory(SCRATCH, len(memory)) == memory, f"{name} has changed other memory")


def every_probe(stub, symbols):
    """Call every probe, on pages of every kind, with the user's pages closed and open."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    traps = Traps(stub, symbols)
    for flags, more in ((TRAPS.calm, KEPT_OFF), (TRAPS.calm | TRAPS.let_in, LET_IN)):
        for probe in (*PROBES, *more):
            call_probe(stub, symbols, probe, flags)
    traps.restore()


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


def trap_test(title, points, at_entry, lines=(*CHECKS, *WELCOME, "K> exit"), needs=(), **machine):
    """A test whose function stops the kernel, and lets it run on to the prompt."""
    machine = Machine(cpu=ARCH.strict, at_entry=at_entry, **machine)
    return Test(f"traps: {title}", points, machine, lines, tags=("traps",), needs=needs)


TESTS = [
    trap_test("each on its stack, and every register restored", 10, every_exception),
    trap_test("one within another", 10, nested_exceptions),
    Test(
        "traps: every register restored after an area's fault", 10,
        Machine(cpu=ARCH.strict, at_entry=area_fault, words="test=registers-handled"), REGISTERS, NO_PROMPT, FAILURE,
        tags=("traps",),
    ),
    trap_test("every probe, on pages of every kind", 10, every_probe),
    trap_test("machine checks on in every bank", 5, model_specific, needs=(PC,)),
    *(() if ARCH.has(PC) else (trap_test("a stack that is nearly full", 10, stack_that_is_nearly_full),)),
]
