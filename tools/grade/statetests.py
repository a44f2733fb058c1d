"""The graded tests of the processor's state: the values of registers that a loader may leave, those that the kernel
sets, and exceptions that come from outside (NMI, machine check) or must not use the interrupted stack.

The registers are read from outside, at the prompt. They must be the same however the kernel was started, so there is
one list of their values, and stale bits in any register at the entry must not change them.
"""

import re
import struct

import badloader
import reading
from control import require
from gradelib import FAILURE, Machine, Test
from words import CHECKS, NO_LOADER, NO_PROMPT, PAGE_FAULT, UPAGES, WELCOME, boots, opening, panic

KERNBASE = 0xFFFF_FFFF_F000_0000

# Registers at the prompt: the value, and a mask of the bits that are compared. The flags that arithmetic changes are not
# compared.
EVERYWHERE = {
    "CR0": (0x8001_0011, ~0),  # PE ET WP PG
    "EFER": (0xD00, ~0),  # LME LMA NXE
    "DR7": (0x400, ~0),
    "RFL": (0x2, ~0x8D5),  # none; not CF PF AF ZF SF OF
}
# Each segment's selector, base, limit and attributes: 64-bit code, data, and null segments.
CODE, DATA, NULL = (
    f"{selector} {0:016x} {rest}" for selector, rest in (
        ("0008", "ffffffff 00af9b00"), ("0010", "ffffffff 00cf9300"), ("0000", "00000000 00000000"),
    )
)
SEGMENTS = {"CS": CODE, "SS": DATA, "DS": DATA, "ES": DATA, "FS": NULL, "GS": NULL}
# By processor: PAE, always; and MCE PGE UMIP SMEP SMAP if the processor has them.
CR4 = {
    "qemu64": 0xE0, "qemu64,-mce,-mca": 0xA0, "max": 0x30_08E0, "max,-smep,-umip": 0x20_00E0,
    "max,-smap,-umip": 0x10_00E0, "max,-pge,-smep": 0x20_0860,
}


def registers(cpu):
    """A function for Machine.typed that checks the registers that the entry and the kernel write."""

    def registers_at_prompt(control):
        found = control.registers()
        for name, (value, mask) in {**EVERYWHERE, "CR4": (CR4[cpu], ~0)}.items():
            require(found[name] & mask == value, f"{name} is {found[name]:#x}, not {value:#x}")
        state = control.monitor("info registers")
        require(re.search(r"^LDT=0000 0{16} 0{8} ", state, re.M), "LDTR still holds what the loader left")
        segments = dict(re.findall(r"^([A-Z]S) *=([0-9a-f]{4} [0-9a-f]{16} [0-9a-f]{8} [0-9a-f]{8})", state, re.M))
        require(segments == SEGMENTS, f"the segments are {segments}, not {SEGMENTS}")
        require(found["CR3"] % 4096 == 0, f"CR3 is {found['CR3']:#x}")
        tables(control, state)

    return registers_at_prompt


# The TSS: its limit, and how many stacks it has for exceptions, one after the other, four pages each.
TSS_LIMIT, EXCEPTION_STACKS = 103, 3
# Vector -> the number of its stack, from 1 on.
OWN_STACKS = {8: 1, 2: 2, 18: 3}
STACK_SIZE = 4 * 4096


