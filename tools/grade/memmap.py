"""JOS's memory map, spelled out once more: where each part of the address space must lead, from numbers alone.

The kernel's own table of regions (the crate `layout`) and its check of them are not used here. A map of another machine
is another `Map`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional

import tableformat
from loaderinfo import Range
from tableformat import G, PAGE, R, U, W, X

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Map:
    """The numbers of a memory map. Virtual addresses, if not said otherwise."""

    form: tableformat.Format
    kernbase: int
    window: int  # bytes of physical memory that are shown at kernbase
    phys_base: int  # the physical address where the window begins
    kstktop: int
    kstksize: int
    kstkgap: int  # bytes below the stack that are never mapped
    mmiobase: int
    physmap: int  # where RAM above the window is shown
    physmap_max: int  # bytes that may be shown there
    uvpt: Optional[int]  # where the root shows itself, if the format allows it
    upages: int
    lower_end: int  # the first address behind the application's half
    upper_start: int
    last: int  # the last address
    io_hole: Range  # physical memory of devices, within what `pages` describes
    devices: tuple  # physical addresses of the devices that are mapped from mmiobase on, a page each
    slots: dict  # parts of the root, by what they show

    @property
    def uenvs(self):
        """Where the environments are shown."""
        return self.upages - self.form.span(self.form.levels - 1)

    @property
    def utop(self):
        """The end of the addresses that a program may map."""
        return self.lower_end if self.lower_end == self.upper_start else self.lower_end - PAGE

    @property
    def ulim(self):
        """The first address that no program has access to."""
        return self.physmap

    @property
    def nowhere(self):
        """Addresses that do not exist."""
        if self.lower_end < self.upper_start:
            return (self.lower_end, self.upper_start - PAGE)
        return (self.last + 1, 1 << 63)


JOS64 = Map(
    form=tableformat.X86_64,
    kernbase=0xFFFF_FFFF_F000_0000,
    window=256 * MB,
    phys_base=0,
    kstktop=0xFFFF_FFFF_F000_0000,
    kstksize=32 * KB,
    kstkgap=32 * KB,
    mmiobase=0xFFFF_FFFF_EF80_0000,
    physmap=0xFFFF_FF80_0000_0000,
    physmap_max=256 * GB,
    uvpt=0xFFFF_FF00_0000_0000,
    upages=0xFFFF_FE80_0000_0000,
    lower_end=0x0000_8000_0000_0000,
    upper_start=0xFFFF_8000_0000_0000,
    last=0xFFFF_FFFF_FFFF_FFFF,
    io_hole=Range(0xA_0000, 0x10_0000),
    devices=(),
    slots={"UVPT": 510, "upper half": range(256, 512)},
)

JOS32 = Map(
    form=tableformat.I386,
    kernbase=0xF000_0000,
    window=256 * MB,
    phys_base=0,
    kstktop=0xF000_0000,
    kstksize=32 * KB,
    kstkgap=32 * KB,
    mmiobase=0xEF80_0000,
    physmap=0xEF80_0000,
    physmap_max=0,
    uvpt=0xEF40_0000,
    upages=0xEF00_0000,
    lower_end=0xEEC0_0000,
    upper_start=0xEEC0_0000,
    last=0xFFFF_FFFF,
    io_hole=Range(0xA_0000, 0x10_0000),
    devices=(),
    slots={"UVPT": 0x3BD, "upper half": range(0x3BB, 0x400)},
)


JOSSV39 = Map(
    form=tableformat.SV39,
    kernbase=0xFFFF_FFFF_F000_0000,
    window=256 * MB,
    phys_base=0x8000_0000,
    kstktop=0xFFFF_FFFF_F000_0000,
    kstksize=32 * KB,
    kstkgap=32 * KB,
    mmiobase=0xFFFF_FFFF_EF80_0000,
    physmap=0xFFFF_FFFB_C000_0000,
    physmap_max=16 * GB,
    uvpt=None,
    upages=0xFFFF_FFFB_4000_0000,
    lower_end=0x40_0000_0000,
    upper_start=0xFFFF_FFC0_0000_0000,
    last=0xFFFF_FFFF_FFFF_FFFF,
    io_hole=Range(0x8000_0000, 0x8000_0000),
    # The serial port; QEMU's device that ends the machine; the interrupt controller's priorities, its bits of sources,
    # and its registers of the first hart's supervisor mode.
    devices=(0x1000_0000, 0x10_0000, 0xC00_0000, 0xC00_2000, 0xC20_1000),
    slots={"upper half": range(256, 512)},
)


class Part(NamedTuple):
    """A part of the kernel's address space that must lead somewhere."""

    name: str
    va: int
    size: int
    pa: int
    rights: int

    @property
    def end(self):
        """The first address behind it."""
        return self.va + self.size


