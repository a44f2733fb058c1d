"""A small client of QEMU's gdb stub, with which grade.py changes the state that a loader passes to the kernel.

It implements the needed part of gdb's remote serial protocol: run to an address, read and write registers and memory,
detach. Register numbers are those of QEMU's x86-64 target, where every general register takes 8 bytes in every mode of
the processor.
"""

import contextlib
import time

REGISTERS = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()


class StubError(Exception):
    """Raised if QEMU's answer violates the protocol."""


class Stub:
    """A connection to a gdb stub, over a stream socket that is already connected."""

    def __init__(self, connection):
        self.connection = connection
        self.unread = b""
        # QEMU serves single registers only after the client has asked for their description.
        self._ask("qXfer:features:read:target.xml:0,1")

    def run_to(self, address):
        """Let the machine run until it is about to execute the instruction at a (linear) address."""
        self._expect(f"Z0,{address:x},1", "OK")
        answer = self._ask("c")
        if not answer.startswith("T05"):
            raise StubError(f"the machine stopped before {address:#x}: {answer}")
        self._expect(f"z0,{address:x},1", "OK")

    def run_for(self, seconds):
        """Let the machine run for some time by the host's clock."""
        self._send("c")
        time.sleep(seconds)
        self.connection.sendall(b"\x03")
        self._receive()

    def read(self, register):
        """The value of a register."""
        return int.from_bytes(bytes.fromhex(self._ask(f"p{REGISTERS.index(register):x}")), "little")

    def write(self, register, value):
        """Set a register."""
        self._expect(f"P{REGISTERS.index(register):x}={value.to_bytes(8, 'little').hex()}", "OK")

    def read_memory(self, address, size):
        """Bytes of memory."""
        answer = self._ask(f"m{address:x},{size:x}")
        if len(answer) != 2 * size:
            raise StubError(f"there is no memory at {address:#x} ({size} bytes): {answer}")
        return bytes.fromhex(answer)

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
            more = self.connection.recv(65536)
            if not more:
                raise StubError("QEMU ended")
            self.unread += more
        answer, self.unread = self.unread[start + 1 : end], self.unread[end + 3 :]
        with contextlib.suppress(BrokenPipeError):  # After "D" the machine may have ended already.
            self.connection.sendall(b"+")
        return answer.decode()
