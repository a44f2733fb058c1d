"""Tests of the kernels' files: permissions, the names of its parts, the place of its symbols."""

import re
import subprocess
import unittest
from pathlib import Path

import listing

ROOT = Path(__file__).resolve().parents[2]
PGSIZE = 4096


class Image:
    """Tests of a machine's kernel as built."""

    binutils = ""
    loaded = ["R E", "R E", "R  ", "RW "]  # what may be done with each part

    @classmethod
    def said(cls, *command):
        """The output of a program that is run on the kernel."""
        kernel = ROOT / "obj" / cls.arch / "kernel"
        return subprocess.run([cls.binutils + command[0], *command[1:], kernel], check=True, stdout=subprocess.PIPE, text=True).stdout

    @classmethod
    def setUpClass(cls):
        cls.sections = {
            name: (int(address, 16), int(offset, 16), int(size, 16))
            for name, address, offset, size in re.findall(
                r"^ *\[ *\d+\] (\.\S+) +\w+ +(\w+) (\w+) (\w+) ", cls.said("readelf", "-SW"), re.M
            )
        }
        symbols = re.findall(r"^(\w{8,16}) (?:(\w{8,16}) )?(\w) (\S+)$", cls.said("nm", "-S"), re.M)
        cls.symbols = {name: int(address, 16) for address, _, _, name in symbols}
        cls.functions = [int(start, 16) + int(size, 16) for start, size, kind, _ in symbols if size and kind in "tT"]

    def test_nothing_is_both_writable_and_executable(self):
        loaded = re.findall(r"^ +LOAD +(?:0x\w+ +){5}(.{3}) ", self.said("readelf", "-lW"), re.M)
        self.assertEqual(loaded, self.loaded)

    def test_etext_is_the_end_of_the_code(self):
        etext = self.symbols["etext"]
        self.assertEqual(max(end for end in self.functions if end <= self.symbols["text_end_exclusive"]), etext)
        self.assertEqual(-(-etext // PGSIZE) * PGSIZE, self.symbols["text_end_exclusive"])

    def test_the_archive_of_programs_is_among_the_constants(self):
        names = ("text_end_exclusive", "programs_start", "programs_end_exclusive", "rodata_end_exclusive")
        places = [self.symbols[name] for name in names]
        self.assertEqual(places, sorted(places))

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
                re.findall(r"^ +LOAD +(0x\w+) +0x\w+ +0x\w+ +(0x\w+) ", self.said("readelf", "-lW"), re.M)]
        self.assertIn(offset + size, ends)


class Pc(Image):
    """Tests of a PC's kernel."""

    def test_the_note_of_pvh(self):
        note = self.said("readelf", "-n")
        self.assertRegex(note, r"\n  Xen +0x00000008\t.*0x00000012")
        entry = re.search(r"description data:((?: \w\w)+)", note)[1].split()
        self.assertEqual(int("".join(reversed(entry)), 16), self.symbols["pvh_start"])

    def test_it_uses_no_registers_that_traps_do_not_save(self):
        self.assertEqual(listing.unsaved(ROOT / "obj" / self.arch / "kernel"), [])


class X86_64(Pc, unittest.TestCase):
    """x86-64's kernel."""

    arch = "x86_64"


class I386(Pc, unittest.TestCase):
    """i386's kernel."""

    arch = "i386"


class Riscv64(Image, unittest.TestCase):
    """RISC-V's kernel, and the firmware beside it."""

    arch, binutils = "riscv64", "riscv64-linux-gnu-"
    loaded = ["R E", "R  ", "RW "]

    def test_it_uses_no_registers_that_traps_do_not_save(self):
        # Traps save those of the FPU that a function may change, and the compiler's functions keep the others.
        listing = self.said("objdump", "-d", "--no-show-raw-insn")
        self.assertRegex(listing, r"\tcsrrw\tsp,sscratch,sp")
        self.assertEqual(re.findall(r"^ *[0-9a-f]+:\t(v\w+\b.*)", listing, re.M), [])

    def test_the_entry_is_the_first_instruction(self):
        header = self.said("readelf", "-h")
        self.assertEqual(int(re.search(r"Entry point address: +(0x\w+)", header)[1], 16), self.symbols["_start"])
        self.assertEqual(self.symbols["_start"], 0x8020_0000)
        self.assertEqual(self.symbols["entry"], self.symbols["sbi_start"])

    def test_the_firmware_is_no_part_of_the_image(self):
        _, _, size = self.sections[".bare"]
        self.assertTrue(0 < size <= PGSIZE)
        self.assertNotIn(".bare", re.sub(r".*Segment Sections", "", self.said("readelf", "-lW"), flags=re.S))


if __name__ == "__main__":
    unittest.main()
