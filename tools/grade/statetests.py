"""The graded tests of the processor's state: the values of registers that a loader may leave, those that the kernel
sets, and exceptions that come from outside (NMI, machine check) or must not use the interrupted stack.

The registers are read from outside, at the prompt. They must be the same however the kernel was started, so there is
one list of their values, and stale bits in any register at the entry must not change them.
"""

import re
import struct
from typing import NamedTuple

import badloader
import built
import reading
from arch import ARCH, PC
from control import require
from descriptors import STACK_SIZE, TABLES, exceptions
from elf import Image
from gdbstub import CPU
from gradelib import FAILURE, Machine, Test
from words import CHECKS, DIGITS, NO_LOADER, NO_PROMPT, SHORT_MB_1, UPAGES, WELCOME, boots, opening, page_fault, panic

KERNBASE = ARCH.kernbase


class State(NamedTuple):
    """The registers at the prompt, by QEMU's names: values, with masks of the bits that are compared."""

    everywhere: dict
    segments: dict = {}  # each segment's selector, base, limit and attributes
    cr4: int = 0  # with the features of each processor below


# The flags that arithmetic changes are not compared: CF PF AF ZF SF OF.
COMPARED_FLAGS = ~0x8D5
CR4_BITS = {"PSE": 0x10, "PAE": 0x20, "MCE": 0x40, "PGE": 0x80, "UMIP": 0x800, "SMEP": 0x10_0000, "SMAP": 0x20_0000}
# Fields of SSTATUS, which is a part of MSTATUS, of SIE and SATP (RISC-V privileged specification, 12.1).
SIE, SPIE, UBE, VS, FS_INITIAL, FS, SUM, MXR = 1 << 1, 1 << 5, 1 << 6, 3 << 9, 1 << 13, 3 << 13, 1 << 18, 1 << 19
SUPERVISORS_INTERRUPTS, SV39 = 1 << 1 | 1 << 5 | 1 << 9, 8 << 60


def segment(selector, rest="00000000 00000000"):
    """A segment as `info registers` shows it; without more, a null segment."""
    return f"{selector:04x} {ARCH.plain(0)} {rest}"


DATA = segment(0x10, "ffffffff 00cf9300")
SEGMENTS = {**dict.fromkeys(("SS", "DS", "ES"), DATA), **dict.fromkeys(("FS", "GS"), segment(0))}
STATE = {
    "x86_64": State(
        {
            "CR0": (0x8001_0011, ~0),  # PE ET WP PG
            "EFER": (0xD00, ~0),  # LME LMA NXE
            "DR7": (0x400, ~0),
            "RFL": (0x202, COMPARED_FLAGS),  # interrupts are on
        },
        {**SEGMENTS, "CS": segment(8, "ffffffff 00af9b00")}, CR4_BITS["PAE"],
    ),
    "i386": State(
        {
            "CR0": (0x8001_0031, ~0),  # PE ET NE WP PG
            "EFER": (0, ~0),
            "DR7": (0x400, ~0),
            "EFL": (0x202, COMPARED_FLAGS),  # interrupts are on
        },
        {**SEGMENTS, "CS": segment(8, "ffffffff 00cf9b00")}, CR4_BITS["PSE"],
    ),
    "riscv64": State({
        "mstatus": (FS_INITIAL, SIE | UBE | VS | FS | SUM | MXR), "mie": (0, SUPERVISORS_INTERRUPTS),
        "satp": (SV39, ~((1 << 44) - 1)),
    }),
}[ARCH.name]
# Of CR4's bits, those that each processor has.
FEATURES = {
    "qemu64": "MCE PGE", "qemu64,-mce,-mca": "PGE", "max": "MCE PGE UMIP SMEP SMAP", "max,-smep,-umip": "MCE PGE SMAP",
    "max,-smap,-umip": "MCE PGE SMEP", "max,-pge,-smep": "MCE UMIP SMAP",
}


def registers(cpu, image="kernel"):
    """A function for Machine.typed that checks the registers that the entry and the kernel write."""
    wanted = {**STATE.everywhere}
    if ARCH.has(PC):
        wanted["CR4"] = STATE.cr4 | sum(CR4_BITS[name] for name in FEATURES[cpu or "qemu64"].split()), ~0

    def registers_at_prompt(control):
        if ARCH.has(PC):
            control.wait_for_halt()
        # The machine is stopped meanwhile: QEMU computes the flags from values that a running processor changes.
        control.command("stop")
        found = CPU.registers(control.monitor("info registers"))
        control.command("cont")
        for name, (value, mask) in wanted.items():
            require(found[name] & mask == value, f"{name} is {found[name]:#x}, not {value:#x}")
        if ARCH.has(PC):
            tables(control, found)
        else:
            trap_stack(found, Image(control.bench.root / built.IMAGES[image]).symbols)

    def tables(control, found):
        state = control.monitor("info registers")
        require(re.search(rf"^LDT=0000 {ARCH.plain(0)} 0{{8}} ", state, re.M), "LDTR still holds what the loader left")
        pattern = rf"^([A-Z]S) *=([0-9a-f]{{4}} {DIGITS} [0-9a-f]{{8}} [0-9a-f]{{8}})"
        segments = dict(re.findall(pattern, state, re.M))
        require(segments == STATE.segments, f"the segments are {segments}, not {STATE.segments}")
        require(found["CR3"] % 4096 == 0, f"CR3 is {found['CR3']:#x}")
        TABLES(control).check()

    return registers_at_prompt


