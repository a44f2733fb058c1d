"""The graded tests of what the scripts that grade JOS's labs ask of a tree: targets of make, files, lines, signals.

Such a script builds, asks make for a port, deletes the kernel, starts `make qemu-nox-gdb` and connects to QEMU once a
line is printed. It stops the machine at `readline`, whose address it takes from obj/kern/kernel.sym, and ends make.
What was graded otherwise is not built anew here.
"""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
from pathlib import Path

import built
import processes
from arch import ARCH, ARCHES, PC, UEFI
from control import require
from gdbstub import Stub
from gradelib import Machine, Test
from words import CHECKS, NO_PROMPT

KERNEL, SYMBOLS = "obj/kern/kernel", "obj/kern/kernel.sym"
# Variables of the make that grades, or of the user; such a script gives none.
OUTER = """
MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES APP BOARD BOOT CMDLINE CPUS GDBPORT MEM PROFILE QEMUEXTRA V
""".split()
MAKE = ("make", "-s", "--no-print-directory")
BUILT = (
    built.OBJ / "kernel.linked", *(built.IMAGES[name] for name in ("kernel", *(boot.image for boot in ARCH.boots))),
    *(Path("obj", name, "facts.json") for name in ARCHES),
)
FRESH = [word for path in BUILT for word in ("-o", str(path))]
REFUSED = ENDED = 2  # make's status if it refuses its command line, and if its child fails


def environment():
    """The environment without those variables."""
    return {name: value for name, value in os.environ.items() if name not in OUTER}


