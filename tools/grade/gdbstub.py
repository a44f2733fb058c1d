"""A small client of QEMU's gdb stub, with which grade.py changes the state that a loader passes to the kernel, and the
state in which the kernel runs.

It implements the needed part of gdb's remote serial protocol: run to an address, read and write registers and memory,
detach. Registers have the names of cpus.py, without a width. Their numbers are those of QEMU's stub; a general
register has the machine's full width in every mode of the processor.
"""

import contextlib
import time

import cpus
from arch import ARCH

CPU = cpus.of(ARCH.map.form)
GENERAL = [name for name in CPU.general if name not in ("ip", "zero")]
SEGMENTS = [name for name in CPU.further if name != "flags"]
NUMBERS = {**{name: number for number, name in enumerate((*CPU.general, *CPU.further))}, **CPU.apart}
REGISTERS = [*CPU.general, *CPU.further]


class StubError(Exception):
    """Raised if QEMU's answer violates the protocol."""


class Stub:
    """A connection to a gdb stub, over a stream socket that is already connected. `left` gives the seconds until the
    deadline, and raises TimeoutError after it."""

    def __init__(self, connection, left):
        self.connection, self.left = connection, left
        self.unread = b""
        # QEMU serves single registers only after the client has asked for their description.
        self._ask("qXfer:features:read:target.xml:0,1")

    def run_to(self, address):
        """Let the machine run until it is about to execute the instruction at a (linear) address."""
        with self.breakpoints({address}):
            self.go_on()

    @contextlib.contextmanager
    def breakpoints(self, addresses):
        """Breakpoints at these addresses, for a while."""
        for address in addresses:
            self._expect(f"Z0,{address:x},1", "OK")
        yield
        for address in addresses:
            self._expect(f"z0,{address:x},1", "OK")

    def go_on(self):
        """Let the machine run to a breakpoint; returns the address."""
        answer = self._ask("c")
        if not answer.startswith("T05"):
            raise StubError(f"the machine stopped before a breakpoint: {answer}")
        return self.read("ip")

    def run_for(self, seconds):
        """Let the machine run for some time by the host's clock."""
        self._send("c")
        time.sleep(seconds)
        self.connection.sendall(b"\x03")
        self._receive()

    def read(self, register):
        """The value of a register."""
        return int.from_bytes(bytes.fromhex(self._ask(f"p{NUMBERS[register]:x}")), "little")

    def write(self, register, value):
        """Set a register."""
        data = value.to_bytes(CPU.further.get(register, CPU.word), "little").hex()
        self._expect(f"P{NUMBERS[register]:x}={data}", "OK")

    def registers(self):
        """The values of all registers, by name."""
        data, values = bytes.fromhex(self._ask("g")), {}
        for name in REGISTERS:
            size = CPU.further.get(name, CPU.word)
            values[name], data = int.from_bytes(data[:size], "little"), data[size:]
        return values

    def write_registers(self, values):
        """Set the registers that are named in a dictionary."""
        for name, value in values.items():
            self.write(name, value)

    @contextlib.contextmanager
    def interlude(self, code):
        """Put code in place of the next instructions; afterwards they and all registers are as before."""
        before = self.registers()
        at = before["ip"]
        covered = self.read_memory(at, len(code))
        self.write_memory(at, code)
        yield before
        self.write_memory(at, covered)
        # A selector that is written loads its segment anew.
        self.write_registers({name: value for name, value in before.items() if name not in SEGMENTS})

    def run_code(self, code, **registers):
        """Run code that goes straight on, and return the registers at its end; the machine's own are restored."""
        with self.interlude(code) as before:
            self.write_registers(registers)
            self.run_to(before["ip"] + len(code))
            return self.registers()

    def read_memory(self, address, size):
        """Bytes of memory, read in pieces that fit a packet."""
        data = b""
        for at in range(address, address + size, 1024):
            length = min(1024, address + size - at)
            answer = self._ask(f"m{at:x},{length:x}")
            if len(answer) != 2 * length:
                raise StubError(f"there is no memory at {at:#x} ({length} bytes): {answer}")
            data += bytes.fromhex(answer)
        return data

    def write_memory(self, address, data):
        """Set bytes of memory, in pieces that fit a packet."""
        for at in range(0, len(data), 1024):
            piece = data[at : at + 1024]
            self._expect(f"M{address + at:x},{len(piece):x}:{piece.hex()}", "OK")

    def monitor(self, line):
        """Carry out a command line of QEMU's human monitor, and return what it prints."""
        answer = self._ask(f"qRcmd,{line.encode().hex()}")
        text = b""
        while answer.startswith("O") and answer != "OK":
            text += bytes.fromhex(answer[1:])
            answer = self._receive()
        return text.decode()

    def detach(self):
        """Detach, and let the machine run on."""
        self._expect("D", "OK")

    def _expect(self, packet, wanted):
        answer = self._ask(packet)
        if answer != wanted:
            raise StubError(f"to {packet[:40]!r} QEMU answered {answer!r}")

    def _ask(self, packet):
        """Send one packet and return the text of the answer."""
        self._send(packet)
        return self._receive()

    def _send(self, packet):
        checksum = sum(packet.encode()) % 256
        self.connection.sendall(f"${packet}#{checksum:02x}".encode())

    def _receive(self):
        """The text of the next packet from QEMU."""
        while True:
            start, end = self.unread.find(b"$"), self.unread.find(b"#")
            if 0 <= start < end <= len(self.unread) - 3:
                break
            self.connection.settimeout(self.left())
            more = self.connection.recv(65536)
            if not more:
                raise StubError("QEMU ended")
            self.unread += more
        answer, self.unread = self.unread[start + 1 : end], self.unread[end + 3 :]
        with contextlib.suppress(BrokenPipeError):  # After "D" the machine may have ended already.
            self.connection.sendall(b"+")
        return answer.decode()
