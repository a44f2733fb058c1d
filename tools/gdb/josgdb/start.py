"""How gdb starts: it connects to the machine that waits, and loads the kernel of that machine."""

import gdb

from . import machine, programs, stops
from .facts import OBJ

# The kernel of the machine that was built last: what there is to look at without a machine.
LAST_BUILT = OBJ / "kern" / "kernel"


def connect(place):
    """Connects to QEMU and loads the kernel of the machine that QEMU has. Without one it prints the reason."""
    if machine.connected():
        return
    gdb.execute("set tcp connect-timeout 3")
    # A file of another machine would have a say in how the registers of this one are read.
    gdb.execute("file", to_string=True)
    try:
        gdb.execute(f"target remote {place}", to_string=True)  # It warns that there is no file.
    except gdb.error as error:
        print(f"{str(error).rstrip('.')}. {machine.NO_MACHINE}")
        load(LAST_BUILT)
        return
    load(OBJ / machine.arch().name / "kernel")
    programs.load_named()
    stops.HISTORY.begin()  # Without symbols the stop at the connection could not be understood.


def load(path):
    """Loads a kernel's symbols."""
    try:
        gdb.execute(f"file {path}")
    except gdb.error as error:
        print(f"{str(error).rstrip('.')}: run make")
