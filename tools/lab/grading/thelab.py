"""A lab, as it lies in a tree: in the folder tools/lab/labN. A handout has the folder of one lab alone."""

import importlib
import subprocess
import sys
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools" / folder) for folder in ("lab", "grade", "gdb")]

from arch import ARCH, ARCHES  # noqa: E402 (found by the line above)


class Lab:
    """The lab of this tree; if there are several, the one with this number."""

    def __init__(self, number=None):
        folders = [*(ROOT / "tools/lab").glob(f"lab{number or '[0-9]*'}")]
        if len(folders) != 1:
            sys.exit(f"there is no lab{number}" if number else "say which lab: this tree has not one alone")
        self.folder = folders[0]
        self.number = self.folder.name.removeprefix("lab")

    def tool(self, command, *words):
        """Runs tools/lab; returns its status and its output's lines."""
        made = subprocess.run(
            ["cargo", "run", "-q", "-p", "lab", "--", command, self.number, *words], cwd=ROOT, capture_output=True, text=True
        )
        if made.returncode not in (0, 1):
            sys.exit(f"tools/lab: {made.stderr}")
        return made.returncode, made.stdout.splitlines()

    @cached_property
    def exercises(self):
        """(number, name, points) of each exercise."""
        rows = (line.split("\t") for line in self.tool("exercises")[1])
        return [(int(number), name, int(points)) for number, name, points in rows]

    @cached_property
    def tests(self):
        """The exercises' tests on simulated machines, as arguments of `cargo test -p libjos`."""
        return self.tool("tests")[1]

    @cached_property
    def graded(self):
        """Its tests in QEMU: the module graded.py."""
        return importlib.import_module(f"lab{self.number}.graded")

    @property
    def images(self):
        """The files that these tests boot, as make's targets."""
        return [*map(str, self.graded.IMAGES.values())]

    @cached_property
    def machines(self):
        """The machines, as ARCH names them, that have what a test in QEMU needs."""
        return [arch.name for arch in ARCHES.values() if any(test.is_for(arch) for test in self.graded.TESTS)]

    @property
    def runs_here(self):
        """Whether the machine that is graded is one of these."""
        return ARCH.name in self.machines

    @cached_property
    def hidden(self):
        """The grader's own tests: the module hidden.py, or nothing in a student's tree."""
        there = (self.folder / "hidden.py").exists()
        return importlib.import_module(f"lab{self.number}.hidden") if there else None
