"""Accesses that the machine itself makes, on the grader's command: loads, stores, jumps.

The grader writes a few bytes of code over the kernel's entry, which no kernel executes twice, and lets the processor
execute them at privilege level 0. A breakpoint at the handler of page faults tells how the access ended. Then memory
and registers are as before. So the answers are the processor's: by its TLB, its write protection, its no-execute bit.
"""

import contextlib
import itertools
import random
import socket
from dataclasses import dataclass

import machinestate
from gdbstub import CPU, Stub, StubError
from tableformat import PAGE, X

PAGE_FAULT = 14  # the vector
TIMER = 32  # the vector of the timer's interrupt
# Bytes for the timer's ports: count down from 1, once (8254 data sheet).
TIMER_START = ((0x43, 0x30), (0x40, 1), (0x40, 0))
NOP = b"\x90"
# Bits of a page fault's error code (Intel SDM vol. 3A, 4.7).
PRESENT, WRITE, FETCH = 1, 2, 16
INTERRUPTS_OFF = 2  # EFLAGS with nothing but the bit that is always set


class Debugger(Stub):
    """A stub's client that changes and restores the registers of a call at once."""

    def registers(self):
        """The general registers, the program counter and the flags: name -> value."""
        return CPU.unpack(bytes.fromhex(self._ask("g")))

    def gate(self, vector):
        """The gate of an interrupt or exception."""
        base = int(self.monitor("info registers").split("IDT=")[1].split()[0], 16)
        return self.read_memory(base + vector * CPU.gate, CPU.gate)

    def set_registers(self, values):
        """Sets them all. (Segments and control registers are left out: to write those would flush the TLB.)"""
        self._expect(f"G{CPU.pack(values).hex()}", "OK")

    def set_breakpoint(self, address):
        """From now on the machine stops there."""
        self._expect(f"Z0,{address:x},1", "OK")

    def clear_breakpoint(self, address):
        """Undoes set_breakpoint."""
        self._expect(f"z0,{address:x},1", "OK")

    def go(self):
        """Lets the machine run to a breakpoint; returns the registers there."""
        answer = self._ask("c")
        if not answer.startswith("T05"):
            raise StubError(f"the machine stopped for another reason than a breakpoint: {answer}")
        return self.registers()


@dataclass(frozen=True)
class Outcome:
    """How an access ended."""

    value: int = 0  # that was read
    fault: int = -1  # the page fault's error code; -1 if there was none
    address: int = 0  # that faulted (CR2)

    def __str__(self):
        if self.fault < 0:
            return f"succeeds and gives {self.value:#x}"
        bits = [("present" if self.fault & PRESENT else "not present")]
        bits += [name for bit, name in ((WRITE, "write"), (FETCH, "fetch")) if self.fault & bit]
        return f"faults at {self.address:#x} ({', '.join(bits)})"


class Processor:
    """The stopped processor behind a Debugger, for as long as this is entered. The grader's code goes to the virtual
    address `code`; `further` are more addresses at which the machine stops."""

    def __init__(self, stub, code, further=()):
        self.stub, self.code = stub, code
        self.returned = code + 64  # where a called function returns to
        self.handler = CPU.handler(stub.gate(PAGE_FAULT))
        instructions = CPU.load, CPU.store, CPU.jump
        self.code_at = {code_: code + 16 * index for index, code_ in enumerate(instructions)}
        ends = [start + len(code_) for code_, start in self.code_at.items() if code_ != CPU.jump]
        self.stops = {*ends, self.returned, self.handler, *further}

    def __enter__(self):
        self.there = self.stub.read_memory(self.code, 65)
        code = b"".join(code.ljust(16, NOP) for code in self.code_at)
        self.stub.write_memory(self.code, code.ljust(65, NOP))
        for address in self.stops:
            self.stub.set_breakpoint(address)
        return self

    def __exit__(self, *_):
        for address in self.stops:
            self.stub.clear_breakpoint(address)
        self.stub.write_memory(self.code, self.there)

    def load(self, va):
        """Reads the word at `va`."""
        return self.access(CPU.load, va)

    def store(self, va, value=0):
        """Writes a word at `va`."""
        return self.access(CPU.store, va, value)

    def fetch(self, va):
        """Jumps to `va`. Nothing but one instruction is executed there."""
        try:
            there = self.stub.read_memory(va, 1)
        except StubError:
            return self.access(CPU.jump, va)  # Nothing is mapped there.
        self.stub.write_memory(va, NOP)
        self.stub.set_breakpoint(va + 1)
        try:
            return self.access(CPU.jump, va)
        finally:
            self.stub.clear_breakpoint(va + 1)
            self.stub.write_memory(va, there)

    def access(self, code, va, value=0):
        """Executes `code` for the address `va`, with `value` to write."""
        found = self.run(self.code_at[code], di=va, si=value)
        if found["ip"] != self.handler:
            return Outcome(found["ax"])
        (error,) = CPU.words(self.stub.read_memory(found["sp"], CPU.word))
        return Outcome(fault=error, address=machinestate.registers(self.stub.monitor("info registers"))["CR2"])

    def run(self, start, stack_words=(), **values):
        """Runs from `start` to a stop, with these registers, and words at the top of the stack; returns the registers
        there. Afterwards the machine has its own registers again."""
        before = self.stub.registers()
        stack = (before["sp"] - 4096 & ~15) - CPU.word * len(stack_words)
        if stack_words:
            self.stub.write_memory(stack, CPU.in_memory(stack_words))
        self.stub.set_registers({**before, "sp": stack, "flags": INTERRUPTS_OFF, "ip": start, **values})
        try:
            return self.stub.go()
        finally:
            self.stub.set_registers(before)


