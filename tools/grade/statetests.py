"""The graded tests of the processor's state: the values of registers that a loader may leave, those that the kernel
sets, and exceptions that come from outside (NMI, machine check) or must not use the interrupted stack.

The registers are read from outside, at the prompt. They must be the same however the kernel was started, so there is
one list of their values, and stale bits in any register at the entry must not change them.
"""

import re
from pathlib import Path
from typing import NamedTuple

import badloader
import built
import reading
import usertests
from arch import ARCH, DEVICE_TREE, LONG_MODE, PC
from control import require
from descriptors import STACK_SIZE, TABLES, exceptions
from elf import Image
from gdbstub import CPU
from gradelib import FAILURE, Machine, Test
from reports import REPORT
from stalestate import (
    DEVICES_INTERRUPTS, FS, FS_INITIAL, MXR, SIE, STALE, STALE_BANKS, STALE_CR0, STALE_CR4, STALE_EFER, STALE_EFLAGS,
    STALE_SYSENTER, SUM, SUPERVISORS_INTERRUPTS, SV39, UBE, VS, multiboot2, stale, stale_frame_pointer,
)
from words import (
    CHECKS, DIGITS, NO_LOADER, NO_PROMPT, SHORT_MB_1, UPAGES, WELCOME, boots, cannot_start, opening, page_fault, panic,
)


ROOT = Path(__file__).resolve().parents[2]


class State(NamedTuple):
    """The registers at the prompt, by QEMU's names: values, with masks of the bits that are compared."""

    everywhere: dict
    segments: dict = {}  # each segment's selector, base, limit and attributes
    cr4: int = 0  # with the features of each processor below


# The flags that arithmetic changes are not compared: CF PF AF ZF SF OF.
COMPARED_FLAGS = ~0x8D5
CR4_BITS = {"PSE": 0x10, "PAE": 0x20, "MCE": 0x40, "PGE": 0x80, "UMIP": 0x800, "SMEP": 0x10_0000, "SMAP": 0x20_0000}


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
        # It takes interrupts, of devices, whenever it wakes.
        "mstatus": (FS_INITIAL, SIE | UBE | VS | FS | SUM | MXR), "mie": (DEVICES_INTERRUPTS, SUPERVISORS_INTERRUPTS),
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


# What the firmware of BOOT=bare sets for supervisor mode, by the numbers of the RISC-V privileged specification, with masks:
# no access to its own page and all access to the rest (3.7.1), exceptions and interrupts (3.1.8; without those of the
# hypervisor extension), counters (3.1.11).
PMPADDR_BITS = (1 << 54) - 1
FIRMWARE = {
    "pmpcfg0": (0x1F18, ~0), "pmpaddr0": (0x2000_01FF, ~0), "pmpaddr1": (PMPADDR_BITS, PMPADDR_BITS),
    "medeleg": (0xB1FF, ~0), "mideleg": (0x222, ~0x1444), "mcounteren": (0b111, ~0),
}


def firmware_registers(stub, symbols):
    """A Machine.at_entry: checks what the firmware has set for supervisor mode."""
    stub.run_to(symbols["_start"])
    for name, (value, mask) in FIRMWARE.items():
        found = stub.read(name)
        require(found & mask == value, f"{name} is {found:#x}, not {value:#x}")


def used_boot_stack(stub, symbols):
    """A word in the last page of the boot stack, as a deep call would leave it."""
    stub.run_to(symbols["kernel_main"])
    stub.write_memory(symbols["bootstack"] + 4096 - 8, b"\x01")


ASTRAY = ARCH.map.lower_end // 8 * 7  # an address in the application's half


def fault_before_memory_map(stub, symbols):
    """The kernel jumps astray when it begins to read the boot information."""
    stub.run_to(next(address for name, address in symbols.items() if "9boot_info4init" in name))
    stub.write("ip", ASTRAY)


def fault_before_traps(stub, symbols):
    """The kernel jumps astray in its first instruction in the window."""
    stub.run_to(symbols["high_start"])
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


def in_a_program(line):
    """A Machine.at_entry: an exception from outside comes before a program's first instruction."""

    def at_its_start(stub, symbols):
        stub.run_to(Image(ROOT / built.OBJ / "user/hello").symbols["_start"])
        stub.monitor(line)

    return at_its_start


# The machine check may come while the prompt is being printed.
MACHINE_CHECK_REPORT = re.compile(r"(K> )?kernel panic at \S+: machine check \(#MC, vector 18\)")
NMI_REPORT = re.compile(r"kernel panic at \S+: non-maskable interrupt \(NMI, vector 2\)")
NOWHERE = re.compile(rf"  .*[re]sp +{ARCH.plain(0x1000)}  [re]ip +{DIGITS}")
# A machine check within the report of one: on i386, it is a task, which cannot begin again before it has ended.
AGAIN = {
    "x86_64": r"machine check \(#MC, vector 18\)", "i386": r"general protection \(#GP, vector 13\): GDT entry 8",
}.get(ARCH.name)
# Either in a program: nobody blames that.
IN_HELLO = re.compile(r"The current environment is 00001000 \(hello\), at 0x8.*")
OF_HELLO = re.compile(".*hello, world.*|.*free env.*")
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
    state("what the firmware of BOOT=bare allows", Machine("bare", at_entry=firmware_registers), verdicts=(),
          needs=(DEVICE_TREE,)),
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
            f"  {UPAGES} is the user's, and the kernel is kept off it ({REPORT.kept_off})",
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
    *(() if ARCH.has(PC) else (fails(
        "fault before the kernel handles traps", Machine(at_entry=fault_before_traps),
        (cannot_start("an exception came before the kernel could report it"),), whole=True,
    ),)),
    fails(
        "machine check", Machine(cpu="qemu64", at_entry=stale(STALE_BANKS), typed=(machine_check,)),
        (*WELCOME, MACHINE_CHECK_REPORT, *BANKS, "Backtrace:"), NO_BANKS, needs=(PC,),
    ),
    fails(
        "machine check on a stack of its own", Machine(cpu="qemu64", at_entry=without_stack(MACHINE_CHECK)),
        (MACHINE_CHECK_REPORT, NOWHERE, *BANKS, "Backtrace:"), needs=(PC,),
    ),
    fails(
        "machine check in a program",
        Machine(cpu="qemu64", words="run=hello", at_entry=in_a_program(MACHINE_CHECK)),
        (MACHINE_CHECK_REPORT, IN_HELLO, *BANKS, "Backtrace:"), forbidden=(OF_HELLO,), needs=(PC,),
    ),
    fails(
        "NMI in a program", Machine(words="run=hello", at_entry=in_a_program(NMI)),
        (NMI_REPORT, IN_HELLO, "Backtrace:"), forbidden=(OF_HELLO,), needs=(PC,),
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
    # A program tries SYSENTER. An x86-64 of AMD's has no such instruction.
    usertests.hostile(
        "privileged", title="state: SYSENTER of a loader's, and a program's", at_entry=stale(STALE_SYSENTER),
        cpu="qemu64,vendor=GenuineIntel" if ARCH.has(LONG_MODE) else "",
    ),
]
