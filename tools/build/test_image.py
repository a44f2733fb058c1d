"""Tests of the kernel's file: permissions, the names of its parts, the place of its symbols."""

import os
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "obj" / (os.environ.get("ARCH") or "x86_64") / "kernel"
PGSIZE = 4096


def said(*command):
    """The output of a program that is run on the kernel."""
    return subprocess.run([*command, KERNEL], check=True, stdout=subprocess.PIPE, text=True).stdout


class Image(unittest.TestCase):
    """The kernel as built."""

    @classmethod
    def setUpClass(cls):
        cls.sections = {
            name: (int(address, 16), int(offset, 16), int(size, 16))
            for name, address, offset, size in re.findall(
                r"^ *\[ *\d+\] (\.\S+) +\w+ +(\w+) (\w+) (\w+) ", said("readelf", "-SW"), re.M
            )
        }
        symbols = re.findall(r"^(\w{16}) (?:(\w{16}) )?(\w) (\S+)$", said("nm", "-S"), re.M)
        cls.symbols = {name: int(address, 16) for address, _, _, name in symbols}
        cls.functions = [int(start, 16) + int(size, 16) for start, size, kind, _ in symbols if size and kind in "tT"]

    def test_the_note_of_pvh(self):
        note = said("readelf", "-n")
        self.assertRegex(note, r"\n  Xen +0x00000008\t.*0x00000012")
        entry = re.search(r"description data:((?: \w\w){8})", note)[1].split()
        self.assertEqual(int("".join(reversed(entry)), 16), self.symbols["pvh_start"])

    def test_nothing_is_both_writable_and_executable(self):
        loaded = re.findall(r"^ +LOAD +(?:0x\w+ +){5}(.{3}) ", said("readelf", "-lW"), re.M)
        self.assertEqual(loaded, ["R E", "R E", "R  ", "RW "])

    def test_etext_is_the_end_of_the_code(self):
        etext = self.symbols["etext"]
        self.assertEqual(max(end for end in self.functions if end <= self.symbols["text_end_exclusive"]), etext)
        self.assertEqual(-(-etext // PGSIZE) * PGSIZE, self.symbols["text_end_exclusive"])

    def test_edata_is_the_end_of_the_initialised_data(self):
        start, _, size = self.sections[".data"]
        self.assertEqual(self.symbols["edata"], start + size)
        self.assertGreater(size, 0)

    def test_the_symbols_and_what_they_leave_are_one_place(self):
        (start, offset, size), (rest, rest_offset, rest_size) = (
            self.sections[name] for name in (".symbols", ".symbols_rest")
        )
        self.assertEqual((start, rest, rest + rest_size),
                         (self.symbols["symbols_start"], start + size, self.symbols["symbols_end_exclusive"]))
        self.assertEqual(rest_offset, offset + size)
        # The file's part of the segment ends with the table.
        ends = [int(at, 16) + int(length, 16) for at, length in
                re.findall(r"^ +LOAD +(0x\w+) +0x\w+ +0x\w+ +(0x\w+) ", said("readelf", "-lW"), re.M)]
        self.assertIn(offset + size, ends)


if __name__ == "__main__":
    unittest.main()