def tables(control, state):
    """Check GDT, TSS and IDT against `info registers`: their sizes, and each descriptor in memory."""

    def table(name):
        found = re.search(rf"^{name}=\S* *(\w{{16}}) (\w{{8}})", state, re.M)
        base, limit = (int(field, 16) for field in found.groups())
        require(base > KERNBASE, f"the {name} is at {base:#x}")
        return base, limit, control.memory(base - KERNBASE, limit + 1)

    tss_base, tss_limit, tss = table("TR ")
    require(re.search("^TR =0018 ", state, re.M), "the task register's selector is not 0x18")
    _, gdt_limit, gdt = table("GDT")
    low = TSS_LIMIT | (tss_base & 0xFF_FFFF) << 16 | 0x8B << 40 | (tss_base >> 24 & 0xFF) << 56  # a busy TSS
    wanted = (0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, low, tss_base >> 32)
    require((tss_limit, gdt_limit) == (TSS_LIMIT, 39), f"the limits of TSS and GDT are {tss_limit} and {gdt_limit}")
    require((found := struct.unpack("<5Q", gdt)) == wanted, f"the GDT holds {[hex(entry) for entry in found]}")
    # The stacks of privilege levels 0 to 2; a reserved word; the interrupt stack table, from 1 on.
    stacks, io_map = struct.unpack_from("<4x4Q7Q", tss), struct.unpack_from("<H", tss, 102)[0]
    first = stacks[4]
    wanted = (0,) * 4 + tuple(first + nth * STACK_SIZE for nth in range(EXCEPTION_STACKS)) + (0,) * 4
    require(first % 4096 == 0 and stacks == wanted, f"the TSS has the stacks {[hex(stack) for stack in stacks]}")
    require(io_map > TSS_LIMIT, f"the TSS has a map of ports at {io_map}")
    _, idt_limit, idt = table("IDT")
    require(idt_limit == 256 * 16 - 1, f"the IDT's limit is {idt_limit}")
    numbers = {vector: idt[vector * 16 + 4] for vector in range(256) if idt[vector * 16 + 4]}
    require(numbers == OWN_STACKS, f"the IDT names the stacks {numbers}")


def booted(image="kernel", cpu="qemu64", **more):
    """A machine that boots to the prompt, where its registers are checked."""
    return Machine(image, cpu=cpu, typed=(registers(cpu), "exit\r"), **more)


# 32-bit code by which a loader leaves stale bits. Paging is off, so bits that require it (PCIDE, LMA) cannot be set;
# nor can TF, which would raise an exception within the loader.
TO_CR0, TO_CR4, TO_DR0, TO_DR7 = b"\x22\xc0", b"\x22\xe0", b"\x23\xc0", b"\x23\xf8"
EFER, MCG_STATUS, MCG_CTL, MC2_CTL, MC3_STATUS = 0xC000_0080, 0x17A, 0x17B, 0x408, 0x40D


def word(value):
    """The bytes of a 32-bit number in code."""
    return struct.pack("<I", value)


def put(register, value):
    """mov eax, value; mov register, eax."""
    return b"\xb8" + word(value) + b"\x0f" + register


def wrmsr(number, value):
    """mov ecx, number; mov edx, value's upper half; mov eax, its lower half; wrmsr."""
    return b"\xb9" + word(number) + b"\xba" + word(value >> 32) + b"\xb8" + word(value & 0xFFFF_FFFF) + b"\x0f\x30"


# VME PVI TSD DE PSE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP LA57 FSGSBASE OSXSAVE SMEP SMAP PKE
STALE_CR4 = put(TO_CR4, 0x75_1FDF)
STALE_CR0 = put(TO_CR0, 0x6005_002F)  # PE; and MP EM TS NE WP AM NW CD
STALE_EFER = wrmsr(EFER, 0x1001)  # SCE SVME
STALE_SEGMENTS = b"\x8c\xd8" + b"".join(b"\x8e" + bytes([0xC0 | s << 3]) for s in (0, 4, 5))  # DS's: ES FS GS
STALE_EFLAGS = b"\x68" + word(0x4_7402) + b"\x9d"  # push, popfd: AC NT IOPL DF
# Reporting is off, a machine check is in progress, and a bank holds an error.
STALE_BANKS = wrmsr(MCG_CTL, 0) + wrmsr(MC2_CTL, 0) + wrmsr(MCG_STATUS, 4) + wrmsr(MC3_STATUS, 1 << 63)


def stale_breakpoint(symbols):
    """A hardware breakpoint in the entry, where the kernel handles no exceptions yet."""
    return put(TO_DR0, symbols["long_mode"]) + put(TO_DR7, 0x401)


TRAMPOLINE = 0x8000  # free memory; a stack grows down from there


