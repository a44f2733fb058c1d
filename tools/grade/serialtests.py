"""The graded tests of the serial port: its registers as the kernel sets them up, whatever the loader left in them."""

import access
from arch import ARCH, PC
from control import require
from exittests import ELSEWHERE, end_with_success
from gradelib import Machine, Test
from words import CHECKS, REFUSAL, REFUSED, WELCOME

COM1, UART = 0x3F8, ARCH.map.devices[0] if ARCH.map.devices else None
STORE_BYTE = b"\x23\0\xb5\0"  # RISC-V: sb a1, (a0)
# Registers of a 16550 (data sheet, table II): interrupt enable, interrupt identification, line control, modem control.
IER, IIR, LCR, MCR = 1, 2, 3, 4
DLAB, FIFOS_ON, EIGHT_BITS, LOOP, DTR_RTS = 0x80, 0xC0, 0x03, 0x10, 0x03


class Ports:
    """The serial port of a stopped PC."""

    def __init__(self, stub, **_address):
        self.stub = stub

    def read(self, register):
        """The value of a register."""
        return int(self.stub.monitor(f"i /b {COM1 + register:#x}").split("=")[1], 16)

    def write(self, register, value):
        """Set a register."""
        self.stub.monitor(f"o /b {COM1 + register:#x} {value:#x}")


class Memory(Ports):
    """The serial port of a stopped machine whose registers are memory. The processor writes them, at an address that
    paging decides."""

    def __init__(self, stub, paging=True):
        super().__init__(stub)
        self.at = ARCH.map.mmiobase if paging else UART

    def read(self, register):
        """The value of a register."""
        return int(self.stub.monitor(f"xp /1bx {UART + register:#x}").split(":")[1], 16)

    def write(self, register, value):
        """Set a register."""
        self.stub.run_code(STORE_BYTE, a0=self.at + register, a1=value)


PORT = Ports if ARCH.has(PC) else Memory


def is_set_up(control):
    """Check 115200 baud, 8 bits, no parity, 1 stop bit, the FIFOs, and interrupts for received bytes alone."""
    # The machine is stopped: the kernel must not meet the divisor where it expects received bytes.
    with access.debugger(control) as stub:
        port = PORT(stub)
        line = port.read(LCR)
        require(line == EIGHT_BITS, f"line control is {line:#x}: not 8N1")
        wanted = 0 if control.output.endswith(f"{REFUSAL}\r\n".encode()) else 1
        require((found := port.read(IER)) == wanted, f"the interrupts {found:#x} are on, not {wanted:#x}")
        require(port.read(IIR) & FIFOS_ON == FIFOS_ON, "the FIFOs are off")
        modem = port.read(MCR)
        require(modem & (LOOP | DTR_RTS) == DTR_RTS, f"modem control is {modem:#x}: not DTR and RTS")
        port.write(LCR, DLAB | EIGHT_BITS)
        divisor = port.read(0) | port.read(1) << 8
        port.write(LCR, line)
        require(divisor == 1, f"the divisor is {divisor}: {115200 // max(divisor, 1)} baud")
    control.command("cont")


def odd_line(stub, symbols):
    """A Machine.at_entry: the loader has left the port at 110 baud, with 5 bits, parity, interrupts, no FIFOs."""
    stub.run_to(symbols[ARCH.boot("kernel").entry])
    port = PORT(stub, paging=False)
    for register, value in ((LCR, DLAB), (0, 0x17), (1, 4), (LCR, 0x1C), (IER, 0x0F), (IIR, 0), (MCR, LOOP)):
        port.write(register, value)


TESTS = [
    *(
        Test(
            f"serial line: set up{title}", 5, Machine(typed=(is_set_up, "exit\r"), **machine),
            (*CHECKS, *WELCOME, "K> exit"), tags=("serial",),
        )
        for title, machine in (("", {}), (" anew", {"at_entry": odd_line}))
    ),
    Test(
        "serial line: set up anew to say why the kernel cannot start", 5,
        Machine(
            cpu=REFUSED, at_entry=odd_line, exit_port=ELSEWHERE, typed=(is_set_up, end_with_success),
            prompt=f"{REFUSAL}\r\n",
        ),
        (REFUSAL,), whole=True, tags=("serial",),
    ),
]
