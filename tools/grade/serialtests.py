"""The graded tests of the serial port: its registers as the kernel sets them up, whatever the loader left in them."""

from control import require
from exittests import ELSEWHERE, end_with_success
from gradelib import Machine, Test
from words import CHECKS, REFUSAL, REFUSED, WELCOME

COM1 = 0x3F8
# Registers of a 16550 (data sheet, table II): interrupt enable, interrupt identification, line control, modem control.
IER, IIR, LCR, MCR = 1, 2, 3, 4
DLAB, FIFOS_ON, EIGHT_BITS, LOOP, DTR_RTS = 0x80, 0xC0, 0x03, 0x10, 0x03


def port(control, register):
    """The value of a register."""
    return int(control.monitor(f"i /b {COM1 + register:#x}").split("=")[1], 16)


def is_set_up(control):
    """Check 115200 baud, 8 bits, no parity, 1 stop bit, the FIFOs, and interrupts for received bytes alone."""
    control.command("stop")  # The kernel must not meet the divisor where it expects received bytes.
    line = port(control, LCR)
    require(line == EIGHT_BITS, f"line control is {line:#x}: not 8N1")
    wanted = 0 if control.output.endswith(f"{REFUSAL}\r\n".encode()) else 1
    require((found := port(control, IER)) == wanted, f"the interrupts {found:#x} are on, not {wanted:#x}")
    require(port(control, IIR) & FIFOS_ON == FIFOS_ON, "the FIFOs are off")
    modem = port(control, MCR)
    require(modem & (LOOP | DTR_RTS) == DTR_RTS, f"modem control is {modem:#x}: not DTR and RTS")
    control.monitor(f"o /b {COM1 + LCR:#x} {DLAB | EIGHT_BITS:#x}")
    divisor = port(control, 0) | port(control, 1) << 8
    control.monitor(f"o /b {COM1 + LCR:#x} {line:#x}")
    require(divisor == 1, f"the divisor is {divisor}: {115200 // max(divisor, 1)} baud")
    control.command("cont")


def odd_line(stub, symbols):
    """A Machine.at_entry: the loader has left the port at 110 baud, with 5 bits, parity, interrupts, no FIFOs."""
    stub.run_to(symbols["pvh_start"])
    for register, value in ((LCR, DLAB), (0, 0x17), (1, 4), (LCR, 0x1C), (IER, 0x0F), (IIR, 0), (MCR, LOOP)):
        stub.monitor(f"o /b {COM1 + register:#x} {value:#x}")


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
