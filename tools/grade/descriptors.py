"""The tables of descriptors that a processor uses, compared with what they must be: GDT, IDT, task state segments, and
the stacks of the exceptions that must not use the interrupted one.

Sources: Intel SDM vol. 3A, 3.4.5 (segments), 6.11 and 6.14 (gates), 7.2 (tasks); table 6-1 and AMD APM vol. 2, 8.2
(exceptions).
"""

import re
import struct

from arch import ARCH
from control import require
from words import DIGITS

KERNBASE = ARCH.kernbase
STACK_SIZE = 4 * 4096
DOUBLE_FAULT, NMI, MACHINE_CHECK = 8, 2, 18
# The exceptions with stacks of their own, in the order of these stacks.
ON_OWN_STACKS = (DOUBLE_FAULT, NMI, MACHINE_CHECK)
# Vectors with a gate, and those where the processor pushes an error code itself.
EXCEPTIONS = {*range(9), *range(10, 15), *range(16, 22), 28, 29, 30}
INTERRUPTS = {*range(32, 48)}  # of devices
BREAKPOINT, SYSTEM_CALL = 3, 48  # the vectors that programs may raise
BY_USER = 0x60  # in a gate's kind
WITH_ERROR_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}
INTERRUPT_GATE, TASK_GATE = 0x8E, 0x85
TSS_LIMIT = 103
IO_MAP = 102  # the place in a TSS that says where its map of ports is


def stacks_at(symbols):
    """Where the stacks begin."""
    return next(address for name, address in symbols.items() if "EXCEPTION_STACKS" in name)


def tops(first):
    """The tops of the stacks, which begin at `first`: vector -> address."""
    return {vector: first + (nth + 1) * STACK_SIZE for nth, vector in enumerate(ON_OWN_STACKS)}


class Tables:
    """The tables of a machine that stands at the prompt."""

    def __init__(self, control):
        self.control, self.text = control, control.monitor("info registers")

    def table(self, name):
        """The address and the contents of a table, by its name in `info registers`."""
        found = re.search(rf"^{name}=\S* *({DIGITS}) (\w{{8}})", self.text, re.M)
        base, limit = (int(field, 16) for field in found.groups())
        require(base > KERNBASE, f"the {name} is at {base:#x}")
        return base, self.memory(base, limit + 1)

    def memory(self, va, size):
        """Bytes of the window on physical memory."""
        return self.control.memory(va - KERNBASE, size)

    def selector(self, name, wanted):
        """Check a selector."""
        require(re.search(f"^{name}={wanted:04x} ", self.text, re.M), f"{name} is not {wanted:#x}")

    def gdt(self, wanted):
        """Check the entries of the GDT, each of 8 bytes."""
        found = struct.unpack(f"<{len(wanted)}Q", (data := self.table("GDT")[1])[: 8 * len(wanted)])
        require(len(data) == 8 * len(wanted), f"the GDT has {len(data)} bytes, not {8 * len(wanted)}")
        require(found == wanted, f"the GDT holds {[*map(hex, found)]}, not {[*map(hex, wanted)]}")

    @staticmethod
    def tss(base, kind):
        """The descriptor of the TSS at `base`, in 8 bytes."""
        return TSS_LIMIT | (base & 0xFF_FFFF) << 16 | kind << 40 | (base >> 24 & 0xFF) << 56

    @staticmethod
    def no_ports(tss, name):
        """Require that a TSS has no map of ports."""
        require(len(tss) == TSS_LIMIT + 1, f"the limit of {name} is {len(tss) - 1}")
        io_map = struct.unpack_from("<H", tss, IO_MAP)[0]
        require(io_map > TSS_LIMIT, f"{name} has a map of ports at {io_map}")

    def gates(self):
        """Check every gate of the IDT, and the first instructions of its stub."""
        idt = self.table("IDT")[1]
        size = len(idt) // 256
        require(len(idt) == 256 * self.GATE, f"the IDT has {len(idt)} bytes")
        there = {vector for vector in range(256) if idt[vector * size + 5] & 0x80}
        require(there == EXCEPTIONS | INTERRUPTS | {SYSTEM_CALL}, f"the IDT has gates for {sorted(there)}")
        for vector in sorted(there):
            self.gate(vector, idt[vector * size : (vector + 1) * size])

    def stub(self, vector, address):
        """Check the first instructions of an exception's stub."""
        code = self.memory(address, 4)
        # push 0, in place of the error code; push vector
        stub = (b"" if vector in WITH_ERROR_CODE else b"\x6a\0") + b"\x6a" + bytes([vector])
        require(code.startswith(stub), f"gate {vector} leads to {code.hex(' ')}")

    def stacks(self, first=None):
        """Check that the exceptions have their stacks, one behind the other; the first one begins at `first`."""
        found = self.tops()
        first = min(found.values()) - STACK_SIZE if first is None else first
        wanted = tops(first)
        require(found == wanted, f"stacks by vector are {show(found)}, not {show(wanted)}")
        require(first % 4096 == 0, f"the stacks begin at {first:#x}")