class Kernel(NamedTuple):
    """Where the kernel lies in physical memory, from its ELF file."""

    start: int
    rodata: int
    data: int
    end: int
    stack: int  # the memory of its first stack, kstksize bytes


def parts(jos, kernel, ram, pages, pages_size, envs=Range(0, 0)):
    """All parts of the kernel's address space that must be mapped, from the lowest up. The array `pages` lies at the
    physical address `pages`, that of the environments, if there is one, in `envs`; between the parts nothing is mapped
    but the page tables at UVPT."""
    window_end = jos.phys_base + jos.window

    def shown(name, start, end, rights):
        return Part(name, jos.kernbase + (start - jos.phys_base), end - start, start, rights)

    found = [
        Part("UENVS", jos.uenvs, envs.end - envs.start, envs.start, R | U),
        Part("UPAGES", jos.upages, pages_size, pages, R | U),
    ]
    for run in ram:
        start, end = max(run.start, window_end), min(run.end, jos.phys_base + jos.physmap_max)
        if start < end:
            va = jos.physmap + (start - jos.phys_base)
            found.append(Part("PHYSMAP", va, end - start, start, R | W | G))
    found += [
        Part("a device", jos.mmiobase + number * PAGE, PAGE, pa, R | W | G) for number, pa in enumerate(jos.devices)
    ]
    found += [
        Part("kernel stack", jos.kstktop - jos.kstksize, jos.kstksize, kernel.stack, R | W | G),
        shown("KERNBASE, below the kernel", jos.phys_base, kernel.start, R | W | G),
        shown("kernel text", kernel.start, kernel.rodata, R | X | G),
        shown("kernel rodata", kernel.rodata, kernel.data, R | G),
        shown("KERNBASE", kernel.data, window_end, R | W | G),
    ]
    return [part._replace(rights=part.rights | jos.form.always) for part in found if part.size]


def gap_name(jos, va):
    """The name of a part of the address space that must not be mapped."""
    stack = jos.kstktop - jos.kstksize
    for start, name in (
        (stack - jos.kstkgap, "the gap below the kernel stack"),
        (jos.mmiobase, "the addresses for devices and further stacks"),
        (jos.physmap, "a hole in PHYSMAP, or above it"),
        (jos.uvpt or jos.physmap, "UVPT"),
        (jos.upages, "above pages in UPAGES"),
        (jos.upper_start, "below UPAGES"),
    ):
        if va >= start:
            return name
    return "the application's half"


def reserved(jos, ram, kernel, kept):
    """The physical ranges that must never be handed out, whatever `boot_alloc` took, each with a name."""
    page_0 = Range(jos.phys_base, jos.phys_base + PAGE)
    window_end = jos.phys_base + jos.window
    return [
        ("page 0", page_0),
        ("the IO hole", jos.io_hole),
        ("the kernel", Range(kernel.start, kernel.end)),
        ("the window's last frame", Range(window_end - PAGE, window_end)),
        *(("the loader's information or a module", run) for run in kept),
        *(("a hole in RAM", hole) for hole in holes(jos.phys_base, ram)),
    ]


def holes(start, ram):
    """The ranges between runs of RAM, from `start` on."""
    found = []
    for run in ram:
        if start < run.start:
            found.append(Range(start, run.start))
        start = run.end
    return found
