"""Tests of the `jos` commands' parts that need no gdb, on RISC-V: entries that are tables or pages by R, W and X."""

import struct
import unittest

import tour
from josgdb import facts as facts_module
from josgdb import fault, snapshot
from josgdb.paging import Format

FACTS = facts_module.load(facts_module.path_of("riscv64"))
FORM = Format(FACTS)
# RISC-V privileged specification, 12.4: an address stands two bits to the right of its place.
V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
ROOT, MIDDLE, TABLE = 0x8000_1000, 0x8000_2000, 0x8000_3000


def entry(pa, flags):
    """An entry."""
    return pa >> 2 | flags


WORDS = {
    ROOT: entry(MIDDLE, V), ROOT + 8: entry(0x8000_0000, V | R | W),  # 1 GB
    ROOT + 8 * 511: entry(0x8000_0000, V | R),
    MIDDLE: entry(TABLE, V), MIDDLE + 8: entry(0x8020_0000, V | R | X | G),  # 2 MB
    TABLE: entry(0x8000_7000, V | R | W | U | A | D), TABLE + 8: entry(0x8000_8000, V | X),
    TABLE + 16: entry(0x8000_9000, V),  # no table can be there
    TABLE + 24: entry(0x8000_A000, V | R | U),
}


def read(pa, size):
    """Physical memory: the words above, and zeros elsewhere."""
    return b"".join(struct.pack("<Q", WORDS.get(at, 0)) for at in range(pa, pa + size, 8))


class Sv39(unittest.TestCase):
    """Facts, walks and texts."""

    def test_the_facts_are_those_of_the_specification(self):
        form = FACTS.format
        self.assertEqual((FORM.present, FORM.large, form["accessed"], form["dirty"]), (V, 0, A, D))
        self.assertEqual([form["grants"][name] for name in "RWXUG"], [R, W, X, U, G])
        self.assertEqual(set(form["withholds"].values()), {0})
        self.assertEqual([(level["size"], level["leaf"], level["others"]) for level in FACTS.levels],
                         [(1 << 12, R | W | X, "absent"), (1 << 21, R | W | X, "table"), (1 << 30, R | W | X, "table")])
        self.assertEqual(FACTS.place(FACTS.map["physical"]["PHYS_BASE"]), "UHEAP+0x40000000")
        self.assertEqual(FACTS.in_window(FACTS.kernbase + 0x1234), 0x8000_1234)
        self.assertEqual(FACTS.in_window(FACTS.addresses["PHYSMAP"] + (5 << 30)), 0x8000_0000 + (5 << 30))

    def test_walks(self):
        for va, levels, pa in ((0x123, 3, 0x8000_7123), (0x1004, 3, 0x8000_8004), (0x20_1234, 2, 0x8020_1234),
                               (0x4000_1234, 1, 0x8000_1234), ((1 << 64) - (1 << 30) + 0x123, 1, 0x8000_0123)):
            self.assertEqual((len(FORM.walk(read, ROOT, va)), FORM.translate(read, ROOT, va)), (levels, pa))

    def test_an_entry_of_the_last_level_that_grants_nothing_maps_nothing(self):
        step = FORM.walk(read, ROOT, 0x2000)[-1]
        self.assertEqual((step.level, step.entry.kind), (0, "absent"))

    def test_tables_withhold_nothing(self):
        texts = [FACTS.perm_text(FORM.granted(FORM.walk(read, ROOT, va))) for va in (0, 0x1000, 0x20_0000, 0x4000_0000)]
        self.assertEqual(texts, ["urw--", "---x-", "-r-xg", "-rw--"])

    def test_flags_by_name(self):
        self.assertEqual(FORM.flags(0, V | R | W | X | U | G | A | D), "V R W X U G A D")
        self.assertEqual(FORM.flags(1, V), "V")

    def test_all_that_is_mapped(self):
        tables, whole = FORM.tables(read, ROOT)
        self.assertEqual((set(tables), whole), ({ROOT, MIDDLE, TABLE}, True))
        pages = [leaf.va for leaf in FORM.leaves(tables, ROOT)]
        self.assertEqual(pages, [0, 0x1000, 0x3000, 0x20_0000, 0x4000_0000, 0xFFFF_FFFF_C000_0000])

    def test_canonical(self):
        ends = (0, (1 << 38) - 1, 1 << 38, (1 << 64) - (1 << 38) - 1, (1 << 64) - (1 << 38), (1 << 64) - 1)
        self.assertEqual([FORM.is_canonical(va) for va in ends], [True, True, False, False, True, True])

    def test_fields_of_registers(self):
        self.assertEqual(FACTS.fields("sstatus", 1 << 18 | 1 << 13 | 1 << 8), ["SPP", "FS=0x1", "SUM"])
        self.assertIsNone(FACTS.fields("CR0", 1))
        old, new = (snapshot.Snapshot({"sstatus": (value, FACTS.fields("sstatus", value)), "satp": (value, [])})
                    for value in (1 << 18, 1 << 19))
        self.assertEqual(snapshot.compare(FORM, old, new), ["sstatus: +MXR -SUM", "satp: 0x40000 -> 0x80000"])