class Script:
    """The part of a script, played on a Session's machine (graderun.py)."""

    def __init__(self, session):
        self.session, self.run, self.root = session, session.run, session.bench.root
        with socket.socket() as free:
            free.bind(("", 0))
            self.port = free.getsockname()[1]
        self.environment = {**environment(), "GDBPORT": str(self.port)}

    def play(self):
        """All of it."""
        self.run.command = [*MAKE, "qemu-nox-gdb"]
        self.run.verdicts["files"] = list(self.files())
        self.start()
        self.run.verdicts["stop"] = list(self.stop_at_readline())
        self.run.verdicts["end"] = list(self.end())

    def make(self, *words):
        """The standard output of make, which must succeed."""
        made = subprocess.run([*MAKE, *FRESH, *words], cwd=self.root, env=self.environment, timeout=self.session.left(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        require(made.returncode == 0, f"make {' '.join(words)} failed: {made.stderr.strip()}")
        return made.stdout

    def files(self):
        """Complaints about print-gdbport, and the files that make leaves."""
        if (said := self.make("print-gdbport")) != f"{self.port}\n":
            yield f"make print-gdbport prints {said!r}, not the port alone"
        (self.root / KERNEL).unlink()
        self.make()
        if (self.root / KERNEL).read_bytes() != (self.root / built.IMAGES["kernel"]).read_bytes():
            yield f"make leaves another file in {KERNEL} than {built.IMAGES['kernel']}"
        rows = (self.root / SYMBOLS).read_text().splitlines()
        if bad := [row for row in rows if not re.fullmatch(rf"[0-9a-f]{{{ARCH.digits}}} . \S.*", row)]:
            yield f"{SYMBOLS} has {bad[0]!r}, which is not as nm prints a symbol of this machine"
        if (number := len(self.addresses())) != 1:
            yield f"{SYMBOLS} has {number} symbols with the name readline"

    def addresses(self):
        """The addresses of the symbols that are called readline."""
        rows = (row.split(" ", 2) for row in (self.root / SYMBOLS).read_text().splitlines())
        return [int(address, 16) for address, _, name in rows if name == "readline"]

    def start(self):
        """Starts the machine, and waits for a line and then for QEMU."""
        (self.root / KERNEL).unlink()
        self.made = subprocess.Popen(
            [*MAKE, *FRESH, "qemu-nox-gdb"], cwd=self.root, env=self.environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
        self.session.stack.callback(self.session.stop, self.made)
        while b"\n" not in self.run.output:
            require(self.read(), f"make qemu-nox-gdb ended: {bytes(self.run.output)!r}")
        while True:
            self.connection = socket.socket()
            self.connection.settimeout(self.session.left())
            with contextlib.suppress(ConnectionRefusedError):
                self.connection.connect(("localhost", self.port))
                self.session.stack.callback(self.connection.close)
                return
            self.connection.close()
            require(self.made.poll() is None, "make qemu-nox-gdb ended before QEMU waited")

    def read(self):
        """Reads some of the output; False at its end."""
        ready, _, _ = select.select([self.made.stdout], [], [], self.session.left())
        require(ready, f"make qemu-nox-gdb prints nothing more than {bytes(self.run.output)!r}")
        data = os.read(self.made.stdout.fileno(), 65536)
        self.run.output += data
        return bool(data)

    def stop_at_readline(self):
        """Complaints about the stop at readline. The breakpoint is set at reset; no answer is waited for, nor sent."""
        require(self.addresses(), f"{SYMBOLS} has no symbol with the name readline")
        address = self.addresses()[0]
        for packet in (f"Z1,{address:x},1", "c"):
            self.connection.sendall(f"${packet}#{sum(packet.encode()) % 256:02x}".encode())
        answers = b""
        while not (found := re.search(rb"\$([ST]\d\d[^#]*)#..", answers)):
            ready, _, _ = select.select([self.connection, self.made.stdout], [], [], self.session.left())
            if self.made.stdout in ready:
                require(self.read(), "make qemu-nox-gdb ended before the kernel read a line")
            if self.connection in ready:
                data = self.connection.recv(4096)
                require(data, "QEMU ended before the kernel read a line")
                answers += data
        if not found[1].startswith(b"T05"):
            yield f"the machine stopped with {found[1]!r}, not at a breakpoint"
        at = Stub(self.connection, self.session.left).read("ip")
        if at != address:
            yield f"the machine stopped at {at:#x}; {SYMBOLS} has readline at {address:#x}"

    def end(self):
        """Complaints about the end: SIGTERM, to make's child alone, ends make and QEMU."""
        (child, _), = processes.children(self.made.pid)
        qemu = [process for process, _ in processes.children(child)]
        if len(qemu) != 1:
            yield f"QEMU is not the one child of make's child: it has {len(qemu)}"
        os.kill(child, signal.SIGTERM)
        self.run.status = self.made.wait(self.session.left())
        for process in (child, *qemu):
            if processes.is_running(process):
                os.kill(process, signal.SIGKILL)
                yield "make has ended, and has left a process behind"
        while self.read():
            pass


def as_scripts_do(session):
    """A Machine.conduct."""
    Script(session).play()


def refuses(variable, value, there_are, machine=f" for ARCH={ARCH.name}"):
    """make refuses a value, and says which ones there are."""

    def ask_make(session):
        session.run.command = [*MAKE, "qemu-nox", f"{variable}={value}"]
        made = subprocess.run(session.run.command, cwd=session.bench.root, env=environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=session.left())
        session.run.output += made.stdout
        session.run.status = made.returncode

    line = rf'Makefile:\d+: \*\*\* unknown {variable} "{value}"{machine}; there are: {there_are}\.  Stop\.'
    return Test(f"make: unknown {variable}", 5, Machine(typed=(), conduct=ask_make), (re.compile(line),), (), REFUSED,
                whole=True, tags=("make",))


MACHINE = Machine(ARCH.boots[0].image, typed=(), conduct=as_scripts_do)

TESTS = [
    Test(
        f"contract: {title}", 5, MACHINE, lines, forbidden, ENDED, verdicts=verdicts, tags=("contract",),
    )
    for title, lines, forbidden, verdicts in (
        ("the port, and the files that make leaves", (), (), ("files",)),
        ("a breakpoint at readline, set at reset", CHECKS, NO_PROMPT, ("stop",)),
        ("SIGTERM to make's child ends QEMU", (), (), ("end",)),
    )
]
TESTS += [
    refuses("ARCH", "vax", " ".join(ARCHES), ""),
    refuses("BOOT", "floppy" if ARCH.has(UEFI) else "uefi", ARCH.make_boots),
    refuses("BOARD", *(("virt", "pc q35 isapc microvm") if ARCH.has(PC) else ("pc", "virt"))),
]