def trap_stack(found, symbols):
    """Check where traps lead, and that the words at the end of their own stack are known."""
    require(found["stvec"] == symbols["trap_entry"], f"stvec is {found['stvec']:#x}")
    bottom = next(address for name, address in symbols.items() if "TRAP_STACK" in name)
    require(found["sscratch"] == bottom + STACK_SIZE, f"sscratch is {found['sscratch']:#x}, the stack at {bottom:#x}")


def booted(image="kernel", cpu="", **more):
    """A machine that boots to the prompt, where its registers are checked, and its memory is read."""
    return reading.read(Machine(image, cpu=cpu, typed=(registers(cpu), "exit\r"), **more))


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
    return put(TO_DR0, symbols["check_processor"]) + put(TO_DR7, 0x401)


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


PC_STALE = tuple((name, stale(code)) for name, code in (
    ("CR4, five levels too", STALE_CR4), ("CR0, caches off", STALE_CR0), ("EFER", STALE_EFER),
    ("EFLAGS", STALE_EFLAGS), ("segments", STALE_SEGMENTS), ("breakpoint in DR7", stale_breakpoint),
))


def stale_registers(**values):
    """A Machine.at_entry: control and status registers of RISC-V that a firmware leaves."""

    def stale_state(stub, symbols):
        stub.run_to(symbols["_start"])
        stub.write_registers(values)

    return stale_state


STALE = {
    "x86_64": PC_STALE, "i386": PC_STALE,
    "riscv64": (
        ("sstatus", stale_registers(sstatus=SIE | SPIE | FS | SUM | MXR)),
        ("sie", stale_registers(sie=SUPERVISORS_INTERRUPTS)),
        ("stvec, sscratch and sepc", stale_registers(stvec=0x1001, sscratch=1, sepc=2)),
    ),
}[ARCH.name]


def multiboot2(stub, symbols):
    """A good multiboot2 loader."""
    badloader.enter_multiboot2(stub, symbols, badloader.multiboot2(badloader.memory_map(badloader.GOOD_MAP)))


def stale_frame_pointer(stub, symbols):
    """A loader's frame pointer, into the memory of the stack that the kernel starts on."""
    stub.run_to(symbols[ARCH.boot("kernel").entry])
    stub.write(CPU.frame, symbols["bootstacktop"] - ARCH.window(0) - 16)


def used_boot_stack(stub, symbols):
    """A word in the last page of the boot stack, as a deep call would leave it."""
    stub.run_to(symbols["kernel_main"])
    stub.write_memory(symbols["bootstack"] + 4096 - 8, b"\x01")


ASTRAY = ARCH.map.lower_end // 8 * 7  # an address in the application's half


def fault_before_memory_map(stub, symbols):
    """The kernel jumps astray when it begins to parse the boot information."""
    stub.run_to(next(address for name, address in symbols.items() if "BootInfo5parse" in name))
    stub.write("ip", ASTRAY)


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
NOWHERE = re.compile(rf"  .*[re]sp +{ARCH.plain(0x1000)}  [re]ip +{DIGITS}")
# A machine check within the report of one: on i386, it is a task, which cannot begin again before it has ended.
AGAIN = {
    "x86_64": r"machine check \(#MC, vector 18\)", "i386": r"general protection \(#GP, vector 13\): GDT entry 8",
}.get(ARCH.name)
# The processor's records of the machine check.
BANKS = (
    "  MCG_STATUS  0000000000000005  RIPV MCIP",
    "  bank 2      b600000000000000  PCC ADDRV EN UC VAL, at 0x1000",
)
NO_BANKS = (re.compile(r"  bank [^2].*"),)


def state(title, machine, lines=None, whole=True, verdicts=reading.SUBJECTS, needs=()):
    """A boot with its whole output; the machine's functions check its state."""
    lines = lines or boots(image=machine.image)
    return Test(f"state: {title}", 5, machine, lines, whole=whole, verdicts=verdicts, tags=("state",), needs=needs)


def fails(title, machine, lines, forbidden=NO_PROMPT, whole=False, needs=()):
    """A run that ends in a panic."""
    return Test(f"state: {title}", 5, machine, lines, forbidden, FAILURE, whole=whole, tags=("state",), needs=needs)


UEFI = booted("grub", "max", uefi=True, patience=3)

DETECT_MEMORY = re.compile(r" +libjos/src/mem/detect_memory\.rs:\d+")

