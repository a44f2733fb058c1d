#!/usr/bin/env python3
"""Runs QEMU for the Makefile: passes signals on to it, and says in words how it ended.

usage: runqemu.py LOG HINT QEMU ARGUMENT...

LOG is the file into which QEMU logs resets (-d cpu_reset -D LOG), HINT advice for a QEMU that fails, perhaps empty.
QEMU has the terminal as its own. SIGTERM, SIGHUP and SIGINT go to QEMU, so that whoever ends make's child alone (graders
do) leaves no QEMU behind. The status is 0 if the kernel reports success or the user left QEMU, and 1 otherwise.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# QEMU's status is twice the value that the kernel writes to isa-debug-exit, plus one. It is 0 if the user leaves QEMU by
# Ctrl-a x, and also after a triple fault, of which only the log tells.
SUCCESS, FAILURE, LEFT = 33, 35, 0


def run(command):
    """Runs a command, and returns its status and the signals that came meanwhile and were passed on."""
    child, received = None, []

    def pass_on(number, _frame):
        received.append(number)
        if child:
            child.send_signal(number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    child = subprocess.Popen(command)
    for number in received:  # while it started
        child.send_signal(number)
    return child.wait(), received


def complaint(status, log, command, hint):
    """The complaint about a run with this status, or None."""
    if has_triple_fault(log):
        # A microvm has no other way to reset itself, so the monitor's reboot ends so too.
        typed = " (or reboot was typed)" if any(word.split(",")[0] == "microvm" for word in command) else ""
        return f"triple fault: the processor could not deliver an exception{typed}; its state: {log}"
    if status in (SUCCESS, LEFT):
        return None
    if status == FAILURE:
        return f"the kernel ended with a failure (QEMU status {FAILURE}); the lines above say why"
    if status < 0:
        return f"QEMU was ended by a signal ({signal.Signals(-status).name})"
    return f"QEMU ended with status {status}, and says why above{hint}"


def has_triple_fault(log):
    """Whether QEMU has logged a triple fault."""
    try:
        return any(line.startswith(b"Triple fault") for line in log.read_bytes().splitlines())
    except OSError:  # No reset was logged.
        return False


def main(log, hint, *command):
    """Runs the program; returns its status."""
    log = Path(log)
    log.unlink(missing_ok=True)
    try:
        status, received = run(command)
    except FileNotFoundError:
        said = f"there is no {command[0]} to run: QEMU=PROGRAM names another"
    except OSError as error:
        said = f"{command[0]} cannot be run ({error.strerror}): QEMU=PROGRAM names another"
    else:
        if received:  # End as a program without a handler does, so that make sees the signal.
            signal.signal(received[0], signal.SIG_DFL)
            os.kill(os.getpid(), received[0])
        said = complaint(status, log, command, hint)
    if said:
        print(f"*** {said}", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__.split("\n\n")[1])
    sys.exit(main(*sys.argv[1:]))
