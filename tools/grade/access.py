"""Accesses that the machine itself makes, on the grader's command: loads, stores, jumps.

The grader writes a few bytes of code over the kernel's entry, which no kernel executes twice, and lets the processor
execute them at privilege level 0. A breakpoint at the handler of page faults tells how the access ended. Then memory and
registers are as before. So the answers are the processor's: by its TLB, its write protection, its no-execute bit.
"""

import contextlib
import random
import socket
import struct
from dataclasses import dataclass

import machinestate
from gdbstub import Stub, StubError
from tableformat import PAGE

PAGE_FAULT, GATE = 14, 16  # the vector, and the bytes of a gate
# Instructions, each followed by one at which the machine stops.
LOAD, STORE, JUMP = b"\x48\x8b\x07", b"\x48\x89\x37", b"\xff\xe7"  # mov rax, [rdi]; mov [rdi], rsi; jmp rdi
NOP = b"\x90"
# Bits of a page fault's error code (Intel SDM vol. 3A, 4.7).
PRESENT, WRITE, FETCH = 1, 2, 16
NUMBERS = {
    name: number
    for number, name in enumerate("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags".split())
}
INTERRUPTS_OFF = 2  # EFLAGS with nothing but the bit that is always set


class Debugger(Stub):
    """A stub's client that can change and restore everything that an access needs."""

    def get(self, register):
        """The value of a register, the flags among them."""
        return int.from_bytes(bytes.fromhex(self._ask(f"p{NUMBERS[register]:x}")), "little")

    def set(self, register, value):
        """Sets a register."""
        size = 4 if register == "eflags" else 8
        self._expect(f"P{NUMBERS[register]:x}={value.to_bytes(size, 'little').hex()}", "OK")

    def run_until(self, *addresses):
        """Lets the machine run to the first of some addresses, and returns it."""
        for address in addresses:
            self._expect(f"Z0,{address:x},1", "OK")
        answer = self._ask("c")
        for address in addresses:
            self._expect(f"z0,{address:x},1", "OK")
        if not answer.startswith("T05"):
            raise StubError(f"the machine stopped for another reason than a breakpoint: {answer}")
        return self.get("rip")

    @contextlib.contextmanager
    def kept(self, *registers):
        """Within this, these registers may be changed; afterwards they are as before."""
        values = {name: self.get(name) for name in registers}
        try:
            yield
        finally:
            for name, value in values.items():
                self.set(name, value)


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
    """The stopped processor behind a Debugger. The grader's code goes to the virtual address `code`."""

    def __init__(self, stub, code):
        self.stub, self.code = stub, code
        text = stub.monitor("info registers")
        base = int(text.split("IDT=")[1].split()[0], 16)
        low, _, _, _, middle, high = struct.unpack("<HHBBHI4x", stub.read_memory(base + PAGE_FAULT * GATE, GATE))
        self.handler = high << 32 | middle << 16 | low

    def load(self, va):
        """Reads the 8 bytes at `va`."""
        return self.run(LOAD, va)

    def store(self, va, value=0):
        """Writes 8 bytes at `va`."""
        return self.run(STORE, va, value)

    def fetch(self, va):
        """Jumps to `va`. Nothing but one instruction is executed there."""
        there = self.stub.read_memory(va, 1)
        self.stub.write_memory(va, NOP)
        try:
            return self.run(JUMP, va, beyond=va + 1)
        finally:
            self.stub.write_memory(va, there)

    def run(self, code, va, value=0, beyond=0):
        """Executes `code` with RDI = `va` and RSI = `value`. It ends behind the code, at `beyond`, or by a fault."""
        stub, end = self.stub, self.code + len(code)
        there = stub.read_memory(self.code, len(code) + 1)
        with stub.kept("rax", "rdi", "rsi", "rsp", "rip", "eflags"):
            stub.write_memory(self.code, code + NOP)
            stub.set("rsp", stub.get("rsp") - 256 & ~15)
            for name, number in (("rdi", va), ("rsi", value), ("rip", self.code), ("eflags", INTERRUPTS_OFF)):
                stub.set(name, number)
            try:
                stopped = stub.run_until(*{end, self.handler, beyond or end})
                if stopped != self.handler:
                    return Outcome(stub.get("rax"))
                error = struct.unpack("<Q", stub.read_memory(stub.get("rsp"), 8))[0]
                found = machinestate.registers(stub.monitor("info registers"))
                return Outcome(fault=error, address=found["CR2"])
            finally:
                stub.write_memory(self.code, there)


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
        stub = Debugger(connection)
        yield stub
        stub.detach()
    control.monitor("gdbserver none")


def verdict(control, state):
    """Complaints about what the processor lets the kernel do, now that its tables are in use."""
    with debugger(control) as stub:
        processor = Processor(stub, state.image.symbols["entry"])
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
        ("an instruction fetch from the kernel stack", processor.fetch, stack + 64, PRESENT | FETCH),
        ("an instruction fetch from the kernel's constants", processor.fetch, window(kernel.rodata) + 64, PRESENT | FETCH),
        ("an instruction fetch from the window", processor.fetch, window(kernel.end) + 8 * PAGE, PRESENT | FETCH),
        ("an instruction fetch from UPAGES", processor.fetch, jos.upages + 64, PRESENT | FETCH),
    ]
    if jos.uvpt:
        root = sum(jos.slots["UVPT"] * jos.form.span(level) for level in range(jos.form.levels))
        must_fault.append(("a write to UVPT", processor.store, jos.form.sign_extend(root), PRESENT | WRITE))
    if state.registers["CR4"] & (1 << 21):
        must_fault.append(("the kernel's read of UPAGES under SMAP", processor.load, jos.upages, PRESENT))
    for what, make, va, error in must_fault:
        outcome = make(va)
        if (outcome.fault, outcome.address) != (error, va):
            wanted = Outcome(fault=error, address=va)
            yield f"{what}, {va:#x}, {outcome}, but must be one that {wanted}"
    # What the window shows is RAM: a word of the grader's own, in frames that nothing uses.
    free = [number for number, link in enumerate(state.links) if link <= machinestate.END and state.frame(number) < jos.window]
    for number in random.sample(free, min(4, len(free))):
        pa, word = state.frame(number) + 8 * random.randrange(PAGE // 8), random.getrandbits(64)
        before = state.load(pa, 8)
        stored, loaded = processor.store(window(pa), word), processor.load(window(pa))
        found = int.from_bytes(state.load(pa, 8), "little")
        processor.store(window(pa), int.from_bytes(before, "little"))
        if stored.fault >= 0 or found != word:
            yield f"a write of {word:#x} to {window(pa):#x}, which must show {pa:#x}, {stored}; RAM has {found:#x} there"
        elif loaded != Outcome(word):
            yield f"a read of {window(pa):#x}, which must show {pa:#x} with {word:#x}, {loaded}"
