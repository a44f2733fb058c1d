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
    """The contents of a picture of a machine."""

    layout: str  # the tool's name of it
    kernbase: str  # the beginning of the window's addresses: 7 digits follow
    upages: str  # where UPAGES begins
    withholds_x: bool  # whether its tables can withhold execution


MACHINE = {
    "x86_64": Machine("jos64", "0xfffffffff", "0xfffffe8000000000", True),
    "i386": Machine("jos32", "0xf", "0xef000000", False),
}[ARCH]
ROOT = Path(__file__).resolve().parents[2]
TOOL = str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/picture")
QEMU = [os.environ.get("QEMU") or f"qemu-system-{ARCH}", "-accel", "tcg", "-no-reboot", "-nic", "none",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
KERNEL = f"obj/{ARCH}/kernel"
PVH, GRUB = ["-kernel", KERNEL], ["-boot", "d", "-cdrom", f"obj/{ARCH}/jos.iso"]
MEMORY = "64M"  # so that dumps are small
FRAMES = 16352  # frames of such a machine on QEMU's PC
REGIONS = ["boot_map_region: window, below the kernel", "boot_map_region (2): window, kernel code",
           "boot_map_region (3): window, kernel constants", "boot_map_region (4): window, all else",
           "boot_map_region (5): kernel stack", "boot_map_region (6): pages array"]
FOLDER = tempfile.TemporaryDirectory(prefix="jos64-")
atexit.register(FOLDER.cleanup)


def perm(letters):
    """Permissions as this machine's pages show them, such as -rw-g."""
    return letters if MACHINE.withholds_x else letters[:3] + "x" + letters[4:]


def pictured(*wish, memory=MEMORY, boot=PVH):
    """The page of a machine in QEMU, made as the Makefile makes it."""
    page = Path(FOLDER.name, f"{'-'.join(wish)}.html".replace(":", "-"))
    capture.capture(TOOL, list(wish), page, [*QEMU, *boot, "-m", memory])
    return page


@functools.lru_cache(maxsize=None)
def film():
    """The page of all steps."""
    return pictured("film")


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
