"""The graded tests of booting: JOS's four, the ways to boot, sizes of memory, boards and firmware."""

import re
from pathlib import Path

import badloader
from arch import ARCH, PC, PHYSMAP
from control import require
import reading
from gradelib import Machine, Test
from reading import SUBJECTS
from statetests import UEFI
from words import CHECKS, MB, MB_1, WELCOME, boots, opening, span

ROOT = Path(__file__).resolve().parents[2]
MODULE = "README.md"  # a file that serves as a boot module, by QEMU's -initrd
MODULE_NAME = "module" if ARCH.has(PC) else "initrd"


def find_module(control):
    """Find QEMU's whole module in memory, and ask the kernel about its first page and its last."""
    contents = (ROOT / MODULE).read_bytes()
    size = control.command("query-memory-size-summary")["base-memory"]
    start, looked_at = ARCH.module_at(size)
    offset = control.memory(start, looked_at).find(contents)
    require(offset >= 0, f"{MODULE} is not whole in the {looked_at} bytes from {start:#x} on")
    pa = start + offset
    return f"pages {pa:#x}\rpages {pa + len(contents) - 1:#x}\rexit\r"


def modules_are_whole(control):
    """Require that the contents of badloader's modules are unchanged."""
    for start, end in badloader.MODULES:
        wanted = badloader.module_contents(start, end)
        require(control.memory(start, len(wanted)) == wanted, f"the module at {start:#x} has changed")


# The output of the command `pages` for a page of a module, within the RAM that is used and beyond it.
RESERVED = ("  pp_ref 1, pp_link says: reserved", "  belongs to: the loader's (see kerninfo)")
OUT_OF_REACH = (re.compile("0x[0-9a-f]+ is in no page of RAM that `pages` describes"),)
# Values that mem= refuses.
NO_SIZES = ("lots", "1T", "M", "", "+1M", "-1", "1MB", "0x1000000", "17179869184G")

FIRST, *_ = ARCH.boots
BOOTED = {boot: reading.read(Machine(boot.image)) for boot in ARCH.boots}


def sized(title, machine, lines, limit=None):
    """A test of a size of memory: the whole output, and the whole reading. RAM from `limit` (in K) on is unused."""
    machine = reading.read(machine, limit=limit and limit * 1024)
    return Test(f"memory: {title}", 5, machine, lines, whole=True, verdicts=SUBJECTS, tags=("memory",))