class Faults(unittest.TestCase):
    """Tests of `jos why`."""

    def why(self, va, scause, sstatus=fault.SSTATUS_SPP):
        """The sentence about a fault."""
        return fault.explain(FORM, fault.riscv(va, scause, sstatus), FORM.walk(read, ROOT, va))

    def test_the_kernel(self):
        self.assertIn("The kernel tried to read 0x0000000000005000", self.why(0x5000, 13))
        self.assertIn("level 0, entry [5], which is not present", self.why(0x5000, 13))
        self.assertTrue(self.why(0x20_0000, 15).endswith("mapped -r-xg by level 1, entry [1]: not writable."))
        self.assertTrue(self.why(0x4000_0000, 12).endswith("not executable."))
        self.assertTrue(self.why(0x1000, 13).endswith("not readable."))
        self.assertIn("not canonical", self.why(1 << 38, 13))

    def test_the_users_pages(self):
        self.assertIn("a user page, and the kernel may not use those while sstatus.SUM is clear", self.why(0, 15))
        self.assertIn("say otherwise (they allow it)", self.why(0, 15, fault.SSTATUS_SPP | fault.SSTATUS_SUM))
        self.assertIn("not executable", self.why(0x3000, 12))

    def test_user_code(self):
        self.assertIn("User code tried to fetch an instruction from", self.why(0x1000, 12, 0))
        self.assertIn("not for user code", self.why(0x1000, 12, 0))
        self.assertTrue(self.why(0x3000, 15, 0).endswith("not writable."))

    def test_reading_code(self):
        self.assertIn("say otherwise", self.why(0x1000, 13, fault.SSTATUS_SPP | fault.SSTATUS_MXR))

    def test_the_harts_words(self):
        self.assertEqual(fault.riscv(0, 15, fault.SSTATUS_SUM).text, "scause 15: SPP=0 SUM=1 MXR=0")


class Tour(unittest.TestCase):
    """Its blocks in docs/stepping.md."""

    def test_what_differs_and_what_does_not(self):
        for said, printed, matches in (
            ("KERNBASE 0xfffffffff0000000", "KERNBASE 0xfffffffff0000001", False),
            ("UPAGES 0xfffffffb40000000", "UPAGES 0xfffffffb40001000", False),
            ("pc 0xfffffffff0201234", "pc 0xfffffffff0209999", True),
            ("level 2 [493]", "level 2 [494]", False),
            ("It returned 65536.", "It returned 65535.", False),
        ):
            pattern = tour.pattern(said, tour.MACHINES["riscv64"])
            self.assertEqual(bool(pattern.fullmatch(printed)), matches, (said, printed))


if __name__ == "__main__":
    unittest.main()
