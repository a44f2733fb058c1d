"""Runs the machines of gradelib.py in QEMU: types at their prompts, watches how they end, leaves no process behind.

QEMU starts halted and connects to sockets of this program, so that no event is missed and nothing waits for a fixed
time. The serial line is QEMU's standard input and output.
"""

import contextlib
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import vscode
from arch import ARCH
from control import Control, Refused
from elf import Image
from gdbstub import Stub
from gradelib import Run

# More than any good run prints; a kernel that prints without end is stopped before it fills the host's memory.
OUTPUT_LIMIT = 1 << 22


class RunError(Exception):
    """Raised if a run is invalid, with the reason."""


@dataclass
class Bench:
    """The surroundings in which machines run."""

    root: Path  # of the project; the working directory of every process
    qemu: str
    images: dict  # Machine.image -> path below the root
    ovmf: str = "/usr/share/OVMF/OVMF_CODE_4M.fd"  # UEFI firmware for QEMU
    stop: threading.Event = field(default_factory=threading.Event)  # set: all runs end at once

    def command(self, machine):
        """The QEMU command by which a user can repeat a run, as a list of arguments."""
        arguments = [machine.qemu or self.qemu, "-accel", "tcg", "-m", machine.memory, "-no-reboot", "-nic", "none"]
        arguments += ["-device", ARCH.exit_device.format(port=machine.exit_port)] if ARCH.exit_device else []
        board = machine.board or ARCH.board
        arguments += ["-machine", board] if board else []
        arguments += ["-drive", f"if=pflash,format=raw,readonly=on,file={self.ovmf}"] if machine.uefi else []
        arguments += ["-cpu", machine.cpu] if machine.cpu else []
        arguments += machine.options
        path = str(self.images[machine.image])
        if machine.image.startswith("grub"):
            return arguments + ["-boot", "d", "-cdrom", path]
        if machine.image == "bare":
            arguments, path = arguments + ["-bios", path], str(self.images["kernel"])
        return arguments + ["-kernel", path, "-append", machine.words]

    def symbols(self):
        """The kernel's symbols: name -> address."""
        return Image(self.root / self.images["kernel"]).symbols


def run_machine(machine, bench, timeout):
    """Run a machine to its end, or for `timeout` seconds; never leaves a process behind."""
    run = Run(bench.command(machine))
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jos64-") as folder, contextlib.ExitStack() as stack:
        try:
            session = Session(machine, bench, run, Path(folder), start + timeout, stack)
            (machine.conduct or Session.go)(session)
        except (TimeoutError, socket.timeout):  # They are one class from Python 3.10 on.
            run.problem = f"no end after {timeout:g} s"
        except (RunError, Refused) as error:
            run.problem = str(error)
        except Exception as error:  # also of a test's function that met what it did not expect
            run.problem = f"{type(error).__name__}: {error}"
    run.seconds = time.monotonic() - start
    return run