def wake(stub):
    """Gets the processor out of its halt, in which QEMU lets it execute nothing: the timer, started by hand, interrupts
    it, and the machine stops at the interrupt's entry."""
    if "HLT=1" not in stub.monitor("info registers"):
        return
    entry = CPU.handler(stub.gate(TIMER))
    for port, value in TIMER_START:
        stub.monitor(f"o /b {port:#x} {value:#x}")
    stub.set_breakpoint(entry)
    stub.go()
    stub.clear_breakpoint(entry)


@contextlib.contextmanager
def debugger(control):
    """A Debugger of the machine behind a Control, which is stopped while this lasts."""
    path = control.folder / "debugger"
    address = {"type": "unix", "data": {"path": str(path)}}
    backend = {"type": "socket", "data": {"addr": address, "server": True, "wait": False}}
    control.command("stop")  # before, so that no report of a stop comes between answers
    control.command("chardev-add", id="debugger", backend=backend)
    control.monitor("gdbserver chardev:debugger")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(control.left())
        connection.connect(str(path))
        stub = Debugger(connection, control.left)
        wake(stub)
        yield stub
        stub.detach()
    control.monitor("gdbserver none")


def verdict(control, state):
    """Complaints about what the processor lets the kernel do, now that its tables are in use."""
    with debugger(control) as stub:
        with Processor(stub, state.image.symbols["entry"]) as processor:
            return list(judge(processor, state))


def judge(processor, state):
    """One access or more of each kind: those that must succeed see RAM, the others fault as the map demands."""
    jos, kernel = state.jos, state.kernel
    stack = jos.kstktop - jos.kstksize
    window = lambda pa: jos.kernbase + (pa - jos.phys_base)
    must_fault = [
        ("a read of the low mapping of entry_pgdir", processor.load, jos.phys_base + 0x10_0000, 0),
        ("a read of address 0", processor.load, 0, 0),
        ("a read of the gap below the kernel stack", processor.load, stack - 8, 0),
        ("a write into the gap below the kernel stack", processor.store, stack - jos.kstkgap, WRITE),
        ("a write to the kernel's code", processor.store, window(kernel.rodata) - 8, PRESENT | WRITE),
        ("a write to the kernel's constants", processor.store, window(kernel.rodata), PRESENT | WRITE),
        ("a write to UPAGES", processor.store, jos.upages, PRESENT | WRITE),
    ]
    if not jos.form.always & X:
        must_fault += [
            ("an instruction fetch from the kernel stack", processor.fetch, stack + 64, PRESENT | FETCH),
            ("an instruction fetch from constants", processor.fetch, window(kernel.rodata) + 64, PRESENT | FETCH),
            ("an instruction fetch from the window", processor.fetch, window(kernel.end) + 8 * PAGE, PRESENT | FETCH),
        ]
    if not jos.form.always & X or state.is_on("smep"):
        must_fault.append(("an instruction fetch from UPAGES", processor.fetch, jos.upages + 64, PRESENT | FETCH))
    if jos.uvpt:
        root = sum(jos.slots["UVPT"] * jos.form.span(level) for level in range(jos.form.levels))
        must_fault.append(("a write to UVPT", processor.store, jos.form.sign_extend(root), PRESENT | WRITE))
    if state.is_on("smap"):
        must_fault.append(("the kernel's read of UPAGES under SMAP", processor.load, jos.upages, PRESENT))
    for what, make, va, error in must_fault:
        outcome = make(va)
        if (outcome.fault, outcome.address) != (error, va):
            wanted = Outcome(fault=error, address=va)
            yield f"{what}, {va:#x}, {outcome}, but must be one that {wanted}"
    # What the window shows is RAM: a word of the grader's own, in frames that nothing uses.
    in_window = itertools.islice(enumerate(state.links), jos.window // PAGE)
    free = [number for number, link in in_window if link <= machinestate.END]
    for number in random.sample(free, min(4, len(free))):
        size = CPU.word
        pa, word = state.frame(number) + size * random.randrange(PAGE // size), random.getrandbits(8 * size)
        before = state.load(pa, size)
        stored, loaded = processor.store(window(pa), word), processor.load(window(pa))
        found = int.from_bytes(state.load(pa, size), "little")
        processor.store(window(pa), int.from_bytes(before, "little"))
        if stored.fault >= 0 or found != word:
            where = f"{window(pa):#x}, which must show {pa:#x}"
            yield f"a write of {word:#x} to {where}, {stored}; RAM has {found:#x} there"
        elif loaded != Outcome(word):
            yield f"a read of {window(pa):#x}, which must show {pa:#x} with {word:#x}, {loaded}"
