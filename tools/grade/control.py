"""Inspects and controls a machine from outside, through QEMU's monitor: registers, memory, screen, keys.

The functions in Machine.typed get a Control, when the kernel waits at its prompt. Nothing here asks the kernel: QEMU
answers, while the machine runs.
"""

import json
import os

from gdbstub import CPU

# QEMU's names of the keys for characters other than letters and digits, on its US keyboard.
KEYS = {
    " ": "spc", "\r": "ret", "\n": "ret", "\b": "backspace", "\t": "tab", "-": "minus", "=": "equal",
    "+": "shift-equal", ".": "dot", ",": "comma", "/": "slash", "_": "shift-minus", "?": "shift-slash", "\x1b": "esc",
    "\x03": "ctrl-c", "\x0c": "ctrl-l",
}
VGA_TEXT = 0xB_8000
OUTPUT_FULL = 1  # of the keyboard controller's status: a byte waits to be read
COLUMNS, ROWS = 80, 25


class Refused(Exception):
    """Raised by a function in Machine.typed if the machine's state is wrong."""


def require(condition, complaint):
    """Raise Refused unless the condition holds."""
    if not condition:
        raise Refused(complaint)


class Control:
    """A connection to QEMU's monitor protocol (QMP), over a connected stream socket, with QEMU's process, the
    machine's output on the serial line, and the Bench with the images."""

    def __init__(self, connection, folder, left, qemu=None, output=b"", bench=None):
        self.connection, self.folder, self.left, self.qemu, self.output = connection, folder, left, qemu, output
        self.bench = bench
        self.verdicts = {}  # of the machine's reader, by subject (reading.py)
        self.messages = []  # in order, without the answers to `command`
        self.unread = b""

    def fileno(self):
        """The socket's file number, for select."""
        return self.connection.fileno()

    def send(self, name, **arguments):
        """Send a command without waiting for its answer: QEMU executes commands in order."""
        self.connection.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")

    def receive(self):
        """Receive QEMU's messages, waiting for them if necessary; False at the end of the connection."""
        try:
            data = self.connection.recv(65536)
        except ConnectionResetError:  # QEMU ended before it had read everything.
            data = b""
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            try:
                self.messages.append(json.loads(line))
            except ValueError:
                pass  # A line that was cut short when QEMU ended.
        return bool(data)

    def command(self, name, **arguments):
        """Carry out a QMP command and return its value; Refused if QEMU refuses it or ends."""
        self.connection.sendall(json.dumps({"execute": name, "arguments": arguments, "id": "asked"}).encode() + b"\n")
        while True:
            for message in self.messages:
                if message.get("id") == "asked":
                    self.messages.remove(message)
                    require("error" not in message, f"QEMU refused {name}: {message.get('error')}")
                    return message["return"]
            self.connection.settimeout(self.left())
            more = self.receive()
            self.connection.settimeout(None)
            require(more, f"QEMU ended before it answered {name}")

    def monitor(self, line):
        """The output of QEMU's human monitor for a command line."""
        return self.command("human-monitor-command", **{"command-line": line})

    def wait_for_halt(self):
        """Wait until the processor is halted."""
        while not CPU.is_halted(self.monitor):
            self.left()

    def type(self, text):
        """Type a text on the serial line, and go on at once."""
        os.write(self.qemu.stdin.fileno(), text.encode())

    def memory(self, pa, size):
        """Bytes of physical memory."""
        path = self.folder / "memory"
        self.command("pmemsave", val=pa, size=size, filename=str(path))
        return path.read_bytes()

    def screen(self):
        """The lines of the VGA text screen, without blanks at their ends."""
        cells = self.memory(VGA_TEXT, COLUMNS * ROWS * 2)[::2].decode("cp437")
        return [cells[row * COLUMNS : (row + 1) * COLUMNS].rstrip(" \0") for row in range(ROWS)]

    def key(self, *names):
        """Press keys of the machine's keyboard, one after the other, by QEMU's names (up, ctrl-c, caps_lock, ...). The
        keyboard drops what does not fit its 16 bytes, so each key waits until the machine has read the one before.
        (QEMU's sendkey would send the releases later, and many at once when the machine is slow.)"""
        for name in names:
            while int(self.monitor("i /b 0x64").split("=")[1], 16) & OUTPUT_FULL:
                self.left()
            keys = [{"type": "qcode", "data": key} for key in name.split("-")]
            strokes = [(key, True) for key in keys] + [(key, False) for key in reversed(keys)]
            # Without waiting for an answer: the key may end the machine at once.
            self.send("input-send-event", events=[
                {"type": "key", "data": {"key": key, "down": down}} for key, down in strokes
            ])

    def leave(self):
        """Type `exit` on the machine's keyboard. QEMU may end before it answers to the last key."""
        self.press("exit")
        events = [{"type": "key", "data": {"key": {"type": "qcode", "data": "ret"}, "down": True}}]
        self.send("input-send-event", events=events)

    def press(self, text):
        """Type a text on the machine's keyboard, key by key."""
        self.key(*(KEYS.get(char) or (f"shift-{char.lower()}" if char.isupper() else char) for char in text))