class Session:
    """The processes and sockets of one run."""

    def __init__(self, machine, bench, run, folder, deadline, stack):
        self.machine, self.bench, self.run = machine, bench, run
        self.folder, self.deadline, self.stack = folder, deadline, stack
        self.typed = list(machine.typed)
        self.typing = b""  # the part of the current text that QEMU has not accepted yet
        self.seen = 0  # the length of the output when something was last typed
        self.control = None

    def go(self):
        """The whole run."""
        control_listener = self.listen("qmp")
        command = self.run.command + ["-display", "none", "-serial", "stdio", "-monitor", "none", "-S"]
        command += ["-qmp", f"unix:{self.folder}/qmp,server=off"]
        if self.machine.at_entry:
            stub_listener = self.listen("gdb")
            command += ["-chardev", f"socket,id=gdb,path={self.folder}/gdb,server=off", "-gdb", "chardev:gdb"]
        elif self.machine.gdb:
            command += ["-chardev", f"socket,id=gdb,path={self.folder}/gdb,server=on,wait=off", "-gdb", "chardev:gdb"]
        self.start_qemu(command)
        try:
            connection = self.accept(control_listener)
            self.control = Control(connection, self.folder, self.left, self.qemu, self.run.output, self.bench)
            self.run.verdicts = self.control.verdicts
            self.control.send("qmp_capabilities")
            if self.machine.at_entry:
                connection = self.accept(stub_listener)
                stub = Stub(connection, self.left)
                self.machine.at_entry(stub, self.bench.symbols())
                stub.detach()
            elif self.machine.gdb:
                self.start_gdb()
            else:
                self.control.send("cont")
            self.talk()
        finally:
            self.stop(self.qemu)
            self.run.errors = self.errors.read_text(errors="replace") if self.errors.exists() else ""
            self.note_events()

    def listen(self, name):
        """A listening socket in the run's folder."""
        listener = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(self.folder / name))
        listener.listen(1)
        return listener

    def accept(self, listener):
        """QEMU's connection to a listening socket; RunError if QEMU ends before."""
        while not select.select([listener], [], [], 0.1)[0]:
            self.left()
            if self.qemu.poll() is not None:
                text = self.errors.read_text(errors="replace").strip()
                raise RunError(f"QEMU did not start (status {self.qemu.returncode}): {text}")
        return self.stack.enter_context(listener.accept()[0])

    def start_qemu(self, command):
        """Start QEMU in a process group of its own, so that the whole of it can be ended."""
        self.errors = self.folder / "errors"
        with open(self.errors, "wb") as errors:
            self.qemu = subprocess.Popen(
                command, cwd=self.bench.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True,
            )
        os.set_blocking(self.qemu.stdin.fileno(), False)
        self.stack.callback(self.stop, self.qemu)

    def start_gdb(self):
        """Start gdb on the machine, by the .gdbinit that users get, or as Visual Studio Code does."""
        if self.machine.vscode:
            script = vscode.gdb_script(self.bench.root, self.machine.vscode, f"{self.folder}/gdb")
            # The kernel that was built last need not be that of this machine.
            script = script.replace("obj/kern/kernel", str(self.bench.images["kernel"]))
        else:
            script = (self.bench.root / ".gdbinit.tmpl").read_text().replace("localhost:1234", f"{self.folder}/gdb")
        script = "set pagination off\nset confirm off\n" + script + "\n".join((*self.machine.gdb, "detach", "quit"))
        (self.folder / "script").write_text(script)
        self.gdb_log = self.folder / "gdb.log"
        with open(self.gdb_log, "wb") as log:
            self.gdb = subprocess.Popen(
                [shutil.which("gdb-multiarch") or "gdb", "-q", "-n", "-batch", "-x", str(self.folder / "script")],
                cwd=self.bench.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        self.stack.callback(self.stop, self.gdb)

    def talk(self):
        """Collect the serial output and answer every prompt, until QEMU ends."""
        output, control = self.qemu.stdout, self.control
        watched = [output, control]
        while watched:
            if self.machine.gdb and self.gdb.poll():  # After an error in gdb's commands the machine would wait forever.
                raise RunError("gdb failed; the last lines of what it printed say why")
            keyboard = [self.qemu.stdin] if self.typing else []
            ready, writable, _ = select.select(watched, keyboard, [], min(self.left(), 0.2))
            if writable:
                self.type_on()
            if control in ready:
                if not control.receive():
                    watched.remove(control)
            if output in ready:
                data = os.read(output.fileno(), 65536)
                self.run.output += data
                if not data:
                    watched.remove(output)
                if len(self.run.output) > OUTPUT_LIMIT:
                    raise RunError(f"more than {OUTPUT_LIMIT} bytes of output")
                self.answer()
        self.run.status = self.qemu.wait(self.left())
        if self.machine.gdb:
            self.gdb.wait(self.left())
            self.run.gdb_output = self.gdb_log.read_text(errors="replace")

    def answer(self):
        """Type the next text, or call the next function, if the output ends with a new prompt."""
        output, prompts = self.run.output, self.machine.prompt
        prompts = (prompts,) if isinstance(prompts, str) else prompts
        # Where the prompt starts, if it is there; a line must start here.
        starts = [len(output) - len(prompt) for prompt in prompts if output.endswith(prompt.encode())]
        if not any(output[start - 1 : start] in (b"\n", b"") and start >= self.seen for start in starts):
            return
        while self.typed:
            self.seen = len(self.run.output)
            words = self.typed.pop(0)
            if not callable(words):
                self.typing += words.encode("latin-1")
                return
            said = words(self.control)
            self.typing += said.encode("latin-1") if isinstance(said, str) else b""
            if said:
                return

    def type_on(self):
        """Type as much as QEMU accepts now: a long line is typed in pieces, while its echo is read."""
        try:
            self.typing = self.typing[os.write(self.qemu.stdin.fileno(), self.typing) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.typing = b""

    def note_events(self):
        """Find the reason of a shutdown among QMP's messages, and keep gdb's output."""
        for message in self.control.messages if self.control else ():
            if message.get("event") == "SHUTDOWN":
                self.run.shutdown = message["data"].get("reason", "unknown")
        if self.machine.gdb and not self.run.gdb_output and hasattr(self, "gdb_log"):
            self.run.gdb_output = self.gdb_log.read_text(errors="replace")

    def left(self):
        """Seconds until the deadline; TimeoutError if it has passed or all runs are to end."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0 or self.bench.stop.is_set():
            raise TimeoutError
        return seconds

    @staticmethod
    def stop(process):
        """End a process and its children."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def reproduce(machine, command):
    """The line that repeats a run by hand."""
    if machine.conduct:
        return shlex.join(command)
    line = shlex.join(command + ["-nographic", "-machine", "graphics=on"])
    acts = [getattr(typed, "__name__", None) or f"type {typed!r}" for typed in machine.typed]
    notes = acts if machine.typed != ("exit\r",) else []
    if machine.at_entry:
        notes.append(f"at the entry: {machine.at_entry.__name__} of tools/grade/{machine.at_entry.__module__}.py")
    return line + "".join(f"\n# {note}" for note in notes)
