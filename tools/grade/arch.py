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
UEFI = "UEFI"  # it boots from UEFI firmware too
LONG_MODE = "long mode"
NX = "NX"  # pages that cannot be executed
HALVES = "halves"  # a hole in the middle of the address space: addresses that are not canonical
PHYSMAP = "PHYSMAP"  # addresses for the RAM above the window
DEVICE_TREE = "device tree"  # firmware gives the kernel a device tree


class Refused(NamedTuple):
    """A processor that lacks what the kernel needs."""

    title: str
    cpu: str  # as QEMU's -cpu takes it
    why: str  # what the kernel says


@dataclass(frozen=True)
class Arch:
    """A machine."""

    name: str  # as ARCH names it
    qemu: str  # the program
    map: memmap.Map  # its memory map, and within it its page-table format
    module: str  # the folder of its code in the kernel, as backtraces show it
    refused: tuple  # processors with which the kernel cannot start, each a Refused
    accepted: tuple  # processors with which it boots, beside QEMU's own: title, and name as -cpu takes it
    hole: tuple  # what test=read-hole reads: an address, and the name of its region
    elsewhere: tuple  # another machine's QEMU, and what the kernel says there; nothing if it boots
    no_ram: int  # a physical address without RAM
    sparse: int  # pages of the largest area that can be had, a power of two and at most 4 TB
    tables: int  # of kern_pgdir with 256 MB of RAM, with the root
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
NO_PSE = "this processor has no PSE (4 MB pages); use -cpu pentium or newer without -pse"
TOO_OLD = "this processor is older than a Pentium; use qemu-system-i386 with -cpu pentium or newer"

ARCHES = {arch.name: arch for arch in (
    Arch(
        name="x86_64", qemu="qemu-system-x86_64", map=memmap.JOS64, module="kernel::arch::x86_64",
        features=frozenset({UEFI, LONG_MODE, NX, HALVES, PHYSMAP}),
        hole=(0xFFFF_FFFF_EF7F_F000, "unused"), no_ram=0x80_0000_0000, sparse=1 << 30, tables=8, first_page=0xC000,
        elsewhere=("qemu-system-i386", NO_LONG_MODE),
        accepted=(("one extended leaf of CPUID", "qemu64,xlevel=0x80000001"),),
        refused=(
            Refused("no long mode", "qemu32", NO_LONG_MODE),
            Refused("no NX", "qemu64,-nx", NO_NX),
        ),
    ),
    Arch(
        name="i386", qemu="qemu-system-i386", map=memmap.JOS32, module="kernel::arch::i386",
        features=frozenset(),
        hole=(0xEF80_0000, "memory-mapped devices"), no_ram=0xFEE0_0000,  # the local interrupt controller
        sparse=1 << 18, tables=4, first_page=0x8000,
        elsewhere=("qemu-system-x86_64", ""),
        accepted=(("a Pentium", "pentium"), ("a Pentium III", "pentium3"), ("no global pages", "qemu32,-pge")),
        refused=(
            Refused("no PSE", "pentium,-pse", NO_PSE),
            *(
                Refused(title, cpu, TOO_OLD) for title, cpu in (
                    ("older than a Pentium", "486"), ("no TSC", "pentium,-tsc"), ("no CMPXCHG8B", "pentium,-cx8"),
                )
            ),
        ),
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
