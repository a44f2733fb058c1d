"""How an exception arrives at the function `trap` on each machine, and how the interrupted code goes on: for a test
that stands between the two, with a debugger's means.
"""

import re
import struct

from arch import ARCH, PC
from control import require
from descriptors import ON_OWN_STACKS, STACK_SIZE, TSS_LIMIT, stacks_at, tops
from gdbstub import CPU
from trapcode import CONSTANT, FS, NT

CR3 = 28  # its place in a TSS
CLTS = b"\x0f\x06"  # clears CR0.TS, which a change of tasks sets


class Frames:
    """The frames of exceptions in a stopped machine."""

    PUSHED = ()  # the registers in a frame, from the lowest address on: the stubs push them, then the processor does
    BY_PROCESSOR = ()  # those that the processor pushes behind the error code
    ALIGNED = 1  # of the interrupted stack pointer, before the processor pushes
    KEPT = ()  # registers that `trap` must keep, for the stub that calls it

    def __init__(self, stub, symbols):
        self.stub, self.symbols = stub, symbols
        self.own = self.own_stacks()
        self.size = CPU.word * len(self.PUSHED)
        # No device interrupts the code while interrupts are on.
        self.masks = {port: self.mask(port, 0xFF) for port in ((0x21, 0xA1) if ARCH.has(PC) else ())}

    def mask(self, port, mask):
        """Sets the lines that an interrupt controller does not let through; returns those before."""
        before = int(self.stub.monitor(f"i /b {port:#x}").split("=")[1], 16)
        self.stub.monitor(f"o /b {port:#x} {mask:#x}")
        return before

    def unmask(self):
        """Devices interrupt the code again."""
        for port, mask in self.masks.items():
            self.mask(port, mask)

    def own_stacks(self):
        """The tops of the stacks that some exceptions have: vector -> address."""
        return tops(stacks_at(self.symbols))

    def read(self, frame):
        """The registers in a frame: name -> value."""
        return dict(zip(self.PUSHED, CPU.words(self.stub.read_memory(frame, self.size))))

    def pushed(self, error, registers):
        """The bytes that the processor pushes."""
        return CPU.in_memory([error, *(registers[name] for name in self.BY_PROCESSOR)])

    def top(self, sp):
        """Where the processor begins to push, if the interrupted stack pointer is `sp`."""
        return sp & -self.ALIGNED

    def unsaved(self, _before):
        """The registers that need not be kept, if the interrupted code had these."""
        return ()

    def prepare(self, exception):
        """Before an exception is raised. Returns what `go_on` needs."""

    def go_on(self, values, _prepared):
        """At `trap`: return from it, with these values in all registers that it need not keep. Returns a function to
        call in the interrupted code."""
        now = self.stub.registers()
        back = CPU.words(self.stub.read_memory(now["sp"], CPU.word))[0]
        kept = {name: now[name] for name in self.KEPT}
        self.stub.write_registers({**values, **kept, "sp": now["sp"] + CPU.word, "ip": back})
        return lambda: None


class LongMode(Frames):
    """x86-64: the frame's address is an argument in a register, and the exceptions have their stacks by the IDT."""

    PUSHED = "r15 r14 r13 r12 r11 r10 r9 r8 bp di si dx cx bx ax vector error ip cs flags sp ss".split()
    BY_PROCESSOR = "ip cs flags sp ss".split()
    ALIGNED = 16

    def find(self, vector, sp):
        """At `trap`: the frame's address, which must be on the right stack."""
        now = self.stub.registers()
        frame, top = now["di"], self.own.get(vector, self.top(sp))
        require(frame == top - self.size, f"vector {vector}: its frame is at {frame:#x}, not below {top:#x}")
        require(now["sp"] == frame - 8, f"vector {vector}: RSP is {now['sp']:#x}, and the frame is at {frame:#x}")
        return frame


