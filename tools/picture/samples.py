"""Sample pages for the tests: of machines in QEMU, made as the Makefile makes them, and of simulated ones.

The machine in QEMU is the one that ARCH names, in the environment.
"""

import atexit
import functools
import json
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import capture

ARCH = os.environ.get("ARCH") or "x86_64"


class Machine(NamedTuple):
    """The contents of a picture of a machine, and how it is started."""

    layout: str  # the tool's name of it
    kernbase: str  # the beginning of the window's addresses: 7 digits follow
    upages: str  # where UPAGES begins
    withholds_x: bool  # whether its tables can withhold execution
    base: int  # where RAM and the frames begin
    image: int  # the kernel's place in it
    below_image: int  # the bytes of the first run of pages in the window
    frames: int  # frames that `pages` describes with 64 MB of RAM
    frames_256m: int  # with 256 MB
    self_map: list  # the step that enters the root in itself, if there is one
    devices: int  # the calls that map devices
    first: str  # the owner of the first frame, as a pattern
    has_programs: bool
    options: list  # QEMU's
    second_boot: list  # another way to boot than by -kernel alone
    too_little: dict  # a machine without room for mem_init, as pictured() takes it


ROOT = Path(__file__).resolve().parents[2]
KERNEL = f"obj/{ARCH}/kernel"
IS_PC = {
    "base": 0, "image": 1 << 20, "below_image": 1 << 20, "frames": 16352, "frames_256m": 65504, "devices": 0,
    "self_map": ["self-map at UVPT"], "first": r"(reserved, devices|boot information) \(.*\)",
    "options": ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
    "has_programs": True,
    "second_boot": ["-boot", "d", "-cdrom", f"obj/{ARCH}/jos.iso"],
    "too_little": {"memory": "3584K"},
}
MACHINE = {
    "x86_64": Machine("jos64", "0xfffffffff", "0xfffffe8000000000", True, **IS_PC),
    "i386": Machine("jos32", "0xf", "0xef000000", False, **IS_PC),
    "riscv64": Machine(
        "jossv39", "0xfffffffff", "0xfffffffb40000000", True, base=0x8000_0000, image=2 << 20, below_image=2 << 20,
        frames=16384, frames_256m=65536, self_map=[], devices=5, first=r"reserved, devices \(.*\)",
        has_programs=False, options=["-machine", "virt"], second_boot=["-bios", "obj/riscv64/bare.bin", "-kernel", KERNEL],
        too_little={"boot": ["-kernel", KERNEL, "-append", "mem=3M"]}),  # QEMU itself refuses less than 5 MB
}[ARCH]
TOOL = str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/picture")
QEMU = [os.environ.get("QEMU") or f"qemu-system-{ARCH}", "-accel", "tcg", "-no-reboot", "-nic", "none",
        *MACHINE.options]
QUICK = ["-kernel", KERNEL]
MEMORY = "64M"  # so that dumps are small
REGIONS = ["boot_map_region: window, below the kernel", "boot_map_region (2): window, kernel code",
           "boot_map_region (3): window, kernel constants", "boot_map_region (4): window, all else",
           "boot_map_region (5): kernel stack", "boot_map_region (6): pages array",
           *(f"boot_map_region ({7 + i}): memory-mapped devices" for i in range(MACHINE.devices))]
FOLDER = tempfile.TemporaryDirectory(prefix="jos64-")
atexit.register(FOLDER.cleanup)


def perm(letters):
    """Permissions as this machine's pages show them, such as -rw-g."""
    return letters if MACHINE.withholds_x else letters[:3] + "x" + letters[4:]


def pictured(*wish, memory=MEMORY, boot=None):
    """The page of a machine in QEMU, made as the Makefile makes it."""
    page = Path(FOLDER.name, f"{'-'.join(wish)}.html".replace(":", "-"))
    capture.capture(TOOL, list(wish), page, [*QEMU, *(boot or QUICK), "-m", memory])
    return page


@functools.lru_cache(maxsize=None)
def film():
    """The page of all steps."""
    return pictured("film")


@functools.lru_cache(maxsize=None)
def environments():
    """The page of a PC with three environments or more, which share memory copy-on-write: the first of them ends."""
    return pictured("step", "env_free", boot=[*QUICK, "-append", "run=forktree", "-icount", "shift=0,sleep=off"])


@functools.lru_cache(maxsize=None)
def simulated(machine):
    """The page of a simulated machine."""
    return drawn(machine, json.loads(capture.run([TOOL, "sim", machine])))


def drawn(name, shot):
    """The page of one shot."""
    shot_file, page = Path(FOLDER.name, f"{name}.json"), Path(FOLDER.name, f"{name}.html")
    shot_file.write_text(json.dumps(shot))
    page.write_bytes(capture.run([TOOL, "draw", str(shot_file)]))
    return page


def data(page):
    """The data in a page for its script."""
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text())[1])
