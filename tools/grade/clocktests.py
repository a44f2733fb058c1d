"""The graded tests of the clock: they compare the guest's time with the host's, while QEMU is repeatedly stopped.

The host records the time before it asks for the uptime and after it gets the answer, so that the guest's time must lie
between two times of the host, however busy the host is.
"""

import re
import signal
import threading
import time

from arch import ARCH
from control import require
from gdbstub import CPU
from gradelib import Machine, Test
from words import CHECKS, WELCOME

UP = re.compile(rb"up (\d+):(\d\d):(\d\d\.\d\d\d)\r?\n")
TOLERANCE = 0.02
# Seconds for which QEMU is stopped and runs, in turn: a stop is a little longer than the timer chip's period (55 ms).
STOPPED, RUNNING = 0.06, 0.005
BEFORE_ENTRY = 1.0  # seconds that the machine runs before the kernel starts


class Comparison:
    """A comparison of the guest's time with the host's. Machine calls its methods, in this order."""

    def __init__(self, title, seconds, board=""):
        self.seconds = seconds
        typed = (self.disturb, "uptime\r", self.wait, "uptime\r", self.compare, "exit\r")
        machine = Machine(board=board, at_entry=self.enter_late, typed=typed)
        self.test = Test(f"clock: {title}", 5, machine, (*CHECKS, *WELCOME, "K> exit"), tags=("clock",))

    def enter_late(self, stub, symbols):
        """Make the machine wait before the kernel's first instruction, in a jump to itself."""
        entry = symbols[ARCH.boot("kernel").entry]
        stub.run_to(entry)
        code = stub.read_memory(entry, len(CPU.forever))
        stub.write_memory(entry, CPU.forever)
        stub.run_for(BEFORE_ENTRY)
        stub.write_memory(entry, code)
        stub.write("ip", entry)
        self.entered = time.monotonic()

    def disturb(self, control):
        """Start stopping QEMU repeatedly. The kernel measures its clock when it is first asked for the time."""
        self.asked = time.monotonic()
        self.enough = threading.Event()
        self.stops = threading.Thread(target=self.stop_often, args=(control,), daemon=True)
        self.stops.start()

    def stop_often(self, control):
        """Stop QEMU repeatedly until there is an answer, or QEMU has ended."""
        while not self.enough.is_set() and control.qemu.poll() is None:
            control.qemu.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED)
            control.qemu.send_signal(signal.SIGCONT)
            time.sleep(RUNNING)

    def wait(self, _control):
        """Let the compared time pass, without stops."""
        self.enough.set()
        self.stops.join()
        self.answered = time.monotonic()
        time.sleep(self.seconds)
        self.asked_again = time.monotonic()

    def compare(self, control):
        """Check the guest's two answers."""
        ups = [int(up[1]) * 3600 + int(up[2]) * 60 + float(up[3]) for up in UP.finditer(control.output)]
        require(len(ups) == 2, f"{len(ups)} answers to uptime, not 2")
        least, most = self.asked_again - self.answered, time.monotonic() - self.asked
        gone = ups[1] - ups[0]
        fair = least * (1 - TOLERANCE) <= gone <= most * (1 + TOLERANCE)
        require(fair, f"{gone:.3f} s have gone by in the guest, {least:.3f} to {most:.3f} s on the host")
        age = self.answered - self.entered
        young = ups[0] <= age * (1 + TOLERANCE)
        require(young, f"the kernel says it is {ups[0]:.3f} s old, and has run for {age:.3f} s")


TESTS = [
    Comparison("ten seconds, measured while QEMU is stopped", 10).test,
    Comparison("microvm, measured while QEMU is stopped", 1, "microvm").test,
]
