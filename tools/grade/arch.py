"""The machines that are graded, as a table: everything in which the tests of one differ from those of another.

A list of tests is one for all machines. It takes from here what a machine has, how long its addresses are, and where
the parts of its memory map lie. `ARCH` is the machine that is graded; the variable ARCH of the environment names it, as
for make.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from typing import NamedTuple

import memmap
from tableformat import PAGE

# Features that a machine may have. A test that needs some of it says so: Test.needs.
PC = "PC"  # a PC's loaders and devices: GRUB and PVH, CPUID, ports, a screen, a keyboard
UEFI = "UEFI"  # it boots from UEFI firmware too
LONG_MODE = "long mode"
NX = "NX"  # pages that cannot be executed
HALVES = "halves"  # a hole in the middle of the address space: addresses that are not canonical
UVPT = "UVPT"  # the page tables show themselves
PHYSMAP = "PHYSMAP"  # addresses for the RAM above the window
DEVICE_TREE = "device tree"  # firmware gives the kernel a device tree


class Refused(NamedTuple):
    """A processor that lacks what the kernel needs."""

    title: str
    cpu: str  # as QEMU's -cpu takes it
    why: str  # what the kernel says


class Boot(NamedTuple):
    """A way to boot."""

    name: str
    title: str
    image: str  # as Machine.image names it
    entry: str  # the symbol of the address where the kernel begins
    firmware: int  # RAM that the firmware keeps, in K


@dataclass(frozen=True)
class Arch:
    """A machine."""

    name: str  # as ARCH names it
    qemu: str  # the program
    board: str  # its -machine; if empty, its default
    exit_device: str  # its -device by which the kernel ends it, if there is none from the start
    boots: tuple  # each a Boot; the tests that need no other begin by the first
    make_boots: str  # the ways that make knows
    firmware_end: str  # the beginning of the last line that firmware prints
    image: int  # the physical address of the kernel's image
    megabyte: str  # the sixth digit of addresses in the image and right behind it, as a pattern
    strict: str  # a processor that keeps the kernel off the user's pages, as -cpu takes it; if empty, QEMU's own does
    map: memmap.Map  # its memory map, and within it its page-table format
    module: str  # the folder of its code in the kernel, as backtraces show it
    faults: str  # the part of it that commits faults
    refused: tuple  # processors with which the kernel cannot start, each a Refused
    accepted: tuple  # processors with which it boots, beside QEMU's own: title, and name as -cpu takes it
    hole: tuple  # what test=read-hole reads: an address, and the name of its region
    elsewhere: tuple  # other machines' QEMUs, each with what the kernel says there; nothing if it boots
    no_ram: int  # a physical address without RAM
    sparse: int  # pages of the largest area that can be had, a power of two and at most 4 TB
    npages: int  # frames that `pages` describes with 256 MB of RAM
    tables: int  # of kern_pgdir with 256 MB of RAM, with the root, under an application (the monitor is larger)
    first_pages: str  # the size of the pages that map the window's beginning, as lists of mappings show it
    first_page: int  # the address of the first page that the monitor's `alloc` gives out, with 256 MB of RAM
    features: frozenset  # of those above

    # Addresses.

    @property
    def digits(self):
        """How many hexadecimal digits an address has."""
        return -(-self.map.last.bit_length() // 4)

    @property
    def word(self):
        """How many bytes a register has."""
        return self.digits // 2

    def plain(self, number):
        """A number as wide as an address, without 0x."""
        return f"{number:0{self.digits}x}"

    def address(self, number):
        """An address at full length."""
        return "0x" + self.plain(number)

    def physical(self, number):
        """A physical address as lists of mappings show it."""
        return f"{number:#0{min(2 + self.digits, 11)}x}"

    @staticmethod
    def size(number):
        """A size as the kernel shows it: in the largest unit of which it is a multiple."""
        unit = next(unit for unit in (30, 20, 10) if number % (1 << unit) == 0)
        return f"{number >> unit} {dict(zip((30, 20, 10), ('GB', 'MB', 'KB')))[unit]}"

    def boot(self, image):
        """The way in which an image boots, as Machine.image names it."""
        ways = {boot.image: boot for boot in self.boots}
        return ways.get(image.partition("-")[0], ways["kernel"])

    def perm(self, letters):
        """Permissions as the kernel shows them, such as -rw-g: with x if the machine cannot withhold it."""
        return letters if self.has(NX) else letters[:3] + "x" + letters[4:]

    def has(self, *features):
        """Whether the machine has all these features."""
        return self.features.issuperset(features)

    @property
    def limit(self):
        """The end of the RAM that the kernel can use, in K."""
        return max(self.map.window, self.map.physmap_max) // 1024

    # The constants of JOS's inc/memlayout.h.

    @property
    def kernbase(self):
        """Where the window on physical memory begins, KERNBASE."""
        return self.map.kernbase

    def module_at(self, size):
        """Where QEMU puts a module in this much RAM: a physical address, and a number of bytes from there on."""
        if self.has(PC):
            return size - (1 << 20), 1 << 20  # as high as possible
        return self.image + min(size // 2, 128 << 20), 1 << 20

    def window(self, pa):
        """Where the window shows a physical address."""
        return self.map.kernbase + pa - self.map.phys_base

    @property
    def kstacktop(self):
        """The top of the kernel's stack, KSTACKTOP."""
        return self.map.kstktop

    @property
    def kstack(self):
        """The lowest byte of the kernel's stack, KSTACK."""
        return self.map.kstktop - self.map.kstksize

    @property
    def upages(self):
        """Where the array `pages` is shown, UPAGES."""
        return self.map.upages

    @property
    def utop(self):
        """Where the application's part ends, UTOP."""
        return self.map.lower_end - (PAGE if self.has(HALVES) else 0)

    @property
    def ustacktop(self):
        """The top of the application's stack, USTACKTOP."""
        return self.utop - 2 * PAGE

    @property
    def areas(self):
        """Where the application's areas begin: the upper half of its part."""
        return self.map.lower_end // 2 // self.ptsize * self.ptsize

    @property
    def top_level(self):
        """The level of the root table."""
        return self.map.form.levels - 1

    @property
    def ptsize(self):
        """The bytes that an entry of the root maps, PTSIZE."""
        return self.map.form.span(self.top_level)


