"""The machine in QEMU: its control registers, and its memory by physical address."""

import contextlib
from typing import NamedTuple

import gdb

NO_MACHINE = 'There is no machine: run "make qemu-nox-gdb" in another terminal, then "source .gdbinit" here.'
CR0_PG = 1 << 31
CR4_PAE = 1 << 5
EFER_LMA = 1 << 10
CR3_ADDRESS = (1 << 52) - (1 << 12)  # without PCID and flags (Intel SDM vol. 3A, table 4-12)
SATP_PPN = (1 << 44) - 1  # RISC-V privileged specification, 12.1.11
SATP_SV39 = 8  # above bit 60
SSTATUS_PASSING = 1 << 1 | 1 << 5 | 1 << 8  # SIE, SPIE and SPP (12.1.1)
MACHINE_MODE = 3  # QEMU's register priv


class Arch(NamedTuple):
    """A machine: its name as make's ARCH has it, and the names of its registers."""

    name: str
    pc: str
    sp: str
    root: str  # where the page directory in use stands
    control: tuple  # as the manuals write them; gdb's names have small letters
    passing: dict  # of these, the bits that come and go with traps and interrupts: name -> bits


# By gdb's names.
ARCHES = {
    "i386:x86-64": Arch("x86_64", "rip", "rsp", "CR3", ("CR0", "CR3", "CR4", "EFER"), {}),
    "i386": Arch("i386", "eip", "esp", "CR3", ("CR0", "CR3", "CR4", "EFER"), {}),
    "riscv:rv64": Arch("riscv64", "pc", "sp", "satp", ("sstatus", "satp"), {"sstatus": SSTATUS_PASSING}),
}


class Mode(NamedTuple):
    """The processor's translation: whether by JOS64's tables, from which root, and if not, the reason."""

    paging: bool
    root: int
    why_not: str


def connected():
    """Whether there is a machine."""
    return bool(gdb.selected_inferior().pid)


def arch():
    """The machine that gdb is set to, by the kernel's file or by QEMU."""
    name = gdb.selected_inferior().architecture().name()
    if name not in ARCHES:
        raise gdb.GdbError(f"gdb is set to {name}, which is no machine of JOS64; a kernel's file sets it.")
    return ARCHES[name]


def need():
    """Raises an error with advice if there is no machine."""
    if not connected():
        raise gdb.GdbError(NO_MACHINE)


def register(name):
    """A register's value as an unsigned number. pc and sp are known on every machine."""
    return unsigned(gdb.newest_frame().read_register(name))


def unsigned(value):
    """The number of a gdb.Value that is a plain number or a pointer."""
    return int(value) % (1 << 8 * value.type.sizeof)


def flags(name):
    """The names of the bits that are set in a control register, as gdb shows them: [ PG PE ]."""
    return gdb.newest_frame().read_register(name).format_string().strip("[] ").split()


def at_reset():
    """Whether the machine has not run yet: a PC's reset vector, or that of QEMU's virt board."""
    if arch().name == "riscv64":
        return register("pc") == 0x1000
    return (register("cs"), register("pc")) == (0xF000, 0xFFF0)


def in_user_mode():
    """Whether the processor runs a program."""
    return register("priv") == 0 if arch().name == "riscv64" else register("cs") & 3 == 3


def mode():
    """The processor's current translation."""
    return riscv_mode() if arch().name == "riscv64" else x86_mode()


def riscv_mode():
    """The translation of a RISC-V hart."""
    satp = register("satp")
    if register("priv") == MACHINE_MODE:
        return Mode(False, 0, "the hart is in machine mode: every address is physical")
    if not satp >> 60:
        return Mode(False, 0, "paging is off (satp.MODE is 0): every address is physical")
    if satp >> 60 != SATP_SV39:
        return Mode(False, 0, "paging is on, but not with Sv39: this is not JOS64's paging")
    return Mode(True, (satp & SATP_PPN) << 12, "")


def x86_mode():
    """The translation of an x86 processor."""
    if not register("cr0") & CR0_PG:
        return Mode(False, 0, "paging is off (CR0.PG is 0): every address is physical")
    long_mode = arch().name == "x86_64"
    if long_mode and not register("efer") & EFER_LMA:
        return Mode(False, 0, "paging is on, but not in long mode: this is not JOS64's paging")
    if not long_mode and register("cr4") & CR4_PAE:
        return Mode(False, 0, "paging is on, but with PAE: this is not JOS64's paging")
    return Mode(True, register("cr3") & CR3_ADDRESS, "")


@contextlib.contextmanager
def physical():
    """A context manager with a function (physical address, size) -> bytes. Afterwards gdb sees virtual memory again."""
    need()
    inferior = gdb.selected_inferior()

    def read(pa, size):
        try:
            return bytes(inferior.read_memory(pa, size))
        except gdb.MemoryError:
            raise gdb.GdbError(f"Physical memory at {pa:#x} cannot be read.") from None

    set_physical(1)
    try:
        yield read
    finally:
        set_physical(0)


def set_physical(on):
    """Tells QEMU whether addresses in gdb's requests are physical."""
    answer = gdb.execute(f"maint packet Qqemu.PhyMemMode:{on}", to_string=True)
    if '"OK"' not in answer:
        raise gdb.GdbError("This gdb server cannot read physical memory; QEMU can since 4.1.")
