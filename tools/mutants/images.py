"""Images with all mutants: the word in the file that turns one on, and the numbers that an image reports.

switch/src/image.rs is the other side of both.
"""

import mmap

MARKER = b"\x7fmutant switch\x7f="
# In place of a mutant's number: no mutant is active; or none is, and each that is reached is reported.
NONE, RECORD = 2**32 - 1, 2**32 - 3
# The device that takes the reports, to be told its file.
PORT = 0x4E9


class NoSwitch(Exception):
    """Raised for a file that has no switch, or several."""


def patch(path, number):
    """Writes a number into the word behind the marker of an image, or of an ISO image that holds one."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as image:
        place = image.find(MARKER)
        if place < 0 or image.find(MARKER, place + 1) >= 0:
            raise NoSwitch(f"{path} has {'no' if place < 0 else 'more than one'} switch for mutants")
        image[place + len(MARKER) : place + len(MARKER) + 4] = number.to_bytes(4, "little")


def device(path):
    """QEMU's arguments for the device that writes reports to a file."""
    return ["-device", f"isa-debugcon,iobase={PORT:#x},chardev=mutants",
            "-chardev", f"file,id=mutants,path={path},append=on"]


def reported(data):
    """The mutants in reports: three bytes a number, of which the first alone has bit 7 set. A number that an exception
    interrupted is left out.

    >>> reported(bytes([0x80, 0, 5, 0x81, 2, 3, 0x80, 0x80, 1, 0, 9]))
    [5, 128, 16643]
    """
    numbers, unfinished = set(), []
    for byte in data:
        unfinished = [byte & 0x7F] if byte & 0x80 else [*unfinished, byte]
        if len(unfinished) == 3:
            numbers.add(unfinished[0] << 14 | unfinished[1] << 7 | unfinished[2])
            unfinished = [0] * 4
    return sorted(numbers)
