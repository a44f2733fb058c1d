"""Looks at the processes of this machine, as ps shows them."""

import subprocess


def rows():
    """Every process: its number, its parent's, its state, and its program's name."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,state=,comm="], stdout=subprocess.PIPE, text=True, check=True)
    for line in said.stdout.splitlines():
        process, parent, state, name = line.split(None, 3)
        yield int(process), int(parent), state, name.strip()


def children(parent):
    """The children of a process, each with its program's name."""
    return [(process, name) for process, its_parent, _, name in rows() if its_parent == parent]


def is_running(process):
    """Whether there is such a process. One whose parent has not yet asked for its status has ended."""
    return any(number == process and not state.startswith("Z") for number, _, state, _ in rows())