TESTS = [
    # The same registers however the kernel was started.
    *(state(boot.name, booted(boot.image)) for boot in reversed(ARCH.boots)),
    state("PVH, every feature", booted(cpu="max"), needs=(PC,)),
    *(
        state(f"PVH, without {title}", booted(cpu=cpu), needs=(PC,))
        for title, cpu in (
            ("machine checks", "qemu64,-mce,-mca"), ("SMEP and UMIP", "max,-smep,-umip"),
            ("SMAP and UMIP", "max,-smap,-umip"), ("PGE and SMEP", "max,-pge,-smep"),
        )
    ),
    state("GRUB, every feature", booted("grub", "max")),
    state("UEFI, every feature", UEFI, CHECKS + WELCOME, whole=False),
    # Stale bits at the entry.
    *(state(f"stale {name}", booted(cpu=ARCH.strict, at_entry=leave)) for name, leave in STALE),
    state(
        "stale everything, multiboot2",
        booted(cpu="max", at_entry=stale(STALE_CR4 + STALE_CR0 + STALE_EFER + STALE_EFLAGS, multiboot2)),
        CHECKS + WELCOME, whole=False, needs=(PC,),
    ),
    fails(
        "stale EFLAGS, no loader", Machine(at_entry=stale(STALE_EFLAGS, badloader.no_magic)),
        (NO_LOADER,), whole=True, needs=(PC,),
    ),
    fails(
        "stale frame pointer", Machine(memory="8M", words="mem=3M", at_entry=stale_frame_pointer),
        (
            *opening(8 * 1024, 3 * 1024), *panic("too little RAM: .*")[:2],
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
            *CHECKS, "Backtrace:", re.compile(rf"  #0 .* {ARCH.faults}::read \(inlined\)"),
            re.compile(r"  #1 .* kernel::faults::run .*"), re.compile(r"  #2 .* kernel::on_kernel_stack .*"),
            re.compile(rf"  #3 .* {ARCH.module}::stack::switch"),
        ),
        (*NO_PROMPT, re.compile(r"  #4 .*"), re.compile(r"  \(the chain breaks off.*")),
    ),
    # The kernel is kept off the user's pages, but for one access at a time.
    state(
        "the kernel is kept off user pages, after the monitor's accesses",
        reading.read(
            Machine(cpu=ARCH.strict, typed=(
                "dump UPAGES 16\r", "dump 0 16\r", "dump UVPT 8\r", "checks\r", registers(ARCH.strict), "exit\r",
            )),
            again=True,
        ),
        (*WELCOME, re.compile(f"{UPAGES[2:]}: .*"), "K> checks", *CHECKS, "K> exit"), whole=False,
    ),
    state(
        "the kernel is kept off user pages, in an application",
        Machine(
            "hello", cpu=ARCH.strict, words="-- ?", typed=(registers(ARCH.strict, "hello"), "Ada\r"),
            prompt="Who is there? ",
        ),
        (*CHECKS, "Hello, Ada!"), whole=False, verdicts=(),
    ),
    fails(
        "the kernel is kept off user pages, after an access", Machine(cpu=ARCH.strict, words="test=read-user"),
        (
            *CHECKS, *panic(page_fault(rf"read of {UPAGES}: protection violation .*"))[:1],
            f"  {UPAGES} is the user's, and the kernel is kept off it (SMEP, SMAP)",
        ),
    ),
    # Exceptions that must not use the interrupted stack.
    state("exceptions and their stacks", reading.read(Machine(typed=(exceptions, "exit\r"))), needs=(PC,)),
    fails(
        "boot stack nearly used up", Machine(at_entry=used_boot_stack), panic("the boot stack is nearly used up"),
    ),
    fails(
        "fault before there is a memory map", Machine(at_entry=fault_before_memory_map),
        (
            panic(page_fault(f"instruction fetch from {ARCH.address(ASTRAY)}: page not present, .*"))[0],
            re.compile(f"page directory at {SHORT_MB_1}[0-9a-f]{{2}}000"),
            f"  {ASTRAY:#x} is not mapped: its entry of level {ARCH.top_level} is empty",
        ),
        (*NO_PROMPT, re.compile(".*no RAM.*"), "Physical memory: .*"),
    ),
    fails(
        "machine check", Machine(cpu="qemu64", at_entry=stale(STALE_BANKS), typed=(machine_check,)),
        (*WELCOME, MACHINE_CHECK_REPORT, *BANKS, "Backtrace:"), NO_BANKS, needs=(PC,),
    ),
    fails(
        "machine check on a stack of its own", Machine(cpu="qemu64", at_entry=without_stack(MACHINE_CHECK)),
        (MACHINE_CHECK_REPORT, NOWHERE, *BANKS, "Backtrace:"), needs=(PC,),
    ),
    fails(
        "machine check within the report of one", Machine(cpu="qemu64", at_entry=machine_check_within_a_report),
        (
            MACHINE_CHECK_REPORT, *BANKS, "Backtrace:",
            re.compile(rf"kernel panic within the report of a panic, at \S+: {AGAIN}"),
        ),
        forbidden=(), needs=(PC,),
    ),
    fails(
        "NMI on a stack of its own", Machine(at_entry=without_stack(NMI)),
        (NMI_REPORT, NOWHERE, "Backtrace:"), needs=(PC,),
    ),
]
