#!/usr/bin/env python3
"""Measures the cost of booting in each way: `make bench-boot`, or tools/bench/boottime.py --help.

Runs kernel/examples/boot.rs. Instructions are counted by QEMU (-icount), so they are the same on every run; time
is from QEMU's start to the line that the application prints, and depends on the machine and on what else it does.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCH = os.environ.get("ARCH") or "x86_64"
OBJ = Path("obj", ARCH)
KERNEL, ISO = OBJ / "kernel", OBJ / "boot.iso"
OVMF = os.environ.get("OVMF") or "/usr/share/OVMF/OVMF_CODE_4M.fd"
LINE = re.compile(rb"boot: (\d+) since reset, (\d+) since entry, (\d+) KB in use")
UEFI = ("-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}")
QUICK, GRUB = ("-kernel", str(KERNEL), "-append", ""), ("-boot", "d", "-cdrom", str(ISO))
EXIT = ("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")

# The way; QEMU's machine; its arguments.
PC_WAYS = (
    ("PVH, microvm", "microvm", EXIT + QUICK),
    ("PVH, pc", "pc", EXIT + QUICK),
    ("PVH, q35", "q35", EXIT + QUICK),
    ("GRUB, BIOS, pc", "pc", EXIT + GRUB),
    ("GRUB, BIOS, q35", "q35", EXIT + GRUB),
    *([("GRUB, UEFI, pc", "pc", EXIT + UEFI + GRUB[2:])] if ARCH == "x86_64" else []),
)
RISCV_WAYS = (
    ("OpenSBI, virt", "virt", QUICK),
    ("bare, virt", "virt", ("-bios", str(OBJ / "bare.bin"), *QUICK)),
)
WAYS = RISCV_WAYS if ARCH == "riscv64" else PC_WAYS


def boot(qemu, board, arguments, counted, timeout):
    """Boot once; returns the seconds until the line with the figures, and its three numbers."""
    command = [qemu, "-accel", "tcg", "-machine", board, "-m", "256M", "-no-reboot", "-nic", "none"]
    command += ["-display", "none", "-serial", "stdio", "-monitor", "none"]
    command += arguments
    command += ["-icount", "shift=0,sleep=off"] if counted else []
    start = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as run:
        end = threading.Timer(timeout, run.kill)
        end.start()
        try:
            output = b""
            while not (found := LINE.search(output)):
                chunk = run.stdout.read1()
                if not chunk:
                    sys.exit(f"boottime.py: no line from: {' '.join(command)}\n{output.decode(errors='replace')}")
                output += chunk
            return time.monotonic() - start, [int(number) for number in found.groups()]
        finally:
            end.cancel()
            run.kill()


def file_size(path):
    """A file's size in KB; an ELF file's without debugging information."""
    if path != KERNEL:
        return (ROOT / path).stat().st_size / 1024
    stripped = ROOT / OBJ / "boot.stripped"
    strip = "riscv64-linux-gnu-strip" if ARCH == "riscv64" else "strip"
    subprocess.run([strip, "-o", stripped, ROOT / path], check=True)
    return stripped.stat().st_size / 1024


def main():
    """Run the program."""
    parser = argparse.ArgumentParser(description="Measure what booting takes, each way.")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="time each way N times (5)")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the ways whose names have this text in them")
    options = parser.parse_args()
    ways = [way for way in WAYS if options.only.lower() in way[0].lower()]
    if options.runs < 1 or not ways:
        parser.error("nothing to do" if ways else f"no such way; there are: {'; '.join(way[0] for way in WAYS)}")
    qemu = os.environ.get("QEMU") or f"qemu-system-{ARCH}"
    print(f"{'':15} {'instructions':>14} {'of them the':>11} {'ms to the line':>16} {'image':>6} {'RAM':>6}")
    print(f"{'way':15} {'reset to main':>14} {'kernel':>11} {'median (range)':>16} {'KB':>6} {'KB':>6}")
    for name, board, arguments in ways:
        _, (since_reset, since_entry, in_use) = boot(qemu, board, arguments, True, 120)
        times = [1000 * boot(qemu, board, arguments, False, 60)[0] for _ in range(options.runs)]
        spread = f"{statistics.median(times):.0f} ({min(times):.0f}..{max(times):.0f})"
        size = file_size(ISO if str(ISO) in arguments else KERNEL)
        print(f"{name:15} {since_reset:14,} {since_entry:11,} {spread:>16} {size:6.0f} {in_use:6}", flush=True)


if __name__ == "__main__":
    main()
