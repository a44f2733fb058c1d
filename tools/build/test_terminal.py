"""Tests of the machine that make runs in a terminal: its keys reach the kernel, and no QEMU stays behind.

Graders end QEMU by a signal to make, or to make's child alone.
"""

import fcntl
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/grade"))

from processes import children, is_running  # noqa: E402 (found by the line above)

TIMEOUT = 120
# Variables that a calling make may have set; the tests run without them.
OUTER = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CMDLINE")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in OUTER}


def listens(port):
    """Whether a server waits at a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("localhost", port)) == 0


class Waiting(unittest.TestCase):
    """`make qemu-nox-gdb`, as a grader starts and ends it, and as `make gdb` finds it."""

    def start(self, *words):
        """Starts it, waits until its machine waits for gdb; returns it, make's child, QEMU and the port."""
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        made = subprocess.Popen(
            ["make", "-s", "--no-print-directory", "qemu-nox-gdb", "BOOT=pvh", f"GDBPORT={port}", *words],
            cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        self.addCleanup(made.communicate)
        self.addCleanup(made.kill)
        line = ""
        while not line.startswith("*** QEMU waits at reset"):
            line = made.stdout.readline()
            self.assertTrue(line, "make ended early")
        deadline = time.monotonic() + TIMEOUT
        while not listens(port):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        (child, _), = children(made.pid)
        (qemu, name), = children(child)
        self.assertRegex(name, "^qemu-system")
        self.addCleanup(lambda: is_running(qemu) and os.kill(qemu, signal.SIGKILL))
        return made, child, qemu, port

    def ended_by(self, number, to):
        """A signal to make or to its child ends both, and QEMU."""
        made, child, qemu, _ = self.start()
        os.kill({"make": made.pid, "child": child}[to], number)
        # The output ends when all have ended that write to it.
        made.communicate(timeout=TIMEOUT)
        self.assertNotEqual(made.returncode, 0)
        self.assertFalse(is_running(child))
        self.assertFalse(is_running(qemu))

    def test_a_signal_to_its_child_ends_qemu(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self.ended_by(number, "child")

    def test_sigterm_to_make_ends_qemu(self):
        # make passes on no other signal.
        self.ended_by(signal.SIGTERM, "make")

    def test_make_gdb_finds_the_machine_that_waits(self):
        # Each is another machine than the one of the kernel that was built last, and in the environment.
        for arch, other, mem_init in (("i386", "x86_64", "0xf01....."), ("x86_64", "i386", "0xfffffffff01.....")):
            made, _, _, port = self.start(f"ARCH={arch}")
            subprocess.run(["make", "-s", f"ARCH={other}"], cwd=ROOT, env=ENVIRONMENT, check=True)
            said = subprocess.run(
                ["make", "-s", "gdb", f"GDBPORT={port}", f"ARCH={other}"], cwd=ROOT, env=ENVIRONMENT, timeout=TIMEOUT,
                input="print/x $pc\nkill\n", text=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ).stdout
            self.assertRegex(said, "Temporary breakpoint 1, .*mem_init")
            self.assertRegex(said, rf"\$1 = {mem_init}\n")
            made.communicate(timeout=TIMEOUT)


class Typing(unittest.TestCase):
    """`make qemu-nox` in a terminal."""

    def setUp(self):
        self.terminal, theirs = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        self.made = subprocess.Popen(
            ["make", "-s", "--no-print-directory", "qemu-nox", "BOOT=pvh"], cwd=ROOT, env=ENVIRONMENT, stdin=theirs,
            stdout=theirs, stderr=theirs, start_new_session=True,
            # Keys such as Ctrl-C make signals for the processes of the session that the terminal controls.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.addCleanup(self.stop)

    def stop(self):
        """Ends what runs in the terminal."""
        if self.made.poll() is None:
            os.killpg(self.made.pid, signal.SIGKILL)
        self.made.wait()

    def read_to(self, text):
        """Reads the terminal up to a text."""
        said, deadline = b"", time.monotonic() + TIMEOUT
        while not said.endswith(text):
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(ready, said)
            said += os.read(self.terminal, 1)
        return said

    def test_ctrl_c_is_the_kernels(self):
        self.read_to(b"K> ")
        os.write(self.terminal, b"help\x03")
        self.read_to(b"K> ")
        os.write(self.terminal, b"exit\r")
        self.assertEqual(self.made.wait(TIMEOUT), 0)

    def test_ctrl_a_x_leaves(self):
        self.read_to(b"K> ")
        os.write(self.terminal, b"\x01x")
        self.assertEqual(self.made.wait(TIMEOUT), 0)


if __name__ == "__main__":
    unittest.main()