def stale(code, enter=badloader.enter_pvh):
    """A Machine.at_entry: a good loader, except for the bits that the code sets."""

    def stale_state(stub, symbols):
        enter(stub, symbols)
        made = code(symbols) if callable(code) else code
        # mov eax, its old value; push the entry; ret
        made += b"\xb8" + word(stub.read("ax")) + b"\x68" + word(stub.read("ip")) + b"\xc3"
        stub.write_memory(TRAMPOLINE, made)
        stub.write("sp", TRAMPOLINE)
        stub.write("ip", TRAMPOLINE)

    return stale_state


def multiboot2(stub, symbols):
    """A good multiboot2 loader."""
    badloader.enter_multiboot2(stub, symbols, badloader.multiboot2(badloader.memory_map(badloader.GOOD_MAP)))


def stale_frame_pointer(stub, symbols):
    """A loader's frame pointer, into the memory of the stack that the kernel starts on."""
    badloader.enter_pvh(stub, symbols)
    stub.write("bp", symbols["bootstacktop"] - KERNBASE - 16)


def used_boot_stack(stub, symbols):
    """A word in the last page of the boot stack, as a deep call would leave it."""
    stub.run_to(symbols["kernel_main"])
    stub.write_memory(symbols["bootstack"] + 4096 - 8, b"\x01")


def fault_before_memory_map(stub, symbols):
    """The kernel jumps astray when it begins to parse the boot information."""
    stub.run_to(next(address for name, address in symbols.items() if "BootInfo5parse" in name))
    stub.write("ip", 0x7000_0000_0000)


# Exceptions from outside.
NMI = "nmi"
MACHINE_CHECK = "mce 0 2 0xb600000000000000 0x5 0x1000 0"  # processor 0, bank 2, its status, MCG_STATUS, its address


def machine_check(control):
    """A machine check at the prompt. This does not wait for the answer, since the kernel may end QEMU first."""
    control.send("human-monitor-command", **{"command-line": MACHINE_CHECK})


def without_stack(line):
    """A Machine.at_entry: an exception from outside comes while RSP points to unmapped memory."""

    def stack_pointer_to_nowhere(stub, symbols):
        stub.run_to(symbols["check_page_installed_pgdir"])
        stub.write("sp", 0x1000)
        stub.monitor(line)

    return stack_pointer_to_nowhere


