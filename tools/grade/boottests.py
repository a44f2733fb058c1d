"""The graded tests of booting: JOS's four, the ways to boot, sizes of memory, boards and firmware."""

import re

from gradelib import Machine, Test
from words import CHECKS, GRUB, MB, PVH, WELCOME, boots, opening

# What mem= refuses.
NO_SIZES = ("lots", "1T", "M", "", "+1M", "-1", "1MB", "0x1000000", "17179869184G")

TESTS = [
    # JOS's four.
    Test("Physical page allocator", 20, GRUB, CHECKS[1:2], tags=("jos",)),
    Test("Page management", 20, GRUB, CHECKS[2:3], tags=("jos",)),
    Test("Kernel page directory", 20, GRUB, CHECKS[3:4], tags=("jos",)),
    Test("Page management 2", 10, GRUB, CHECKS[5:6], tags=("jos",)),
    Test("Free list, before and after kern_pgdir", 10, GRUB, (CHECKS[0], CHECKS[3], CHECKS[0]), tags=("boot",)),
    # Two ways to boot, and memory sizes: the whole output, line by line.
    Test("boot: GRUB (multiboot2)", 10, GRUB, boots(), whole=True, tags=("boot",)),
    Test("boot: qemu -kernel (PVH)", 10, PVH, boots(), whole=True, tags=("boot",)),
    Test("memory: 8M", 5, Machine(memory="8M"), boots(8 * MB), whole=True, tags=("memory",)),
    *(
        Test(f"memory: {name}", 5, Machine("grub", memory=name), boots(size), whole=True, tags=("memory",))
        for name, size in (
            ("16M", 16 * MB), ("64M", 64 * MB), ("127M", 127 * MB), ("128M", 128 * MB),
            ("256M", 256 * MB), ("257M", 257 * MB), ("1G", 1024 * MB), ("5G", 5120 * MB),
        )
    ),
    Test("memory: 16G", 5, Machine(memory="16G"), boots(16384 * MB), whole=True, tags=("memory",)),
    Test(
        "memory: 5G, by pages of 1 GB", 5, Machine(memory="5G", cpu="max", typed=("map\r", "checks\r", "exit\r")),
        (
            *opening(5120 * MB), *CHECKS, *WELCOME, "0xffffff8000000000 RW/-- all physical memory",
            "  0xffffff8010000000-0xffffff80bffdffff -> 0x010000000 -rw-g 2883456 KB 4K-1G W",
            "  0xffffff8100000000-0xffffff817fffffff -> 0x100000000 -rw-g 2 GB 1G W", *CHECKS,
        ),
        tags=("memory",),
    ),
    Test(
        "memory: 1G, mem=256M as on JOS", 5, Machine(memory="1G", words="mem=256M"),
        boots(1024 * MB, limit=256 * MB), whole=True, tags=("memory",),
    ),
    *(
        Test(
            f"memory: 1280M, mem={size}", 5, Machine(memory="1280M", words=f"mem={size}"),
            boots(1280 * MB, limit=limit), whole=True, tags=("memory",),
        )
        for size, limit in (("1G", 1024 * MB), ("1048572k", 1024 * MB - 4))
    ),
    Test(
        "memory: mem= that is no size", 5, Machine(words=" ".join(f"mem={word}" for word in NO_SIZES)),
        boots(before=tuple(
            f'warning: "mem={word}" ignored: mem= wants a size such as 64M, 256M or 2G' for word in NO_SIZES
        )),
        whole=True, tags=("memory",),
    ),
    # Other boards, and other firmware.
    Test("board: q35, GRUB", 5, Machine("grub", board="q35"), CHECKS + WELCOME, tags=("board",)),
    Test("board: q35, PVH", 5, Machine(board="q35"), CHECKS + WELCOME, tags=("board",)),
    Test("board: microvm (no VGA, no keyboard)", 5, Machine(board="microvm"), CHECKS + WELCOME, tags=("board",)),
    Test(
        "board: microvm, the time", 5, Machine(board="microvm", typed=("uptime\r", "exit\r")),
        (*WELCOME, re.compile(r"up 0:0\d:\d\d\.\d\d\d"), "K> exit"), tags=("board",),
    ),
    Test("board: UEFI, GRUB", 5, Machine("grub", uefi=True, patience=3), CHECKS + WELCOME, tags=("board", "uefi")),
    Test(
        "board: UEFI, q35, GRUB", 5, Machine("grub", board="q35", uefi=True, memory="1G", patience=3),
        CHECKS + WELCOME, tags=("board", "uefi"),
    ),
]
