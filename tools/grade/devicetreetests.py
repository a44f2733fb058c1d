"""The graded tests of device trees: odd machines that they describe, and bad trees, each with a clear message.

The tree is put in the place of the firmware's at the kernel's entry, so the firmware itself has a good one.
"""

import re

import devicetree as dt
import reading
from arch import ARCH, DEVICE_TREE
from devicetree import MB, RAM, flat, serial, spoilt, virt
from gradelib import FAILURE, Machine, Test
from loaderinfo import Range
from words import CHECKS, NO_PROMPT, WELCOME, panic

GOOD = flat(virt())
# The kernel looks at its own copy of the tree.
TREE = "the device tree at 0x80[0-9a-f]{6} "
DAMAGED = f"{TREE}is truncated or damaged; use another loader"
SIZE = (
    "the device tree's size is wrong, or larger than the room for the tree "
    r"\(TREE_ROOM in boot/src/riscv64/entry\.rs\)"
)
NO_TREE = (
    r"the firmware gives no device tree \(in A1\); boot by qemu-system-riscv64 -machine virt -kernel obj/kern/kernel"
)
NO_CONSOLE = (
    r"the device tree names no console \(a node outside RAM that is compatible with ns16550a\); "
    "use qemu-system-riscv64 -machine virt"
)
SILENT_CONSOLE = "the device tree names a console where no device answers, or the firmware withholds the counters"


def refused(title, tree, why, at=dt.PLACE, machine=None, subject="device tree"):
    """A test of a tree, or of an address without one, or of a machine: the kernel says why it cannot start."""
    machine = machine or Machine(at_entry=dt.pass_on(tree, at))
    line = re.compile(f"JOS64 cannot start: {why}")
    return Test(
        f"{subject}: {title}", 5, machine, (line,), NO_PROMPT, FAILURE, tags=("devicetree",), needs=(DEVICE_TREE,)
    )


def panics(title, tree, why, memory="256M"):
    """A test of a tree that mem_init cannot work with."""
    machine = Machine(memory=memory, at_entry=dt.pass_on(flat(tree)))
    return Test(
        f"device tree: {title}", 5, machine, panic(why), NO_PROMPT, FAILURE, tags=("devicetree",), needs=(DEVICE_TREE,)
    )


def boots(title, tree, amount, *further, memory="256M", given_up=(), verdicts=reading.SUBJECTS):
    """A test of a tree of an odd machine, with so much RAM in K: the kernel boots, and the reader judges the machine.
    `given_up` are ranges of RAM for which the kernel's lists have no room."""
    machine = reading.read(Machine(memory=memory, at_entry=dt.pass_on(flat(tree))), given_up=given_up)
    lines = (f"Physical memory: {amount}K available, base = 0K, extended = {amount}K", *further, *CHECKS, *WELCOME)
    return Test(
        f"device tree: {title}", 5, machine, lines, verdicts=verdicts, tags=("devicetree",), needs=(DEVICE_TREE,),
    )


def console(*devices, **chosen):
    """A tree with these devices for a console."""
    return virt(devices=(*devices, dt.PLIC), **chosen)


def given_up(pieces, amount, of):
    """The line about the smallest of too many pieces of RAM."""
    return (
        f"Given up: {amount}K of RAM, the {pieces} smallest of {of} pieces: 128 are kept "
        "(RAM_RUNS in libjos/src/mem/memory_map.rs)"
    )


# 300 regions of 64 KB each, with gaps between them.
SMALL = [Range(start, start + 0x1_0000) for start in (RAM + 256 * MB + i * 0x2_0000 for i in range(300))]
INITRD = {"linux,initrd-start": dt.wide(RAM), "linux,initrd-end": dt.wide(RAM + 256 * MB)}
WINDOW = "the 256 MB from 0x80000000 on"
ALL, KEPT = 256 * 1024, 512  # K: the RAM, and that which the firmware keeps

