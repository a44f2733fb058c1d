"""Boot information of bad loaders, and of good ones with modules, put in place of QEMU's at the kernel's entry.

Each function here is a Machine.at_entry of gradelib.py: QEMU has loaded the kernel by PVH, and the processor is about
to execute its first instruction. A multiboot2 loader is simulated by writing its information to free memory and jumping
to the other entry point.
"""

import itertools
import struct

from loaderinfo import Range

MULTIBOOT2_MAGIC = 0x36D76289
COMMAND_LINE, LOADER, MODULE, MEMORY_MAP, END = 1, 2, 3, 6, 0  # multiboot2 tags
RAM, RESERVED = 1, 2  # types of memory

# Free memory below 640K, for information; and an address that the entry page tables do not show.
LOW = 0x9000
OUTSIDE_WINDOW = 0x2000_0000

GOOD_MAP = ((0, 0x9_F000, RAM), (0x9_F000, 0x6_1000, RESERVED), (0x10_0000, 0xFF0_0000, RAM))

# struct hvm_start_info of the PVH protocol: the offsets of the memory map's address and of its length.
PVH_MEMORY_MAP, PVH_MEMORY_MAP_ENTRIES = 40, 48


def multiboot2(*tags):
    """Multiboot2 boot information with these tags, each (type, contents)."""
    body = b""
    for kind, contents in (*tags, (END, b"")):
        body += struct.pack("<II", kind, 8 + len(contents)) + contents
        body += bytes(-len(body) % 8)
    return struct.pack("<II", 8 + len(body), 0) + body


def memory_map(entries):
    """A memory map's tag with these entries, each (start, size, type)."""
    rows = b"".join(struct.pack("<QQII", start, size, kind, 0) for start, size, kind in entries)
    return MEMORY_MAP, struct.pack("<II", 24, 0) + rows


def module(start, end):
    """The tag of a module in [start, end)."""
    return MODULE, struct.pack("<II", start, end) + b"module\0"


def enter_multiboot2(stub, symbols, information, at=LOW, magic=MULTIBOOT2_MAGIC):
    """Enter the kernel as a multiboot2 loader would."""
    stub.run_to(symbols["pvh_start"])
    # Information that was cut short states its shortened size.
    stub.write_memory(LOW, struct.pack("<I", len(information)) + information[4:])
    stub.write("ip", symbols["multiboot2_start"])
    stub.write("ax", magic)
    stub.write("bx", at)


def enter_pvh(stub, symbols):
    """Stop at the PVH entry; returns the address of the boot information."""
    stub.run_to(symbols["pvh_start"])
    return stub.read("bx")


def no_magic(stub, symbols):
    """A loader of another protocol (EAX holds multiboot1's magic)."""
    enter_multiboot2(stub, symbols, multiboot2(memory_map(GOOD_MAP)), magic=0x2BADB002)


def pvh_no_magic(stub, symbols):
    """PVH boot information without its magic."""
    stub.write_memory(enter_pvh(stub, symbols), bytes(4))


def outside_window(stub, symbols):
    """Boot information in RAM that the entry page tables do not show."""
    enter_multiboot2(stub, symbols, multiboot2(memory_map(GOOD_MAP)), at=OUTSIDE_WINDOW)


def in_kernel(stub, symbols):
    """Boot information within the kernel, in the unused room for symbols, where it overwrites nothing."""
    information = multiboot2(memory_map(GOOD_MAP))
    at = symbols["symbols_end_exclusive"] - (symbols["entry"] - symbols["_start"]) - 0x1000
    enter_multiboot2(stub, symbols, information, at=at)
    stub.write_memory(at, information)


def in_kernel_data(stub, symbols):
    """Boot information within the kernel's data, at the far end of the boot stack."""
    information = multiboot2(memory_map(GOOD_MAP))
    at = symbols["bootstack"] - (symbols["entry"] - symbols["_start"])
    enter_multiboot2(stub, symbols, information, at=at)
    stub.write_memory(at, information)


def pvh_map_outside_window(stub, symbols):
    """A PVH memory map in RAM that the entry page tables do not show."""
    stub.write_memory(enter_pvh(stub, symbols) + PVH_MEMORY_MAP, struct.pack("<Q", OUTSIDE_WINDOW))


def no_end(stub, symbols):
    """Boot information that ends before its end tag."""
    enter_multiboot2(stub, symbols, multiboot2(memory_map(GOOD_MAP))[:-8])


def cut_within_tag(stub, symbols):
    """Boot information that ends in the middle of its memory map."""
    enter_multiboot2(stub, symbols, multiboot2(memory_map(GOOD_MAP))[:48])


def no_memory_map(stub, symbols):
    """Boot information with a command line and nothing else."""
    enter_multiboot2(stub, symbols, multiboot2((COMMAND_LINE, b"\0")))


def pvh_no_memory_map(stub, symbols):
    """PVH boot information without a memory map, as version 0 had none."""
    stub.write_memory(enter_pvh(stub, symbols) + PVH_MEMORY_MAP, bytes(12))


