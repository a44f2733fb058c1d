"""Looks at the processes of this machine, as ps shows them."""

import os
import subprocess
from pathlib import Path


def rows():
    """Every process: its number, its parent's, its state, and its program's name."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,state=,comm="], stdout=subprocess.PIPE, text=True, check=True)
    for line in said.stdout.splitlines():
        process, parent, state, name = line.split(None, 3)
        yield int(process), int(parent), state, name.strip()


def children(parent):
    """The children of a process, each with its program's name."""
    return [(process, name) for process, its_parent, _, name in rows() if its_parent == parent]


def seconds(process):
    """The processor time that a process has used, in seconds."""
    try:
        # Behind the name, which is in brackets: user time and system time are fields 14 and 15 (proc(5)).
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:  # not Linux: ps shows hundredths of a second there
        said = subprocess.run(["ps", "-o", "time=", "-p", str(process)], stdout=subprocess.PIPE, text=True, check=True)
        return sum(float(part) * 60**power for power, part in enumerate(reversed(said.stdout.strip().split(":"))))


def is_running(process):
    """Whether there is such a process. One whose parent has not yet asked for its status has ended."""
    return any(number == process and not state.startswith("Z") for number, _, state, _ in rows())