class LongMode(Tables):
    """x86-64: the TSS has the stacks, and a gate has the number of its stack."""

    GATE = 16

    def check(self):
        """Check GDT, TSS and IDT."""
        base, tss = self.table("TR ")
        self.selector("TR ", 0x28)
        self.no_ports(tss, "the TSS")
        # The kernel's code and data, then the user's, the other way round.
        segments = (0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF)
        self.gdt((0, *segments, self.tss(base, 0x8B), base >> 32))
        # The stacks of privilege levels 0 to 2; a reserved word; the interrupt stack table, from 1 on.
        stacks = struct.unpack_from("<4x4Q7Q", tss)
        wanted = (ARCH.kstacktop,) + (0,) * 3 + tuple(self.tops()[vector] for vector in ON_OWN_STACKS) + (0,) * 4
        require(stacks == wanted, f"the TSS has the stacks {[hex(stack) for stack in stacks]}")
        self.gates()
        self.stacks()

    def gate(self, vector, data):
        """Check a gate."""
        low, selector, _, kind, middle, high = struct.unpack_from("<HHBBHI", data)
        wanted = INTERRUPT_GATE | (BY_USER if vector in (BREAKPOINT, SYSTEM_CALL) else 0)
        require((selector, kind) == (0x08, wanted), f"gate {vector}: {selector:#x}, {kind:#x}")
        self.stub(vector, high << 32 | middle << 16 | low)

    def tops(self):
        """The tops of the exceptions' stacks: vector -> address."""
        idt, tss = self.table("IDT")[1], self.table("TR ")[1]
        numbers = {vector: idt[vector * 16 + 4] for vector in range(256) if idt[vector * 16 + 4]}
        return {vector: struct.unpack_from("<Q", tss, 28 + 8 * number)[0] for vector, number in numbers.items()}


class Protected(Tables):
    """i386: each of these exceptions is a task of its own, whose TSS has its stack and all its other registers."""

    GATE = 8
    TASKS = {DOUBLE_FAULT: 0x30, NMI: 0x38, MACHINE_CHECK: 0x40}  # the selectors

    def check(self):
        """Check GDT, TSS and IDT, and the tasks of the exceptions."""
        base, tss = self.table("TR ")
        self.selector("TR ", 0x28)
        self.no_ports(tss, "the TSS")
        tasks = [self.task(vector) for vector in self.TASKS]
        flat = (0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF)
        self.gdt((0, *flat, self.tss(base, 0x8B), *(self.tss(at, 0x89) for at, _ in tasks)))
        for vector, (_, tss) in zip(self.TASKS, tasks):
            self.no_ports(tss, f"the task of vector {vector}")
            cr3, eip, eflags, *_, ebp, esi, edi, es, cs, ss, ds, fs, gs, ldt = struct.unpack_from("<18I", tss, 28)
            cr3_now = int(re.search(r"^.*\bCR3=(\w+)", self.text, re.M)[1], 16)
            require(cr3 == cr3_now, f"vector {vector}: CR3 is {cr3:#x}, not {cr3_now:#x}")
            require(eflags == 2, f"vector {vector}: EFLAGS is {eflags:#x}")
            require((es, cs, ss, ds, fs, gs, ldt) == (0x10, 8, 0x10, 0x10, 0, 0, 0), f"vector {vector}: its selectors")
            # mov ebx, vector
            code = self.memory(eip, 5)
            require(code == b"\xbb" + struct.pack("<I", vector), f"vector {vector} leads to {code.hex(' ')}")
        self.gates()
        self.stacks()

    def task(self, vector):
        """The address of an exception's TSS, and its contents."""
        entry = struct.unpack_from("<Q", self.table("GDT")[1], self.TASKS[vector])[0]
        base = entry >> 16 & 0xFF_FFFF | entry >> 32 & 0xFF00_0000
        return base, self.memory(base, TSS_LIMIT + 1)

    def gate(self, vector, data):
        """Check a gate."""
        low, selector, _, kind, high = struct.unpack("<HHBBH", data)
        gate = INTERRUPT_GATE | (BY_USER if vector in (BREAKPOINT, SYSTEM_CALL) else 0)
        wanted = (self.TASKS[vector], TASK_GATE) if vector in self.TASKS else (0x08, gate)
        require((selector, kind) == wanted, f"gate {vector}: {selector:#x}, {kind:#x}")
        if vector not in self.TASKS:
            self.stub(vector, high << 16 | low)

    def tops(self):
        """The tops of the exceptions' stacks: vector -> address."""
        return {vector: struct.unpack_from("<I", self.task(vector)[1], 56)[0] for vector in self.TASKS}


def show(tops):
    """Addresses by vector, as text."""
    return ", ".join(f"{vector}: {top:#x}" for vector, top in sorted(tops.items()))


TABLES = {"x86_64": LongMode, "i386": Protected}.get(ARCH.name)


def exceptions(control):
    """A function for Machine.typed: check the gates, and the stacks of the exceptions."""
    tables, symbols = TABLES(control), control.bench.symbols()
    first = stacks_at(symbols)
    tables.gates()
    tables.stacks(first)
    end = min(address for address in symbols.values() if address > first)
    require(end >= max(tops(first).values()), f"the stacks end at {end:#x}, within the last of them")