def machine_check_within_a_report(stub, symbols):
    """A Machine.at_entry: one machine check, and another one in its backtrace."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    stub.monitor(MACHINE_CHECK)
    stub.run_to(next(address for name, address in symbols.items() if "9backtrace5print17h" in name))
    stub.monitor(MACHINE_CHECK)


# The machine check may come while the prompt is being printed.
MACHINE_CHECK_REPORT = re.compile(r"(K> )?kernel panic at \S+: machine check \(#MC, vector 18\)")
NMI_REPORT = re.compile(r"kernel panic at \S+: non-maskable interrupt \(NMI, vector 2\)")
NOWHERE = re.compile(r"  rbp +[0-9a-f]{16}  rsp +0000000000001000  rip +[0-9a-f]{16}")
# The processor's records of the machine check.
BANKS = (
    "  MCG_STATUS  0000000000000005  RIPV MCIP",
    "  bank 2      b600000000000000  PCC ADDRV EN UC VAL, at 0x1000",
)
NO_BANKS = (re.compile(r"  bank [^2].*"),)

# Vectors with a gate, and those where the processor pushes an error code itself (Intel SDM vol. 3A, table 6-1; AMD APM
# vol. 2, 8.2).
EXCEPTIONS = {*range(9), *range(10, 15), *range(16, 22), 28, 29, 30}
WITH_ERROR_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}
PRESENT_INTERRUPT_GATE = 0x8E


def gates(control):
    """Check every gate of the IDT, and the first instructions of its stub."""
    tables = control.monitor("info registers")
    base, limit = (int(field, 16) for field in re.search(r"^IDT= *(\w+) (\w+)", tables, re.M).groups())
    idt = control.memory(base - KERNBASE, limit + 1)
    there = {vector for vector in range((limit + 1) // 16) if idt[vector * 16 + 5] & 0x80}
    require(there == EXCEPTIONS, f"the IDT has gates for {sorted(there)}")
    for vector in sorted(there):
        low, selector, _, kind, middle, high = struct.unpack_from("<HHBBHI", idt, vector * 16)
        require((selector, kind) == (0x08, PRESENT_INTERRUPT_GATE), f"gate {vector}: {selector:#x}, {kind:#x}")
        code = control.memory((high << 32 | middle << 16 | low) - KERNBASE, 4)
        # push 0, in place of the error code; push vector
        stub = (b"" if vector in WITH_ERROR_CODE else b"\x6a\0") + b"\x6a" + bytes([vector])
        require(code.startswith(stub), f"gate {vector} leads to {code.hex(' ')}")


def exception_stacks(control):
    """Check the stacks in the IDT and the TSS."""
    tables = control.monitor("info registers")

    def table(name, size):
        base = int(re.search(rf"^{name}=\S* *([0-9a-f]{{16}}) ", tables, re.M)[1], 16)
        return control.memory(base - KERNBASE, size)

    idt, tss = table("IDT", 32 * 16), table("TR ", 104)
    tops = struct.unpack_from("<7Q", tss, 36)
    found = {vector: tops[idt[vector * 16 + 4] - 1] for vector in range(32) if idt[vector * 16 + 4]}
    symbols = control.bench.symbols()
    start = next(address for name, address in symbols.items() if "EXCEPTION_STACKS" in name)
    wanted = {vector: start + nth * STACK_SIZE for vector, nth in OWN_STACKS.items()}
    require(found == wanted, f"stacks by vector are {show(found)}, not {show(wanted)}")
    end = min(address for address in symbols.values() if address > start)
    require(end >= max(wanted.values()), f"the stacks end at {end:#x}, within the last of them")


def show(tops):
    """Addresses by vector, as text."""
    return ", ".join(f"{vector}: {top:#x}" for vector, top in sorted(tops.items()))


def state(title, machine, lines=boots(), whole=True):
    """A boot with its whole output; the machine's functions check its state."""
    return Test(f"state: {title}", 5, machine, lines, whole=whole, tags=("state",))


def fails(title, machine, lines, forbidden=NO_PROMPT, whole=False):
    """A run that ends in a panic."""
    return Test(f"state: {title}", 5, machine, lines, forbidden, FAILURE, whole=whole, tags=("state",))


UEFI = reading.read(booted("grub", "max", uefi=True, patience=3))

DETECT_MEMORY = re.compile(r" +libjos/src/mem/detect_memory\.rs:\d+")