class Protected(Frames):
    """i386: the frame's address is on the stack, which is the interrupted one, unless the exception is a task."""

    PUSHED = "di si bp sp bx dx cx ax es ds vector error ip cs flags".split()
    BY_PROCESSOR = "ip cs flags".split()
    KEPT = ("bx",)  # the stub finds the frame by it

    def find(self, vector, sp):
        """At `trap`: the frame's address, which must be on the right stack."""
        stack = self.stub.read("sp")
        frame = CPU.words(self.stub.read_memory(stack + 4, 4))[0]
        if vector in ON_OWN_STACKS:
            top = self.own[vector]
            good = top - STACK_SIZE < stack < frame <= top - self.size
            require(good, f"vector {vector}: its frame is at {frame:#x}, ESP {stack:#x}, its stack is below {top:#x}")
        else:
            require(frame == sp - self.size, f"vector {vector}: its frame is at {frame:#x}, not below {sp:#x}")
            wanted = (frame & -16) - 112 - 20  # the state of x87, the argument on 16 bytes, and the return address
            require(stack == wanted, f"vector {vector}: ESP is {stack:#x}, and the frame is at {frame:#x}")
        return frame

    def read(self, frame):
        """The registers in a frame; of a selector's word the upper half may be anything."""
        found = super().read(frame)
        return {**found, **{name: found[name] & 0xFFFF for name in ("cs", "ds", "es")}}

    def prepare(self, exception):
        """Keeps the state of an exception's task, which the processor changes when the test returns from it."""
        if exception.vector not in ON_OWN_STACKS:
            return None
        text = self.stub.monitor("info registers")
        gdt = int(re.search(r"^GDT= *(\w+)", text, re.M)[1], 16)

        def task(selector):
            entry = struct.unpack("<Q", self.stub.read_memory(gdt + selector, 8))[0]
            return entry >> 16 & 0xFF_FFFF | entry >> 32 & 0xFF00_0000

        tss = task(0x30 + 8 * ON_OWN_STACKS.index(exception.vector))
        state = self.stub.read_memory(tss, TSS_LIMIT + 1)
        # On the way back the processor takes CR3 from the interrupted task, where it has not put it.
        self.stub.write_memory(task(0x28) + CR3, state[CR3 : CR3 + 4])
        return tss, state

    def go_on(self, values, prepared):
        """At `trap`: return from it. The exceptions' tasks never return, so the test does, by IRETD with NT set."""
        if not prepared:
            return super().go_on(values, prepared)
        tss, state = prepared
        common = self.symbols["trap_common"]
        iretd = common + self.stub.read_memory(common, 64).index(b"\x83\xc4\x08\xcf") + 3
        self.stub.write_registers({**values, "sp": self.stub.read("sp"), "flags": NT | CONSTANT, "ip": iretd})

        def restore():
            self.stub.write_memory(tss, state)
            self.stub.run_code(CLTS)

        return restore


class RiscV(Frames):
    """RISC-V: the frame's address is an argument in a register. The frame is on the interrupted stack if it has room
    for it, and otherwise on the trap stack."""

    GENERAL = "ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split()
    FLOATS = [f"f{number}" for number in range(32)]
    PUSHED = ["lost", *GENERAL, "ip", "sstatus", "vector", "error", *FLOATS, "fcsr", "padding"]
    # Those of the FPU that a function may change; the others are kept by `trap`.
    CHANGED = [f"f{number}" for number in (*range(8), *range(10, 18), *range(28, 32))] + ["fcsr"]
    OTHERS = [f"f{number}" for number in (8, 9, *range(18, 28))]

    def __init__(self, stub, symbols):
        super().__init__(stub, symbols)
        self.others = {}  # frame -> the values of OTHERS

    def own_stacks(self):
        """The top of the trap stack."""
        return next(address for name, address in self.symbols.items() if "TRAP_STACK" in name) + STACK_SIZE

    def has_room(self, sp):
        """Whether the frame fits below a stack pointer."""
        size = ARCH.map.kstksize
        stacks = ((ARCH.kstack, size), (self.symbols["bootstack"], size), (self.own - STACK_SIZE, STACK_SIZE))
        return any(bottom + self.size <= sp <= bottom + size for bottom, size in stacks)

    def find(self, vector, sp):
        """At `trap`: the frame's address, which must be on the right stack."""
        frame, lost = self.stub.read("a0"), not self.has_room(sp)
        wanted = self.own - self.size if lost else sp - self.size & -16
        require(frame == wanted, f"vector {vector}: its frame is at {frame:#x}, not at {wanted:#x}")
        require(self.stub.read("sp") == frame, f"vector {vector}: SP is {self.stub.read('sp'):#x}, not {frame:#x}")
        require(super().read(frame)["lost"] == lost, f"vector {vector}: the frame says nothing of a lost stack")
        self.others[frame] = {name: self.stub.read(name) for name in self.OTHERS}
        return frame

    def read(self, frame):
        """The registers in a frame. Those of the FPU are there if they were used."""
        found = super().read(frame)
        names = [*self.GENERAL, "ip", "sstatus", "vector", "error"]
        return {name: found[name] for name in (*names, *(self.CHANGED if found["sstatus"] & FS == FS else ()))}

    def unsaved(self, before):
        """The registers of the FPU need not be kept if they have not been used."""
        return () if before["sstatus"] & FS == FS else self.CHANGED

    def go_on(self, values, _prepared):
        """At `trap`: return from it, with these values in all registers that it need not keep."""
        now = self.stub.registers()
        self.stub.write_registers({**values, **self.others[now["sp"]], "sp": now["sp"], "ip": now["ra"]})
        return lambda: None


FRAMES = {"x86_64": LongMode, "i386": Protected, "riscv64": RiscV}[ARCH.name]
