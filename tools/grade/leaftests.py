"""The graded tests of the clock's frequency as the processor states it: CPUID of processors that QEMU does not have.

The kernel's function is called from outside. It stops at each CPUID instruction, and the test answers for the
processor.
"""

import struct

from arch import PC
from control import require
from gdbstub import CPU, SEGMENTS
from gradelib import Machine, Test
from words import CHECKS, WELCOME

CPUID = b"\x0f\xa2"
STATED = "5clock6stated"  # a part of the function's symbol
HYPERVISOR = 1 << 31  # in ECX of leaf 1
MHZ = 1_000_000
VENDOR = (0x756E_6547, 0x6C65_746E, 0x4965_6E69)  # EBX, ECX, EDX: GenuineIntel

# The leaf -> EAX, EBX, ECX, EDX; and the frequency in Hz, or None.
HIGHEST = {0x16: (0x16, *VENDOR), 0x14: (0x14, *VENDOR)}
CRYSTAL = {0x15: (2, 250, 24 * MHZ, 0)}  # 24 MHz * 250 / 2
NONE_ABOVE, UP_TO_10H = {0x4000_0000: (0x4000_0001, 1, 2, 3)}, {0x4000_0000: (0x4000_0010, 1, 2, 3)}
IS_GUEST, IS_NONE = {1: (0, 0, HYPERVISOR, 0)}, {1: (0, 0, 0, 0)}
KHZ = {0x4000_0010: (2_500_000, 0, 0, 0)}  # in kHz
CASES = (
    ("a hypervisor's word counts before the crystal", {**IS_GUEST, **UP_TO_10H, **KHZ, **CRYSTAL}, 0x16, 2500 * MHZ),
    ("a hypervisor without the leaf", {**IS_GUEST, **NONE_ABOVE, **KHZ, **CRYSTAL}, 0x16, 3000 * MHZ),
    ("a hypervisor that says 0", {**IS_GUEST, **UP_TO_10H, **CRYSTAL}, 0x16, 3000 * MHZ),
    ("no hypervisor", {**IS_NONE, **UP_TO_10H, **KHZ, **CRYSTAL}, 0x16, 3000 * MHZ),
    ("no crystal's frequency", {**IS_NONE, 0x15: (2, 250, 0, 0)}, 0x16, None),
    ("no ratio", {**IS_NONE, 0x15: (0, 0, 24 * MHZ, 0)}, 0x16, None),
    ("no leaf for the crystal", {**IS_NONE, **CRYSTAL}, 0x14, None),
)


def instructions(stub, symbols, words, code):
    """The addresses of an instruction in the functions whose symbols contain these words."""
    ends = sorted(set(symbols.values()))
    for name, address in symbols.items():
        if words in name:
            text = stub.read_memory(address, ends[ends.index(address) + 1] - address)
            yield from (address + at for at in range(len(text)) if text.startswith(code, at))


def option(stub, place):
    """The function's result, an Option<u64>: two registers, or if they are too short, memory of the caller's."""
    if CPU.word == 8:
        some, value = stub.read("ax"), stub.read("dx")
    else:
        some, value = struct.unpack("<IQ", stub.read_memory(place, 12))
    return value if some & 1 else None


def every_processor(stub, symbols):
    """Call the function for each processor."""
    stub.run_to(symbols["check_page_installed_pgdir"])
    start = stub.registers()
    stated = next(address for name, address in symbols.items() if STATED in name)
    places = {place for words in (STATED, "raw_cpuid") for place in instructions(stub, symbols, words, CPUID)}
    with stub.breakpoints({*places, start["ip"]}):
        for title, leaves, highest, hz in CASES:
            answers = {0: HIGHEST[highest], **leaves}
            sp = start["sp"] - 0x100
            place = sp + 0x80
            stub.write_memory(sp, CPU.in_memory((start["ip"], place)))
            # In a register or on the stack: the compiler chooses how a function of its own is called.
            stub.write_registers({"sp": sp, "ip": stated, "cx": place})
            while (at := stub.go_on()) != start["ip"]:
                require(at in places, f"{title}: the machine stopped at {at:#x}")
                values = answers.get(stub.read("ax") & 0xFFFF_FFFF, (0,) * 4)
                stub.write_registers({**dict(zip(("ax", "bx", "cx", "dx"), values)), "ip": at + len(CPUID)})
            found = option(stub, place)
            require(found == hz, f"{title}: the frequency is {found}, not {hz}")
    stub.write_registers({name: value for name, value in start.items() if name not in SEGMENTS})


TESTS = [
    Test(
        "clock: the frequency that a processor states", 5, Machine(at_entry=every_processor),
        (*CHECKS, *WELCOME, "K> exit"), tags=("clock",), needs=(PC,),
    ),
]