def wild_memory_map(stub, symbols):
    """A wild memory map: no order, overlaps, an empty and a wrapping entry, reserved areas at high addresses."""
    wild = (
        (0xFD_0000_0000, 12 << 30, RESERVED),
        (0x10_0000, 0x100_0000, RAM),
        (0x80_0000, 0x780_0000, RAM),
        (0x90_0000, 0x1001, RESERVED),
        (0xFFFF_FFFF_FFFF_F000, 0x2000, RAM),
        (0x400_0000, 0, RAM),
        (0, 0x9_F000, RAM),
        (0x500_0000, 0x1000, 77),
    )
    enter_multiboot2(stub, symbols, multiboot2(memory_map(wild)))


# Boot modules, (start, end), of odd sizes at odd addresses: below 640K, over several pages, one of 8 MB. Their contents
# are computed from their addresses.
MODULES = ((0x2_0FFF, 0x2_1000), (0x80_0123, 0x80_4568), (0x100_0001, 0x180_0000))


def module_contents(start, end):
    """The first bytes of a module, 64 at most."""
    return bytes((start + offset) * 7 % 251 for offset in range(min(end - start, 64)))


def with_modules(stub, symbols):
    """A good loader's information, with the modules above, one right behind the kernel, and an empty one."""
    end = symbols["end"] & 0xFFF_FFFF
    modules = (*MODULES, (end, end + 5), (0x30_0000, 0x30_0000))
    tags = [module(*bounds) for bounds in modules]
    enter_multiboot2(stub, symbols, multiboot2(*tags, (LOADER, b"badloader.py\0"), memory_map(GOOD_MAP)))
    for start, end in modules[:-1]:
        stub.write_memory(start, module_contents(start, end))


# The memory maps below are legal.

KB, MB, PAGE = 1 << 10, 1 << 20, 4096
LOW_MEMORY = ((0, 0x9_F000, RAM), (0x9_F000, 0x6_1000, RESERVED))


def bad_pages(stub, symbols):
    """The map of 1008 MB after GRUB's `badram 0x00800000,0x00fff000`: a page in each 16 MB is bad."""
    bad = [((i << 24) + 0x80_0000, PAGE, 5) for i in range(63)]
    enter_multiboot2(stub, symbols, multiboot2(memory_map([*LOW_MEMORY, (MB, 1007 * MB, RAM), *bad])))


# The 60 KB between bad pages that `many_pieces` leaves, from the lowest to the highest.
SMALL_PIECES = [Range(start, start + 60 * KB) for start in range(17 * MB + 64 * KB, 33 * MB, 64 * KB)]


def many_pieces(stub, symbols):
    """A bad page in each 64 KB of 16 MB: 257 pieces above 1 MB, from the highest to the lowest."""
    bad = [(17 * MB + (i << 16) + 0xF000, PAGE, RESERVED) for i in reversed(range(256))]
    enter_multiboot2(stub, symbols, multiboot2(memory_map([*bad, (MB, 255 * MB, RAM), *LOW_MEMORY])))


def pieces_that_join(stub, symbols):
    """200 pieces whose gaps come later, 200 islands in a large reserved entry, two that meet within a page."""
    pieces = [(0x20_0000 + i * 2 * PAGE, PAGE, RAM) for i in range(200)]
    islands = [(0x1000_0000 - 0x100_0000 + i * 2 * PAGE, PAGE, RAM) for i in range(200)]
    neighbours = [(0x80_0000, 0x2018, RAM), (0x80_2018, 0x4FE8, RAM)]
    gaps = [(start + PAGE, PAGE, RAM) for start, _, _ in reversed(pieces)]
    sea = [(0xF00_0000 - 5, 0x100_0000, RESERVED)]
    more = [(0x100_0000, 0x400_0000, RAM)]
    enter_multiboot2(
        stub, symbols, multiboot2(memory_map([*pieces, *islands, *neighbours, *LOW_MEMORY, *more, *gaps, *sea]))
    )


def little_low_memory(stub, symbols):
    """The map after GRUB's `cutmem 0x5000 0xa0000`."""
    entries = ((0, 0x5000, RAM), (0x5000, 0xF_B000, RESERVED), (MB, 255 * MB, RAM))
    enter_multiboot2(stub, symbols, multiboot2(memory_map(entries)))


def only_the_end_is_free(stub, symbols):
    """A module that leaves free the last 600 KB of the window, and the RAM below the kernel but for some pages."""
    start = symbols["end"] % (1 << 28)
    tags = memory_map(GOOD_MAP), module(start, 256 * MB - 600 * KB), module(0x4_0000, 0x9_F000)
    enter_multiboot2(stub, symbols, multiboot2(*tags))


def nothing_is_free(stub, symbols):
    """Modules that leave free 80 KB, whose last page nothing uses, and the page with this information."""
    start = symbols["end"] % (1 << 28)
    low = module(0x1000, LOW), module(LOW + PAGE, 0x9_F000)
    tags = memory_map(GOOD_MAP), module(start, 256 * MB - 80 * KB), *low
    enter_multiboot2(stub, symbols, multiboot2(*tags))


# A hundred modules of a page, with gaps of 1, 2, ... pages between them.
MANY_MODULES = [Range(start, start + PAGE) for start in (64 * MB + i * (i + 3) // 2 * PAGE for i in range(100))]
GAPS = [Range(low.end, high.start) for low, high in itertools.pairwise(MANY_MODULES)]


def many_modules(stub, symbols):
    """A loader of MANY_MODULES."""
    tags = [module(*bounds) for bounds in MANY_MODULES]
    enter_multiboot2(stub, symbols, multiboot2(memory_map(GOOD_MAP), *tags))
