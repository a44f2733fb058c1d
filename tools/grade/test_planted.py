"""Tests of the faults that plant.py puts into the kernel: that each has its place in the sources, and the document's
table its row. Whether the reader sees them is tested by `make planted`.
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/grade/planted"))

from arch import ARCHES  # noqa: E402 (in this folder)
from faults import FAULTS  # noqa: E402 (found by the line above)


class Planted(unittest.TestCase):
    """Tests of the list of faults."""

    def test_each_edit_has_one_place(self):
        for fault in FAULTS:
            for name, old, _ in fault.edits:
                self.assertEqual((ROOT / name).read_text().count(old), 1, f"{fault.name}: {name}")

    def test_the_table_in_the_document_has_each_fault(self):
        text = (ROOT / "docs/grading.md").read_text()
        rows = re.findall(r"^\| (.*?) \| `[a-z ]+` \| (all|PCs|64 bits|x86-64|RISC-V) \|$", text, re.M)
        have = lambda fault: tuple(name for name, arch in ARCHES.items() if arch.has(*fault.needs))
        words = {
            ("x86_64", "i386", "riscv64"): "all", ("x86_64", "i386"): "PCs", ("x86_64", "riscv64"): "64 bits",
            ("x86_64",): "x86-64", ("riscv64",): "RISC-V",
        }
        machines = {fault.name: words[have(fault)] for fault in FAULTS}
        self.assertEqual(dict(rows), machines)


if __name__ == "__main__":
    unittest.main()
