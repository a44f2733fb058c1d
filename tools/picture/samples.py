"""Sample pages for the tests: of machines in QEMU, made as the Makefile makes them, and of simulated ones."""

import atexit
import functools
import json
import os
import re
import tempfile
from pathlib import Path

import capture

ROOT = Path(__file__).resolve().parents[2]
TOOL = str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/picture")
QEMU = [os.environ.get("QEMU") or "qemu-system-x86_64", "-accel", "tcg", "-no-reboot", "-nic", "none",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
PVH, GRUB = ["-kernel", "obj/x86_64/kernel"], ["-boot", "d", "-cdrom", "obj/x86_64/jos.iso"]
MEMORY = "64M"  # so that dumps are small
FRAMES = 16352  # frames of such a machine on QEMU's PC
REGIONS = ["boot_map_region: window, below the kernel", "boot_map_region (2): window, kernel code",
           "boot_map_region (3): window, kernel constants", "boot_map_region (4): window, all else",
           "boot_map_region (5): kernel stack", "boot_map_region (6): pages array"]
FOLDER = tempfile.TemporaryDirectory(prefix="jos64-")
atexit.register(FOLDER.cleanup)


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