TESTS = [
    # The same registers however the kernel was started.
    state("PVH", booted()),
    state("PVH, every feature", booted(cpu="max")),
    *(
        state(f"PVH, without {title}", booted(cpu=cpu))
        for title, cpu in (
            ("machine checks", "qemu64,-mce,-mca"), ("SMEP and UMIP", "max,-smep,-umip"),
            ("SMAP and UMIP", "max,-smap,-umip"), ("PGE and SMEP", "max,-pge,-smep"),
        )
    ),
    state("GRUB", booted("grub")),
    state("GRUB, every feature", booted("grub", "max")),
    state("UEFI, every feature", UEFI, CHECKS + WELCOME, whole=False),
    # Stale bits at the entry.
    *(
        state(f"stale {name}", booted(cpu="max", at_entry=stale(code)))
        for name, code in (
            ("CR4, five levels too", STALE_CR4), ("CR0, caches off", STALE_CR0), ("EFER", STALE_EFER),
            ("EFLAGS", STALE_EFLAGS), ("segments", STALE_SEGMENTS), ("breakpoint in DR7", stale_breakpoint),
        )
    ),
    state(
        "stale everything, multiboot2",
        booted(cpu="max", at_entry=stale(STALE_CR4 + STALE_CR0 + STALE_EFER + STALE_EFLAGS, multiboot2)),
        CHECKS + WELCOME, whole=False,
    ),
    fails(
        "stale EFLAGS, no loader", Machine(at_entry=stale(STALE_EFLAGS, badloader.no_magic)),
        (NO_LOADER,), whole=True,
    ),
    fails(
        "stale frame pointer", Machine(memory="3M", at_entry=stale_frame_pointer),
        (
            *opening(3 * 1024), *panic("too little RAM: .*")[:2],
            re.compile(r"  #0 .* libjos::mem::detect_memory::too_little"), DETECT_MEMORY,
            re.compile(r"  #1 .* libjos::mem::detect_memory::detect_memory"), DETECT_MEMORY,
            re.compile(r"  #2 .* libjos::pmap::mem_init .*"), re.compile(r"  #3 .* kernel::pmap::make .*"),
            re.compile(r"  #4 .* kernel::pmap::init .*"),
            re.compile(r"  #5 .* kernel_main .*"), re.compile(r"  #6 .* high_start"),
        ),
        whole=True,
    ),
    fails(
        "backtrace, up to the top of the kernel stack", Machine(words="test=read-null"),
        (
            *CHECKS, "Backtrace:", re.compile(r"  #0 .* kernel::arch::x86::faults::read \(inlined\)"),
            re.compile(r"  #1 .* kernel::faults::run .*"), re.compile(r"  #2 .* kernel::on_kernel_stack .*"),
            re.compile(r"  #3 .* kernel::arch::x86_64::stack::switch"),
        ),
        (*NO_PROMPT, re.compile(r"  #4 .*"), re.compile(r"  \(the chain breaks off.*")),
    ),
    # SMAP, and lifting it for one access.
    state(
        "SMAP is back after the monitor's accesses",
        Machine(
            cpu="max", typed=(
                "dump UPAGES 16\r", "dump 0 16\r", "dump UVPT 8\r", "checks\r", registers("max"), "exit\r",
            ),
        ),
        (*WELCOME, re.compile(f"{UPAGES[2:]}: .*"), "K> checks", *CHECKS, "K> exit"), whole=False,
    ),
    state(
        "SMAP is in force in an application",
        Machine("hello", cpu="max", words="-- ?", typed=(registers("max"), "Ada\r"), prompt="Who is there? "),
        (*CHECKS, "Hello, Ada!"), whole=False,
    ),
    fails(
        "SMAP is back after an access", Machine(cpu="max", words="test=read-user"),
        (
            *CHECKS, *panic(PAGE_FAULT + rf"read of {UPAGES}: protection violation .*")[:1],
            f"  {UPAGES} is the user's, and the kernel is kept off it (SMEP, SMAP)",
        ),
    ),
    # Exceptions that must not use the interrupted stack.
    state("exceptions and their stacks", Machine(typed=(gates, exception_stacks, "exit\r"))),
    fails(
        "boot stack nearly used up", Machine(at_entry=used_boot_stack), panic("the boot stack is nearly used up"),
    ),
    fails(
        "fault before there is a memory map", Machine(at_entry=fault_before_memory_map),
        (
            panic(PAGE_FAULT + "instruction fetch from 0x0000700000000000: page not present, .*")[0],
            re.compile("page directory at 0x1[0-9a-f]{2}000"),
            "  0x700000000000 is not mapped: its entry of level 3 is empty",
        ),
        (*NO_PROMPT, re.compile(".*no RAM.*"), "Physical memory: .*"),
    ),
    fails(
        "machine check", Machine(at_entry=stale(STALE_BANKS), typed=(machine_check,)),
        (*WELCOME, MACHINE_CHECK_REPORT, *BANKS, "Backtrace:"), NO_BANKS,
    ),
    fails(
        "machine check on a stack of its own", Machine(at_entry=without_stack(MACHINE_CHECK)),
        (MACHINE_CHECK_REPORT, NOWHERE, *BANKS, "Backtrace:"),
    ),
    fails(
        "machine check within the report of one", Machine(at_entry=machine_check_within_a_report),
        (
            MACHINE_CHECK_REPORT, *BANKS, "Backtrace:",
            re.compile(r"kernel panic within the report of a panic, at \S+: machine check \(#MC, vector 18\)"),
        ),
        forbidden=(),
    ),
    fails(
        "NMI on a stack of its own", Machine(at_entry=without_stack(NMI)),
        (NMI_REPORT, NOWHERE, "Backtrace:"),
    ),
]
