#!/usr/bin/env python3
"""Runs the kernel in QEMU, stops it with gdb, and draws the contents of its memory.

usage: capture.py TOOL (prompt | step STEP | film) PAGE -- QEMU OPTIONS...

TOOL is the program of tools/picture, PAGE the file to write. `make picture` and `make film` call this. gdb runs
tools/picture/shots.py, which does the stopping; what it finds becomes one page here.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 180  # the limit for a picture or film; a film takes about ten


class Failed(Exception):
    """Raised if there is no picture, with the reason."""


def capture(tool, wish, page, command):
    """Runs the machine and writes the page."""
    with tempfile.TemporaryDirectory(prefix="jos64-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        deadline = time.monotonic() + SECONDS
        qemu = start(stack, qemu_command(command, folder), folder / "qemu.txt")
        wait_for(folder / "gdb", qemu, folder, deadline)
        (folder / "wish.json").write_text(json.dumps({"tool": tool, "wish": wish}))
        gdb = start(stack, gdb_command(folder), folder / "gdb.txt")
        try:
            gdb.wait(deadline - time.monotonic())
        except subprocess.TimeoutExpired:
            raise Failed(f"no picture after {SECONDS} s; {serial_says(folder)}") from None
        if (folder / "problem.json").exists():
            told = json.loads((folder / "problem.json").read_text())
            raise Failed(told["problem"] + (f"; {serial_says(folder)}" if told["ended"] else ""))
        shots = sorted(folder.glob("shot-*.json"))
        if gdb.returncode or not shots:
            raise Failed(f"gdb failed (status {gdb.returncode}):\n{tail(folder / 'gdb.txt')}")
        html = run([tool, "draw", *map(str, shots)])
        Path(page).write_bytes(html)
        return len(shots)


def qemu_command(command, folder):
    """QEMU, halted at reset, with its gdb server on a socket and its serial line in a file."""
    return [*command, "-S", "-display", "none", "-monitor", "none", "-serial", f"file:{folder}/serial.txt",
            "-chardev", f"socket,id=gdb,path={folder}/gdb,server=on,wait=off", "-gdb", "chardev:gdb"]


def gdb_command(folder):
    """The gdb command for that machine, like that of `make gdb`."""
    lines = (ROOT / ".gdbinit.tmpl").read_text().replace("localhost:1234", f"{folder}/gdb")
    (folder / "script").write_text(f"{lines}\nsource tools/picture/shots.py\n")
    return ["sh", "-c", 'exec "$(command -v gdb-multiarch || echo gdb)" "$@"', "gdb",
            "-q", "-n", "-batch", "-x", str(folder / "script")]


def start(stack, command, log):
    """Starts a process in a group of its own, and ends the group on exit."""
    environment = {**os.environ, "JOS_PICTURE": str(log.parent)}
    with open(log, "wb") as output:
        try:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True, env=environment)
        except FileNotFoundError:
            raise Failed(f"there is no {command[0]}: install it, or name another with QEMU=") from None
    stack.callback(stop, process)
    return process


def stop(process):
    """Ends a process and its children."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(path, qemu, folder, deadline):
    """Waits until QEMU has made its socket."""
    while not path.exists():
        if qemu.poll() is not None:
            raise Failed(f"QEMU did not start (status {qemu.returncode}):\n{tail(folder / 'qemu.txt')}")
        if time.monotonic() > deadline:
            raise Failed(f"QEMU made no socket for gdb in {SECONDS} s")
        time.sleep(0.02)


def serial_says(folder):
    """The last lines of the serial output, which show a panic."""
    lines = tail(folder / "serial.txt", 25)
    return f"the machine's last lines:\n{lines}" if lines else "the machine printed nothing"


def tail(path, count=12):
    """The last lines of a file."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""


def run(command):
    """The output of a command."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise Failed(done.stderr.decode(errors="replace").strip())
    return done.stdout


def main(words):
    """Runs the program, with the words of the command line."""
    end = words.index("--") if "--" in words else len(words)
    own, command = words[:end], words[end + 1 :]
    if len(own) < 3 or not command:
        sys.exit(__doc__.split("\n\n")[1])
    tool, *wish, page = own
    try:
        count = capture(tool, wish, page, command)
    except Failed as problem:
        sys.exit(f"picture: {problem}")
    print(f"{page}: {count} picture{'s' if count > 1 else ''}, {Path(page).stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