# Why a kernel cannot start, and what to do.
NO_LONG_MODE = "this processor has no long mode (64-bit); use qemu-system-x86_64 with -cpu qemu64 or newer"
NO_NX = (
    "this processor has no NX (no-execute pages); use -cpu qemu64 without -nx, or turn on NX/XD in the firmware"
)
NO_SV39 = "this hart has no Sv39; use qemu-system-riscv64 with -cpu rv64"
NO_PSE = "this processor has no PSE (4 MB pages); use -cpu pentium or newer without -pse"
TOO_OLD = "this processor is older than a Pentium; use qemu-system-i386 with -cpu pentium or newer"

PC_BOOTS = (
    Boot("GRUB", "GRUB (multiboot2)", "grub", "multiboot2_start", 128),
    Boot("PVH", "qemu -kernel (PVH)", "kernel", "pvh_start", 128),
)
EVERY_FEATURE = "every feature", "max"
IS_PC = {
    "board": "", "exit_device": "isa-debug-exit,iobase={port:#x},iosize=0x04", "boots": PC_BOOTS, "firmware_end": "",
    "image": 0x10_0000, "megabyte": "[123]", "first_pages": "4K", "strict": "max", "faults": "kernel::arch::x86::faults",
}
ARCHES = {arch.name: arch for arch in (
    Arch(
        name="x86_64", qemu="qemu-system-x86_64", map=memmap.JOS64, module="kernel::arch::x86_64", **IS_PC,
        make_boots="grub uefi pvh", features=frozenset({PC, UVPT, UEFI, LONG_MODE, NX, HALVES, PHYSMAP}),
        hole=(0xFFFF_FFFF_EF7F_F000, "unused"), no_ram=0x80_0000_0000, sparse=1 << 30, npages=65504,
        tables=8, first_page=0xD000,
        elsewhere=(("qemu-system-i386", NO_LONG_MODE),),
        accepted=(("one extended leaf of CPUID", "qemu64,xlevel=0x80000001"), EVERY_FEATURE),
        refused=(
            Refused("no long mode", "qemu32", NO_LONG_MODE),
            Refused("no NX", "qemu64,-nx", NO_NX),
        ),
    ),
    Arch(
        name="i386", qemu="qemu-system-i386", map=memmap.JOS32, module="kernel::arch::i386", **IS_PC,
        make_boots="grub pvh", features=frozenset({PC, UVPT}),
        hole=(0xEF80_0000, "memory-mapped devices"), no_ram=0xFEE0_0000,  # the local interrupt controller
        sparse=1 << 18, npages=65504, tables=4, first_page=0x8000,
        elsewhere=(("qemu-system-x86_64", ""),),
        accepted=(
            ("a Pentium", "pentium"), ("a Pentium III", "pentium3"), ("no global pages", "qemu32,-pge"), EVERY_FEATURE,
        ),
        refused=(
            Refused("no PSE", "pentium,-pse", NO_PSE),
            *(
                Refused(title, cpu, TOO_OLD) for title, cpu in (
                    ("older than a Pentium", "486"), ("no TSC", "pentium,-tsc"), ("no CMPXCHG8B", "pentium,-cx8"),
                )
            ),
        ),
    ),
    Arch(
        name="riscv64", qemu="qemu-system-riscv64", map=memmap.JOSSV39, module="kernel::arch::riscv64",
        faults="kernel::arch::riscv64::faults", board="virt", exit_device="", firmware_end="Boot HART MEDELEG ",
        image=0x8020_0000, megabyte="[23]", first_pages="2M", strict="",
        boots=(
            Boot("OpenSBI", "qemu -kernel (OpenSBI)", "kernel", "_start", 512),
            Boot("bare", "without firmware (BOOT=bare)", "bare", "_start", 0),
        ),
        make_boots="opensbi bare", features=frozenset({DEVICE_TREE, NX, HALVES, PHYSMAP}),
        hole=(0xFFFF_FFFF_EF7F_F000, "unused"), no_ram=0x1800_0000, sparse=1 << 24, npages=65536, tables=7,
        first_page=0x8008_8000,
        elsewhere=(), accepted=(), refused=(Refused("no Sv39", "rv64,mmu=off", NO_SV39),),
    ),
)}


def pick(arguments):
    """The machine that is graded: of the option --arch, or of the environment, where make finds it too afterwards."""
    parser = argparse.ArgumentParser(prog="grade.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--arch", default=os.environ.get("ARCH") or "x86_64")
    name = parser.parse_known_args(arguments)[0].arch
    if name not in ARCHES:
        parser.exit(2, f'grade.py: unknown ARCH "{name}"; there are: {" ".join(ARCHES)}\n')
    os.environ["ARCH"] = name
    return ARCHES[name]


ARCH = pick(sys.argv[1:])