TESTS = [
    # Memory.
    panics(
        "too little RAM", virt(memory=((RAM, 3 * MB),)),
        rf"too little RAM: 2560 KB within {WINDOW}, at least 4096 KB are needed: give the machine more memory "
        r"\(QEMU: -m 8M or more; mem= may leave no less\)",
    ),
    boots(
        "RAM in 300 further regions",
        virt(memory=((RAM, 128 * MB), *((run.start, run.end - run.start) for run in SMALL))),
        128 * 1024 - KEPT + 127 * 64, given_up(173, 173 * 64, 301), memory="512M", given_up=SMALL[-173:],
    ),
    boots(
        "RAM in 300 regions", virt(memory=tuple((RAM + i * MB, (0xF_0000, 0x8_0000)[i % 2]) for i in range(300))),
        # Of the 256 regions in the window and the 44 above it, at most 64 at first.
        84 * 960 + 22 * (960 + 512), given_up(172, 43 * 960 + (960 - KEPT) + 128 * 512, 300), memory="512M",
        verdicts=("processor",),  # the reader knows no rule by which these pieces are given up
    ),
    panics(
        "RAM that begins behind the window", virt(memory=((RAM + 256 * MB, 256 * MB),)),
        f"too little RAM: 0 KB within {WINDOW}, .*", memory="1G",
    ),
    boots("RAM that begins with the kernel", virt(memory=((RAM + 2 * MB, 254 * MB),)), ALL - 2 * 1024),
    boots("RAM that begins behind the kernel", virt(memory=((RAM + 4 * MB, 252 * MB),)), ALL - 4 * 1024),
    boots(
        "RAM that begins late and has a hole", virt(memory=((RAM + 2 * MB, 14 * MB), (RAM + 128 * MB, 64 * MB))),
        78 * 1024,
    ),
    boots(
        "reserved RAM", virt(reserved=(dt.FIRMWARE, (RAM + 16 * MB, MB), (RAM + 64 * MB, 4 * MB))),
        ALL - KEPT - 5 * 1024,
    ),
    panics(
        "an initrd over everything", virt(**INITRD),
        "no room for the array pages: 514 KB in one piece and some page tables beside it are needed, 0 KB are free "
        rf"in one piece within {WINDOW}\. .* boot information and modules {ALL - KEPT} KB: .*",
    ),
    refused("no RAM", flat(virt(memory=())), TREE + r"has no memory \(a node memory with a region\)"),
    # Trees that are none.
    refused("none", b"", NO_TREE, at=0),
    refused("nowhere", b"", NO_TREE, at=0xDEAD_BEEF_0000),
    refused("in a device", b"", NO_TREE, at=dt.UART),
    refused("in the firmware", b"", NO_TREE, at=RAM),
    refused("in unused RAM", b"", NO_TREE),
    refused("misaligned", GOOD, NO_TREE, at=dt.PLACE + 4),
    # Damaged trees.
    refused("cut", GOOD[:200] + bytes(len(GOOD) - 200), DAMAGED),
    refused("a size of 0", spoilt(GOOD, dt.TOTAL_SIZE, 0), DAMAGED),
    refused("a size beyond the room for it", spoilt(GOOD, dt.TOTAL_SIZE, 0x2_0008), SIZE),
    refused("a size of 4 GB", spoilt(GOOD, dt.TOTAL_SIZE, 0xFFFF_FFFF), SIZE),
    refused("a size beyond the RAM", spoilt(GOOD, dt.TOTAL_SIZE, 0x1_0000), SIZE, at=RAM + 256 * MB - 0x1000),
    *(
        refused(f"{title} outside of it", spoilt(GOOD, at, word), DAMAGED)
        for title, at, word in (
            ("the nodes", dt.STRUCTURE_AT, 0x1000_0000), ("the names", dt.STRINGS_AT, 0xFFFF_FFF0),
            ("the list of reserved RAM", dt.RESERVED_AT, 0xFFFF_FFF8),
        )
    ),
    # Consoles.
    refused("no console", flat(console()), NO_CONSOLE),
    refused("a console in the kernel", flat(console(serial(RAM + 2 * MB))), NO_CONSOLE),
    refused("a console beyond all addresses", flat(console(serial((1 << 64) - 0x1000))), NO_CONSOLE),
    refused("a console with wide registers", flat(console(serial(dt.UART, reg_shift=dt.cells(2)))), NO_CONSOLE),
    refused("a console where there is no device", flat(console(serial(dt.NO_DEVICE))), SILENT_CONSOLE),
    refused("a console that is a clock", flat(console(serial(dt.CLOCK))), SILENT_CONSOLE),
    refused(
        "a console that is a flash memory", flat(console(serial(dt.FLASH))),
        f"the device tree names a console at {dt.FLASH:#x}, and the device there is no NS16550",
    ),
    boots("a console out of use", console(serial(dt.NO_DEVICE, status=b"disabled\0"), dt.SERIAL), ALL - KEPT),
    boots(
        "the chosen one of two consoles",
        console(serial(dt.NO_DEVICE), dt.SERIAL, stdout_path=b"/soc/serial@10000000:115200\0"), ALL - KEPT,
    ),
    # Loaders.
    refused(
        "the kernel at another address", None,
        "the kernel is not where it is linked; boot by qemu-system-riscv64 -machine virt -kernel obj/kern/kernel",
        machine=Machine(at_entry=dt.enter_elsewhere),
    ),
    # The firmware of BOOT=bare prints, and has messages of its own.
    refused(
        "no console, without firmware", None, NO_CONSOLE,
        machine=Machine("bare", at_entry=dt.pass_on(flat(console()))),
    ),
    *(
        refused(f"{title}, without firmware", None, why, machine=Machine("bare", cpu=cpu), subject="machine")
        for title, cpu, why in (
            *ARCH.refused,
            (
                "no supervisor mode", "rv64,h=off,s=off",
                "this hart has no supervisor mode; use qemu-system-riscv64 with -cpu rv64",
            ),
        )
    ),
]
