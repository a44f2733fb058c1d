"""Tests of the kernels' files: permissions, the names of its parts, the place of its symbols."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PGSIZE = 4096

# An instruction in a listing: prefixes, mnemonic, operands.
INSTRUCTION = re.compile(r"^ *[0-9a-f]+:\t(?:(?:lock|rep\w*|bnd|notrack|data16|addr16|[c-gs]s) )*(\w+)(.*)")
# x87, whose mnemonics alone begin with f; the vector units; and accesses wider than a register.
UNSAVED = re.compile(r"(f\w+|emms|cmpxchg(8|16)b)\b|.*\b([xyz]?mm\d+|st)\b")
# The functions that may have some of them: i386's entry starts x87, its traps save it, and a test fills it.
MAY_USE = re.compile(r"(check_processor|trap_common)$|.*(registers4load|store_and_fault|x86[^ ]*faults[^ ]*is_0)")


class Image:
    """Tests of a machine's kernel as built."""

    @classmethod
    def said(cls, *command):
        """The output of a program that is run on the kernel."""
        kernel = ROOT / "obj" / cls.arch / "kernel"
        return subprocess.run([*command, kernel], check=True, stdout=subprocess.PIPE, text=True).stdout

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

    def test_the_note_of_pvh(self):
        note = self.said("readelf", "-n")
        self.assertRegex(note, r"\n  Xen +0x00000008\t.*0x00000012")
        entry = re.search(r"description data:((?: \w\w)+)", note)[1].split()
        self.assertEqual(int("".join(reversed(entry)), 16), self.symbols["pvh_start"])

    def test_it_uses_no_registers_that_traps_do_not_save(self):
        # On i386 this also tells that there is no 64-bit atomic access: Rust compiles one to x87's load and store of 8
        # bytes, which would change x87's registers, or to CMPXCHG8B, which writes even to read.
        function, found = "", []
        for line in self.said("objdump", "-d", "-M", "intel", "--no-show-raw-insn").splitlines():
            if start := re.match(r"[0-9a-f]+ <(.+)>:$", line):
                function = start[1]
            elif instruction := INSTRUCTION.match(re.sub("<.*>", "", line)):
                if UNSAVED.match("".join(instruction.groups())) and not MAY_USE.match(function):
                    found.append(f"{function}: {line.strip()}")
        self.assertTrue(function)
        self.assertEqual(found, [])

    def test_nothing_is_both_writable_and_executable(self):
        loaded = re.findall(r"^ +LOAD +(?:0x\w+ +){5}(.{3}) ", self.said("readelf", "-lW"), re.M)
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
                re.findall(r"^ +LOAD +(0x\w+) +0x\w+ +0x\w+ +(0x\w+) ", self.said("readelf", "-lW"), re.M)]
        self.assertIn(offset + size, ends)


class X86_64(Image, unittest.TestCase):
    """x86-64's kernel."""

    arch = "x86_64"


class I386(Image, unittest.TestCase):
    """i386's kernel."""

    arch = "i386"


if __name__ == "__main__":
    unittest.main()
