"""Tests of runqemu.py, with a Python program in QEMU's place."""

import os
import pty
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).with_name("runqemu.py")


class RunQemu(unittest.TestCase):
    """Each test runs the tool on a program of a few lines."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name, "qemu.log")

    def command(self, program, *arguments, hint=""):
        """The command that runs a program in QEMU's place."""
        return [TOOL, self.log, hint, sys.executable, "-c", program, *arguments]

    def said(self, command):
        """The status and the words of a run."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "")
        return done.returncode, done.stderr

    def exits(self, status, *arguments, **more):
        """The status and the words of a run of a program that ends with a status."""
        return self.said(self.command(f"import sys; sys.exit({status})", *arguments, **more))

    def test_success_and_leaving_are_silent(self):
        for status in (33, 0):
            self.assertEqual(self.exits(status), (0, ""))

    def test_failure_is_told_from_errors_of_qemu(self):
        status, words = self.exits(35)
        self.assertEqual(status, 1)
        self.assertEqual(words, "*** the kernel ended with a failure (QEMU status 35); the lines above say why\n")
        status, words = self.exits(1, hint="; try this")
        self.assertEqual((status, words), (1, "*** QEMU ended with status 1, and says why above; try this\n"))

    def test_a_program_that_does_not_exist_or_run(self):
        self.assertEqual(self.said([TOOL, self.log, "", "no-such-qemu"]),
                         (1, "*** there is no no-such-qemu to run: QEMU=PROGRAM names another\n"))
        status, words = self.said([TOOL, self.log, "", "/"])
        self.assertEqual(status, 1)
        self.assertRegex(words, r"^\*\*\* / cannot be run \(.+\): QEMU=PROGRAM names another\n$")

    def test_a_death_by_a_signal(self):
        status, words = self.said(self.command("import os; os.kill(os.getpid(), 9)"))
        self.assertEqual((status, words), (1, "*** QEMU was ended by a signal (SIGKILL)\n"))

    def test_a_triple_fault_is_read_from_the_log(self):
        fault = f"open({str(self.log)!r}, 'w').write('CPU Reset (CPU 0)\\nTriple fault\\nEAX=0')"
        words = f"*** triple fault: the processor could not deliver an exception; its state: {self.log}\n"
        self.assertEqual(self.said(self.command(fault)), (1, words))
        words = words.replace(";", " (or reboot was typed);")
        self.assertEqual(self.said(self.command(fault, "-machine", "microvm,rtc=on")), (1, words))

    def test_the_log_of_an_earlier_run_does_not_count(self):
        self.log.write_text("Triple fault\n")
        self.assertEqual(self.exits(33), (0, ""))
        self.log.write_text("Triple fault\n")
        self.assertEqual(self.exits(35)[1].count("triple"), 0)

    def test_a_log_without_a_triple_fault(self):
        reset = f"open({str(self.log)!r}, 'w').write('CPU Reset (CPU 0)\\nNo Triple fault\\n'); import sys; sys.exit(33)"
        self.assertEqual(self.said(self.command(reset)), (0, ""))

    def test_signals_are_passed_on(self):
        waits = (
            "import signal, sys\n"
            "def end(number, _): print('got', number, flush=True); sys.exit(0)\n"
            "for number in (1, 2, 15): signal.signal(number, end)\n"
            "signal.alarm(60)\n"
            "print('ready', flush=True)\n"
            "signal.pause()"
        )
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with subprocess.Popen(self.command(waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as run:
                self.addCleanup(run.kill)
                self.assertEqual(run.stdout.readline(), "ready\n")
                run.send_signal(number)  # to it alone, not to its group
                # Its output ends when all have ended that have it open.
                said, words = run.communicate(timeout=60)
            self.assertEqual((said, words, run.returncode), (f"got {int(number)}\n", "", -number))

    def test_input_is_the_callers(self):
        reads = "import sys; sys.exit(33 if sys.stdin.readline() == 'typed\\n' and {} sys.stdin.isatty() else 1)"
        piped = subprocess.run(self.command(reads.format("not")), input="typed\n", text=True, timeout=60)
        self.assertEqual(piped.returncode, 0)
        ours, theirs = pty.openpty()
        with subprocess.Popen(self.command(reads.format("")), stdin=theirs) as run:
            os.close(theirs)
            os.write(ours, b"typed\n")
            self.assertEqual(run.wait(60), 0)
        os.close(ours)


if __name__ == "__main__":
    unittest.main()
