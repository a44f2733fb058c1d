"""The graded test of SSTATUS.SUM and MXR, on RISC-V (privileged specification, 12.1.1): the kernel may neither use the
user's pages nor read pages that may only be executed. The hart itself refuses it: it makes the accesses, at the prompt,
and once more with the bit set, so that nothing else can be the cause.
"""

import access
from access import faults
from arch import ARCH, DEVICE_TREE
from control import require
from cpus import READ, WRITE
from gdbstub import CPU
from gradelib import Machine, Test
from stalestate import MXR, SUM
from tableformat import PAGE, translate
from words import CHECKS, WELCOME

FENCE = b"\x73\0\0\x12"  # sfence.vma
MAY_READ = 1 << 1  # of an entry (12.4.1)
WORD = 8


def kept_off(control):
    """Compare both bits, and try the accesses that they forbid."""
    control.wait_for_halt()
    symbols = control.bench.symbols()
    with access.debugger(control) as stub:
        found = CPU.registers(stub.monitor("info registers"))
        require(found["mstatus"] & (SUM | MXR) == 0, f"mstatus is {found['mstatus']:#x}: SUM or MXR is on")
        with access.Processor(stub, symbols["entry"]) as processor:
            tried(processor, "a read of the user's page", READ, ARCH.upages, SUM)
            # A page of code, which for a while may only be executed.
            va = symbols["mem_init"] // PAGE * PAGE
            _, place, entry = translate(ARCH.map.form, control.memory, CPU.root_table(found), va)[-1]
            change(stub, place, entry & ~MAY_READ)
            tried(processor, "a read of a page that may only be executed", READ, va, MXR)
            require((outcome := processor.store(va)) == faults(WRITE, va, True), f"a write to code {outcome}")
            change(stub, place, entry)


def tried(processor, what, kind, va, bit):
    """Require that an access faults, and that it succeeds if a bit of SSTATUS is on."""
    outcome = processor.load(va)
    require(outcome == faults(kind, va, True), f"{what}, {va:#x}, {outcome}")
    processor.access(CPU.user_in, bit)
    outcome = processor.load(va)
    processor.access(CPU.user_out, bit)
    require(outcome.fault < 0, f"{what}, {va:#x}, {outcome}, whatever SSTATUS allows")


def change(stub, place, entry):
    """Set an entry of the tables in use, by the window."""
    stub.write_memory(ARCH.kernbase + place - ARCH.map.phys_base, entry.to_bytes(WORD, "little"))
    stub.run_code(FENCE)


TESTS = [
    Test(
        "state: the kernel is kept off the user's pages, and does not read what may only be executed", 10,
        Machine(typed=(kept_off, "uptime\r", "exit\r")), (*CHECKS, *WELCOME, "K> uptime"), tags=("state",),
        needs=(DEVICE_TREE,),
    ),
]
