"""Tests of the `jos` commands' parts that need no gdb, on i386: tables of two levels, entries of 4 bytes, no NX."""

import struct
import unittest

import tour
from josgdb import facts as facts_module
from josgdb import fault, snapshot
from josgdb.paging import Format

FACTS = facts_module.load(facts_module.path_of("i386"))
FORM = Format(FACTS)
# Intel SDM vol. 3A, tables 4-4 to 4-6.
P, W, U, A, D, PS, G = 1, 2, 4, 32, 64, 128, 256
ROOT, TABLE = 0x1000, 0x2000
SELF = 957  # the slot of UVPT
WORDS = {
    ROOT: TABLE | P | W, ROOT + 4: 4 << 20 | P | W | PS | G, ROOT + 4 * SELF: ROOT | P | U,
    ROOT + 4 * 1023: 0xFFC0_0000 | P | PS,
    TABLE: 0x7000 | P | W | U, TABLE + 4 * 1023: 0x8000 | P,
}


def read(pa, size):
    """Physical memory: the words above, and zeros elsewhere."""
    return b"".join(struct.pack("<I", WORDS.get(at, 0)) for at in range(pa, pa + size, 4))


class Narrow(unittest.TestCase):
    """Facts, walks and texts."""

    def test_the_facts_are_jos(self):
        self.assertEqual([level["size"] for level in FACTS.levels], [4 << 10, 4 << 20])
        self.assertEqual([level["page"] for level in FACTS.levels], [1, 1])
        self.assertEqual((FORM.entries, FORM.word), (1024, 4))
        self.assertEqual((FACTS.kernbase, FACTS.uvpt, FACTS.upages), (0xF000_0000, 0xEF40_0000, 0xEF00_0000))
        self.assertEqual(sum(region["last"] - region["base"] + 1 for region in FACTS.regions), 1 << 32)
        self.assertIsNone(FACTS.in_window(FACTS.kernbase - 1))

    def test_walks(self):
        for va, levels, pa in ((0x123, 2, 0x7123), (0x3F_F004, 2, 0x8004), (0x40_1234, 1, 0x40_1234),
                               (0xFFFF_FFFF, 1, 0xFFFF_FFFF)):
            self.assertEqual((len(FORM.walk(read, ROOT, va)), FORM.translate(read, ROOT, va)), (levels, pa))
        self.assertIsNone(FORM.translate(read, ROOT, 0x1000))
        step = FORM.walk(read, ROOT, 0x3F_F000)[-1]
        self.assertEqual((step.at, step.word), (TABLE + 4 * 1023, 0x8000 | P))

    def test_no_address_is_sign_extended(self):
        self.assertEqual(FORM.address(1, 0, 1023), 0xFFC0_0000)
        self.assertEqual([FORM.is_canonical(va) for va in (0, 0x8000_0000, 0xFFFF_FFFF, 1 << 32)], [True] * 3 + [False])

    def test_all_that_is_mapped(self):
        tables, whole = FORM.tables(read, ROOT)
        self.assertEqual((set(tables), whole), ({ROOT, TABLE}, True))
        leaves = list(FORM.leaves(tables, ROOT))
        self.assertEqual([leaf.va for leaf in leaves], [0, 0x3F_F000, 0x40_0000, 0xFFC0_0000])
        last = "0xffc00000..0xffffffff -> 0xffc00000 -r-x-    4 MB by 4 MB"
        self.assertEqual(snapshot.run_text(FORM, leaves[-1]), last)

    def test_execution_is_never_withheld(self):
        self.assertEqual(FACTS.perm_text(FORM.granted(FORM.walk(read, ROOT, 0))), "-rwx-")
        self.assertIn("cannot be withheld", FORM.note)
        self.assertEqual(FORM.flags(0, P | W | U | A | D | G), "P W U A D G")

    def test_addresses_and_entries_have_eight_digits(self):
        self.assertEqual(FACTS.named(FACTS.kernbase), '0xf0000000 (KERNBASE, in "window on physical memory")')
        self.assertEqual((FACTS.pa_text(0x1000), FACTS.entry_text(P)), ("0x00001000", "0x00000001"))
        new = {ROOT: ("kern_pgdir", *FORM.tables(read, ROOT))}
        lines = snapshot.compare(FORM, snapshot.Snapshot(), snapshot.Snapshot(directories=new))
        self.assertIn("kern_pgdir: + table of level 0 at 0x2000, for 4 MB from 0x00000000", lines)
        self.assertIn("kern_pgdir: + entry [957] is the directory itself: its tables show at 0xef400000", lines)

    def test_a_fault_in_words(self):
        said = fault.explain(FORM, fault.x86(0x40_0000, fault.PRESENT | fault.WRITE | fault.USER, 0, 0),
                             FORM.walk(read, ROOT, 0x40_0000))
        self.assertIn("User code tried to write to 0x00400000", said)
        self.assertIn("a 4 MB page, mapped -rwxg by level 1, entry [1]: not for user code", said)
        said = fault.explain(FORM, fault.x86(0x1000, 0, 0, 0), FORM.walk(read, ROOT, 0x1000))
        self.assertIn("level 0, entry [1], which is not present", said)

    def test_the_tour_has_blocks_of_its_own(self):
        text = "```console\n(gdb) p 1\n```\n```console i386\n(gdb) p 2\n$1 = 2\n```\n"
        self.assertEqual([tour.read(text, arch)[0][-1] for arch in ("x86_64", "i386")], ["p 1", "p 2"])
        for said, printed, matches in (
            ("KERNBASE 0xf0000000", "KERNBASE 0xf0000001", False),
            ("rip 0xf0101234", "rip 0xf0109999", True),
            ("level 1 [957]", "level 1 [956]", False),
            ("level 0 [456]", "level 0 [457]", True),
        ):
            pattern = tour.pattern(said, tour.MACHINES["i386"])
            self.assertEqual(bool(pattern.fullmatch(printed)), matches, (said, printed))


if __name__ == "__main__":
    unittest.main()
