"""The machines that are graded, as a table: everything in which the tests of one differ from those of another.

A list of tests is one for all machines. It takes from here what a machine has, how long its addresses are, and where the
parts of its memory map lie. `ARCH` is the machine that is graded; the variable ARCH of the environment names it, as for
make.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import memmap

# What a machine may have. A test that needs some of it says so: Test.needs.
UEFI = "UEFI"  # it boots from UEFI firmware too
LONG_MODE = "long mode"
NX = "NX"  # pages that cannot be executed
HALVES = "halves"  # a hole in the middle of the address space: addresses that are not canonical
PHYSMAP = "PHYSMAP"  # addresses for the RAM above the window


@dataclass(frozen=True)
class Arch:
    """A machine."""

    name: str  # as ARCH names it
    qemu: str  # the program
    map: memmap.Map  # its memory map, and within it its page-table format
    module: str  # the folder of its code in the kernel, as backtraces show it
    cpu: str  # the processor that QEMU takes by itself; "max" has every feature that QEMU has
    refused: tuple  # the tests of processors that are refused: title, processor, what is missing, the remedy
    features: frozenset  # of those above
    large: str  # the names of a large page
    ram: tuple  # sizes of RAM to boot with by GRUB, in M

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
    def ptsize(self):
        """The bytes that an entry of the root maps, PTSIZE."""
        return self.map.form.span(self.map.form.levels - 1)


ARCHES = {arch.name: arch for arch in (
    Arch(
        name="x86_64", qemu="qemu-system-x86_64", map=memmap.JOS64, module="kernel::arch::x86_64",
        cpu="qemu64", features=frozenset({UEFI, LONG_MODE, NX, HALVES, PHYSMAP}), large="2M",
        refused=(
            ("no long mode", "qemu32", "no long mode (64-bit)", "use qemu-system-x86_64 with -cpu qemu64 or newer"),
            (
                "no NX", "qemu64,-nx", "no NX (no-execute pages)",
                "use -cpu qemu64 without -nx, or turn on NX/XD in the firmware",
            ),
        ),
        ram=(16, 64, 127, 128, 256, 257, 1024, 5120),
    ),
    Arch(
        name="i386", qemu="qemu-system-i386", map=memmap.JOS32, module="kernel::arch::i386",
        cpu="qemu32", features=frozenset(), large="4M",
        refused=(),
        ram=(16, 64, 127, 128, 256, 257, 1024, 3072),
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
ROOT = Path(__file__).resolve().parents[2]
# Where make puts things that do not have a folder for each machine.
ELSEWHERE = {"kernel": "kern/kernel", "shims": "grade/shims"}


def built(name):
    """The path of a file that make has built for ARCH, below the project."""
    path = Path("obj", ARCH.name, name)
    return path if (ROOT / path).exists() else Path("obj", ELSEWHERE.get(name, name))