TESTS = [
    # JOS's four: the line of the kernel's own check, and what the reader finds in the machine.
    Test("Physical page allocator", 20, BOOTED[FIRST], CHECKS[1:2], verdicts=("frames",), tags=("jos",)),
    Test("Page management", 20, BOOTED[FIRST], CHECKS[2:3], verdicts=("counts",), tags=("jos",)),
    Test("Kernel page directory", 20, BOOTED[FIRST], CHECKS[3:4], verdicts=("map",), tags=("jos",)),
    Test("Page management 2", 10, BOOTED[FIRST], CHECKS[5:6], verdicts=("processor", "accesses"), tags=("jos",)),
    Test(
        "Free list, before and after kern_pgdir", 10, BOOTED[FIRST], (CHECKS[0], CHECKS[3], CHECKS[0]),
        verdicts=("frames", "counts"), tags=("boot",),
    ),
    # Two ways to boot, and memory sizes: the whole output, line by line.
    *(
        Test(
            f"boot: {boot.title}", 10, machine, boots(image=boot.image), whole=True, verdicts=SUBJECTS, tags=("boot",),
        )
        for boot, machine in BOOTED.items()
    ),
    sized("8M", Machine(memory="8M"), boots(8 * MB)),
    *(
        sized(name, Machine(FIRST.image, memory=name), boots(size))
        for name, size in (
            ("16M", 16 * MB), ("64M", 64 * MB), ("127M", 127 * MB), ("128M", 128 * MB),
            ("256M", 256 * MB), ("257M", 257 * MB), ("1G", 1024 * MB), ("5G", 5120 * MB),
        )
    ),
    sized("16G", Machine(memory="16G"), boots(16384 * MB)),
    Test(
        "memory: 5G, by pages of 1 GB", 5,
        reading.read(Machine(memory="5G", cpu="max", typed=("map\r", "checks\r", "exit\r"))),
        (
            *opening(5120 * MB), *CHECKS, *WELCOME, "0xffffff8000000000 RW/-- all physical memory",
            "  0xffffff8010000000-0xffffff80bffdffff -> 0x010000000 -rw-g 2883456 KB 4K-1G W",
            "  0xffffff8100000000-0xffffff817fffffff -> 0x100000000 -rw-g 2 GB 1G W", *CHECKS,
        ),
        verdicts=SUBJECTS, tags=("memory",), needs=(PC, PHYSMAP),
    ),
    sized(
        "1G, mem=256M as on JOS", Machine(memory="1G", words="mem=256M"), boots(1024 * MB, limit=256 * MB), 256 * MB,
    ),
    *(
        sized(
            f"1280M, mem={size}", Machine(memory="1280M", words=f"mem={size}"), boots(1280 * MB, limit=limit), limit,
        )
        for size, limit in (("1G", 1024 * MB), ("1048572k", 1024 * MB - 4))
    ),
    Test(
        "memory: mem= that is no size", 5, reading.read(Machine(words=" ".join(f"mem={word}" for word in NO_SIZES))),
        verdicts=SUBJECTS, lines=boots(before=tuple(
            f'warning: "mem={word}" ignored: mem= wants a size such as 64M, 256M or 2G' for word in NO_SIZES
        )),
        whole=True, tags=("memory",),
    ),
    # Boot modules.
    *(
        Test(
            f"modules: QEMU's -initrd, {memory}", 5,
            reading.read(Machine(memory=memory, options=("-initrd", MODULE), typed=("kerninfo\r", find_module))),
            (
                *opening(int(memory[:-1]) * MB), *CHECKS, *WELCOME,
                re.compile(rf"  {MODULE_NAME} at 0x[0-9a-f]+, {(ROOT / MODULE).stat().st_size} bytes"),
                *(RESERVED if int(memory[:-1]) * MB <= ARCH.limit else OUT_OF_REACH) * 2,
            ),
            verdicts=SUBJECTS, tags=("modules",),
        )
        for memory in ("32M", "1024M")  # within the window, and above it
    ),
    Test(
        "modules: a multiboot2 loader's, of odd sizes", 5,
        reading.read(Machine(
            at_entry=badloader.with_modules,
            typed=(
                modules_are_whole, "kerninfo\r", "memmap\r", "pages 0x804567\r", "pages 0x17fffff\r", "checks\r",
                modules_are_whole, "exit\r",
            ),
        )),
        (
            *CHECKS, *WELCOME, "Started by: multiboot2, badloader.py",
            "  module at 0x20fff, 1 bytes", "  module at 0x800123, 17477 bytes", "  module at 0x1000001, 8388607 bytes",
            re.compile("  module at 0x[123][0-9a-f]{2}000, 5 bytes"), "  module at 0x300000, 0 bytes",
            "What became of it:",
            f"  {span(0x2_0000, 0x2_0FFF)} the loader's (see kerninfo), 4 KB",
            re.compile(rf"  {span(0x2_1000, 0x9_EFFF)} page_alloc's: .*"),
            re.compile(rf"  {MB_1}\w{{2}}000-{MB_1}\w{{2}}fff kernel: data, .*"),
            re.compile(rf"  {MB_1}(\w{{2}})000-{MB_1}\1fff the loader's \(see kerninfo\), 4 KB"),
            re.compile(rf"  {MB_1}\w{{2}}000-{MB_1}\w{{2}}fff kern_pgdir, 4 KB"),
            f"  {span(0x80_0000, 0x80_4FFF)} the loader's (see kerninfo), 20 KB",
            f"  {span(0x80_5000, 0xFF_FFFF)} page_alloc's: 2043 free, 0 in use",
            f"  {span(0x100_0000, 0x17F_FFFF)} the loader's (see kerninfo), 8 MB",
            *RESERVED * 2, *CHECKS, "K> exit",
        ),
        verdicts=SUBJECTS, tags=("modules",), needs=(PC,),
    ),
    # Other boards, and other firmware.
    *(
        Test(f"board: {title}", 5, reading.read(machine), CHECKS + WELCOME, verdicts=SUBJECTS, tags=("board",))
        for title, machine in (
            ("q35, GRUB", Machine("grub", board="q35")), ("q35, PVH", Machine(board="q35")),
            ("microvm (no VGA, no keyboard)", Machine(board="microvm")),
        )
    ),
    Test("board: UEFI, GRUB", 5, UEFI, CHECKS + WELCOME, verdicts=SUBJECTS, tags=("board", "uefi")),
    Test(
        "board: UEFI, q35, GRUB", 5, reading.read(Machine("grub", board="q35", uefi=True, memory="1G", patience=3)),
        CHECKS + WELCOME, verdicts=SUBJECTS, tags=("board", "uefi"),
    ),
]
