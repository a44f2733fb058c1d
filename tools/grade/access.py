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
from cpus import FETCH, READ, WRITE
from gdbstub import CPU, Stub, StubError
from tableformat import PAGE, X

STEP = 16  # bytes from one of the grader's instructions to the next
# EFLAGS with nothing but the bit that is always set.
INTERRUPTS_OFF = dict.fromkeys(CPU.flags, 2)


class Debugger(Stub):
    """A stub's client that changes and restores the registers of a call at once."""

    def registers(self):
        """The general registers, the program counter and the flags: name -> value."""
        return CPU.unpack(bytes.fromhex(self._ask("g")))

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
    fault: int = -1  # the page fault's code, as the processor gives it; -1 if there was none
    address: int = 0  # that faulted

    def __str__(self):
        if self.fault < 0:
            return f"succeeds and gives {self.value:#x}"
        return f"faults at {self.address:#x} ({CPU.fault_words(self.fault)})"


def faults(access, va, present):
    """The Outcome of an access that must fault."""
    return Outcome(fault=CPU.fault_code(access, present), address=va)


class Processor:
    """The stopped processor behind a Debugger, for as long as this is entered. The grader's code goes to the virtual
    address `code`; `further` are more addresses at which the machine stops."""

    def __init__(self, stub, code, further=()):
        self.stub, self.code = stub, code
        self.handler = CPU.handler(stub)
        instructions = dict.fromkeys((CPU.load, CPU.store, CPU.jump, CPU.user_in, CPU.user_out))
        self.code_at = {code_: code + STEP * index for index, code_ in enumerate(instructions)}
        self.returned = code + STEP * len(instructions)  # where a called function returns to
        ends = [start + len(code_) for code_, start in self.code_at.items() if code_ != CPU.jump]
        self.stops = {*ends, self.returned, self.handler, *further}

    def __enter__(self):
        nothing = CPU.nothing * (STEP // len(CPU.nothing))
        code = b"".join(code + nothing[len(code) :] for code in self.code_at) + nothing
        self.there = self.stub.read_memory(self.code, len(code))
        self.stub.write_memory(self.code, code)
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
            there = self.stub.read_memory(va, len(CPU.nothing))
        except StubError:
            return self.access(CPU.jump, va)  # Nothing is mapped there.
        self.stub.write_memory(va, CPU.nothing)
        self.stub.set_breakpoint(va + len(CPU.nothing))
        try:
            return self.access(CPU.jump, va)
        finally:
            self.stub.clear_breakpoint(va + len(CPU.nothing))
            self.stub.write_memory(va, there)

    def access(self, code, va, value=0):
        """Executes `code` for the address `va`, with `value` to write."""
        found = self.run(self.code_at[code], **{CPU.place: va, CPU.value: value})
        if found["ip"] != self.handler:
            return Outcome(found[CPU.results[0]])
        fault, address = CPU.fault(self.stub, found)
        return Outcome(fault=fault, address=address)

    @contextlib.contextmanager
    def user_pages(self):
        """While this lasts, the kernel may use the user's pages."""
        self.access(CPU.user_in, CPU.user_bits)
        yield
        self.access(CPU.user_out, CPU.user_bits)

    def run(self, start, stack_words=(), **values):
        """Runs from `start` to a stop, with these registers, and words at the top of the stack; returns the registers
        there. Afterwards the machine has its own registers again."""
        before = self.stub.registers()
        stack = (before["sp"] - 4096 & ~15) - CPU.word * len(stack_words)
        if stack_words:
            self.stub.write_memory(stack, CPU.in_memory(stack_words))
        self.stub.set_registers({**before, **INTERRUPTS_OFF, "sp": stack, "ip": start, **values})
        try:
            return self.stub.go()
        finally:
            self.stub.set_registers(before)


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
        CPU.wake(stub)
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
        ("a read of the low mapping of entry_pgdir", READ, jos.phys_base + 0x10_0000, False),
        ("a read of address 0", READ, 0, False),
        ("a read of the gap below the kernel stack", READ, stack - 8, False),
        ("a write into the gap below the kernel stack", WRITE, stack - jos.kstkgap, False),
        ("a write to the kernel's code", WRITE, window(kernel.rodata) - 8, True),
        ("a write to the kernel's constants", WRITE, window(kernel.rodata), True),
        ("a write to UPAGES", WRITE, jos.upages, True),
    ]
    if not jos.form.always & X:
        must_fault += [
            ("an instruction fetch from the kernel stack", FETCH, stack + 64, True),
            ("an instruction fetch from constants", FETCH, window(kernel.rodata) + 64, True),
            ("an instruction fetch from the window", FETCH, window(kernel.end) + 8 * PAGE, True),
        ]
    if not jos.form.always & X or state.is_on("smep"):
        must_fault.append(("an instruction fetch from UPAGES", FETCH, jos.upages + 64, True))
    if jos.uvpt:
        root = sum(jos.slots["UVPT"] * jos.form.span(level) for level in range(jos.form.levels))
        must_fault.append(("a write to UVPT", WRITE, jos.form.sign_extend(root), True))
    if state.is_on("smap"):
        must_fault.append(("the kernel's read of UPAGES, from which it is kept off", READ, jos.upages, True))
    make = {READ: processor.load, WRITE: processor.store, FETCH: processor.fetch}
    for what, access, va, present in must_fault:
        outcome, wanted = make[access](va), faults(access, va, present)
        if (outcome.fault, outcome.address) != (wanted.fault, va):
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
