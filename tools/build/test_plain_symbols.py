"""Proves which functions plain_symbols.py gives a plain name, for both of Rust's manglings."""

import doctest
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import plain_symbols
from plain_symbols import last_component, plan

LISTING = """\
fffffffff0100000 T i386_init
fffffffff0100010 t libjos::pmap::Pmap<M>::mem_init
fffffffff0100020 t <libjos::pmap::Pmap<kernel::Pc>>::page_insert
fffffffff0100030 t libjos::pmap::Pmap<M>::mem_init
fffffffff0100040 t libjos::check::check_page::<kernel::Pc, fn(&str) -> usize> (.llvm.4711)
fffffffff0100050 t libjos::check::check_page::{{closure}}
fffffffff0100060 d libjos::page_alloc
                 U libjos::page_free
"""


class PlainSymbols(unittest.TestCase):
    """The plan for a listing by nm."""

    def test_every_copy_of_a_function_in_order(self):
        added, missing = plan(["mem_init"], LISTING)
        self.assertEqual([(name, hex(at)) for name, at, _ in added],
                         [("mem_init", "0xfffffffff0100010"), ("mem_init", "0xfffffffff0100030")])
        self.assertEqual(missing, [])

    def test_legacy_and_v0(self):
        added, _ = plan(["page_insert", "check_page"], LISTING)
        self.assertEqual([(name, hex(at)) for name, at, _ in added],
                         [("page_insert", "0xfffffffff0100020"), ("check_page", "0xfffffffff0100040")])

    def test_plain_ones_are_left_alone(self):
        self.assertEqual(plan(["i386_init"], LISTING), ([], []))

    def test_what_is_missing_is_named(self):
        # Neither data nor an undefined symbol is a function.
        self.assertEqual(plan(["page_alloc", "page_free", "mem_init"], LISTING)[1], ["page_alloc", "page_free"])

    def test_names_are_whole(self):
        for path in ("a::page_init", "a::check_page::{closure#0}", "a::not_page", "<a as b::page>::go"):
            self.assertNotEqual(last_component(path), "page")

    def test_examples(self):
        self.assertEqual(doctest.testmod(plain_symbols).failed, 0)


if __name__ == "__main__":
    unittest.main()
