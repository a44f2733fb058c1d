"""Takes a snapshot at every stop of the machine, so that `jos diff` can show the changes since the stop before."""

import gdb

from . import envs, kernel, machine
from .context import CONTEXT
from .snapshot import MOST_TABLES, Snapshot


class History:
    """The last two stops."""

    def __init__(self):
        self.before = self.now = None

    def begin(self):
        """Takes this stop for the first one."""
        self.now = None
        self.on_stop(None)

    def on_stop(self, _event):
        """Keeps a snapshot of this stop."""
        self.before, self.now = self.now, None
        try:
            self.now = take()
        except (gdb.error, gdb.GdbError, RuntimeError):
            pass  # Without facts or QEMU the commands print an error.


HISTORY = History()


def directories(found):
    """The page directories of interest: [(name, root)]; the one in use comes first."""
    rows = []
    paging, root, _ = machine.mode()
    if paging:
        rows.append((directory_name(found, root), root))
    if found.kern_pgdir is not None and found.kern_pgdir != root:
        rows.append(("kern_pgdir", found.kern_pgdir))
    return rows


def directory_name(found, root):
    """The name of a page directory."""
    if root == found.kern_pgdir:
        return "kern_pgdir"
    if root == kernel.entry_pgdir(CONTEXT.facts):
        return "entry_pgdir"
    env = envs.of_root(root)
    return env.name if env else f"the directory at {root:#x}"


def take():
    """A Snapshot of now."""
    facts, form = CONTEXT.facts, CONTEXT.form
    arch, shot = machine.arch(), Snapshot()
    for name in arch.control:
        value = machine.register(name.lower()) & ~arch.passing.get(name, 0)
        fields = facts.fields(name, value)
        fields = machine.flags(name.lower()) if fields is None else fields
        shot.registers[name] = (value, [] if name == arch.root else fields)  # The root is shown as a number.
    found = kernel.find(facts)
    shot.pages = found.pages
    roots = directories(found)
    with machine.physical() as read:
        for name, root in roots:
            shot.directories[root] = (name, *form.tables(read, root, MOST_TABLES))
    return shot


def leave_inlined():
    """Selects the function of a breakpoint, if its first line is a call of an inlined function.

    gdb takes the plain name of a function for an address, and stops "in" what is inlined there. hook-stop
    (../init.gdb) calls this before the stop is printed, and also when the machine has ended.
    """
    if not machine.connected():
        return
    frame = gdb.newest_frame()
    if frame.type() != gdb.INLINE_FRAME or f"{frame.pc():x} in " not in breakpoints():
        return
    while frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    frame.select()


def breakpoints():
    """gdb's table of breakpoints: each address, all digits of it, stands before "in" and the function."""
    return gdb.execute("info breakpoints", to_string=True)


def register():
    """Takes a snapshot now and at every later stop."""
    gdb.events.stop.connect(HISTORY.on_stop)
    if machine.connected():
        HISTORY.on_stop(None)


def forget():
    """Undoes register()."""
    gdb.events.stop.disconnect(HISTORY.on_stop)
