"""Tests of the reader: page tables and loaders' information made by hand, and judgements of machines that are wrong."""

import array
import struct
import unittest
from unittest import mock

import cpus
import judge
import loaderinfo
import memmap
import tableformat
from gradelib import Machine, Run, Test
from gradelib import judge as judge_run
from loaderinfo import RAM, LoaderInfo, Range
from machinestate import END, IN_USE, RESERVED, State
from tableformat import G, I386, PAGE, R, SV39, U, W, X, X86_64, Run as Mapped

MB = 1 << 20


class Memory:
    """Physical memory made by hand."""

    def __init__(self, size=64 * PAGE):
        self.data = bytearray(size)

    def load(self, pa, size):
        return bytes(self.data[pa : pa + size]) if pa + size <= len(self.data) else None

    def entry(self, form, table, index, value):
        struct.pack_into("<Q" if form.entry_bytes == 8 else "<I", self.data, table + index * form.entry_bytes, value)


class Walks(unittest.TestCase):
    """Tests of the walk, on each format."""

    def setUp(self):
        self.memory = Memory()

    def walk(self, form, **more):
        return tableformat.walk(form, self.memory.load, 0, **more)

    def test_x86_64_rights_are_those_that_all_levels_grant(self):
        for level, (table, value) in enumerate(((0, 0x1007), (0x1000, 0x2005), (0x2000, 0x3007), (0x3000, 0x9103))):
            self.memory.entry(X86_64, table, 511 if level == 0 else 1, value)
        tree = self.walk(X86_64)
        va = 0xFFFF_FF80_0000_0000 + (1 << 30) + (2 << 20) + PAGE
        self.assertEqual(tree.runs, [Mapped(va, PAGE, 0x9000, R | X | G)])
        self.assertEqual([table.pa for table in tree.tables], [0x1000, 0x2000, 0x3000])
        self.assertEqual(tree.odd, [])

    def test_neighbours_join_only_if_all_is_alike(self):
        self.memory.entry(I386, 0, 0, 0x1007)
        for index, value in enumerate((0x5003, 0x6003, 0x8003, 0x9001, 0xA007)):
            self.memory.entry(I386, 0x1000, index, value)
        runs = [(run.va, run.size, run.pa) for run in self.walk(I386).runs]
        self.assertEqual(
            runs, [(0, 0x2000, 0x5000), (0x2000, PAGE, 0x8000), (0x3000, PAGE, 0x9000), (0x4000, PAGE, 0xA000)]
        )

    def test_i386_large_pages(self):
        self.memory.entry(I386, 0, 960, 0x183)
        self.assertEqual(self.walk(I386).runs, [Mapped(0xF000_0000, 4 * MB, 0, R | W | X | G)])

    def test_sv39_tables_restrict_nothing(self):
        self.memory.entry(SV39, 0, 511, 0x1000 >> 2 | 1)
        self.memory.entry(SV39, 0x1000, 0, 0x20_0000 >> 2 | 0xC7)
        self.assertEqual(self.walk(SV39).runs, [Mapped(0xFFFF_FFFF_C000_0000, 2 * MB, 0x20_0000, R | W)])
        self.assertEqual(self.walk(SV39).odd, [])

    def test_odd_entries_of_sv39_are_named(self):
        for value, what in (
            (0x03, "bits 0x40 must be 1"), (0x47, "bits 0x80 must be 1"), (0x8D, "bits 0x4 must be 0"),
            (0xC5, "bits 0xc4 must be 0"), (1 << 54 | 0x43, "bits 0x40000000000000"), (0x41, "bits 0x40 must be 0"),
        ):
            memory = self.memory = Memory()
            memory.entry(SV39, 0, 3, value)
            self.assertIn(what, " ".join(self.walk(SV39).odd), hex(value))

    def test_odd_entries_are_named(self):
        for value, what in (
            (0x2, "neither absent nor present"), (0x100_0000_0003, "not in RAM"), (0x1083, "a page of"),
            (0x1103, "bits 0x100"), (0x101B, "bits 0x18"),
        ):
            memory = self.memory = Memory()
            memory.entry(X86_64, 0, 3, value)
            self.assertIn(what, " ".join(self.walk(X86_64).odd), hex(value))

    def test_a_misaligned_large_page_is_odd(self):
        for table, value in ((0, 0x1007), (0x1000, 0x2007), (0x2000, 0x30_0083)):
            self.memory.entry(X86_64, table, 0, value)
        self.assertIn("bits 0x100000", " ".join(self.walk(X86_64).odd))

    def test_a_tree_without_end_is_given_up(self):
        for index in range(512):
            self.memory.entry(X86_64, 0, index, 0x7)
        with self.assertRaises(OverflowError):
            self.walk(X86_64)


class Loaders(unittest.TestCase):
    """Tests of the loader's information."""

    def test_the_more_restrictive_entry_counts_and_pages_are_whole(self):
        info = LoaderInfo(((0, 0x3800, RAM), (0x3800, 0x2800, RAM), (0x1234, 1, 2), (0x8010, 0x2000, RAM)), ())
        self.assertEqual(info.ram(), [Range(0, 0x1000), Range(0x2000, 0x6000), Range(0x9000, 0xA000)])

    def test_multiboot2(self):
        memory_map = struct.pack("<II", 24, 0) + struct.pack("<QQII", 0, MB, RAM, 0)
        tags = struct.pack("<IIII", 3, 17, 0x5000, 0x5004) + bytes(8)
        tags += struct.pack("<II", 6, 8 + len(memory_map)) + memory_map + struct.pack("<II", 0, 8)
        data = struct.pack("<II", 8 + len(tags), 0) + tags
        info = loaderinfo.read(lambda pa, size: data[pa - 64 : pa - 64 + size], loaderinfo.MULTIBOOT2, 64)
        self.assertEqual(info.entries, ((0, MB, RAM),))
        self.assertEqual(info.kept_pages(), [Range(0, 0x1000), Range(0x5000, 0x6000)])

    def test_device_tree(self):
        names = b"reg\0#address-cells\0#size-cells\0linux,initrd-start\0linux,initrd-end\0"

        def words(*numbers):
            return b"".join(struct.pack(">I", number) for number in numbers)

        def node(name, *inner):
            return words(1) + name + bytes(4 - len(name) % 4) + b"".join(inner) + words(2)

        def given(name, *numbers):
            return words(3, 4 * len(numbers), names.index(name + b"\0")) + words(*numbers)

        structure = node(
            b"", given(b"#address-cells", 2), given(b"#size-cells", 1),
            node(b"chosen", given(b"linux,initrd-start", 0x8000_5004), given(b"linux,initrd-end", 0x8000_6000)),
            node(b"memory@80000000", given(b"reg", 0, 0x8000_0000, 0x1_0000, 1, 0, 0x8000)),
            node(
                b"reserved-memory", given(b"#address-cells", 1), given(b"#size-cells", 1),
                node(b"firmware", given(b"reg", 0x8000_0000, 0x2000)),
            ),
            node(b"soc", node(b"memory@0", given(b"reg", 0, 0, 0x1_0000))), words(4),
        ) + words(9)
        list_at = 40
        tree_at = list_at + 32
        size = tree_at + len(structure) + len(names)
        strings_at = tree_at + len(structure)
        data = words(0xD00D_FEED, size, tree_at, strings_at, list_at, 17, 16, 0, len(names), len(structure))
        data += struct.pack(">4Q", 0x8000_9000, 0x1000, 0, 0) + structure + names
        info = loaderinfo.read(lambda pa, size: data[pa - 64 : pa - 64 + size], 0, 64)
        self.assertEqual(info.ram(), [
            Range(0x8000_2000, 0x8000_9000), Range(0x8000_A000, 0x8001_0000), Range(1 << 32, 0x1_0000_8000),
        ])
        self.assertEqual(info.kept_pages(), [Range(0x8000_5000, 0x8000_6000)])

    def test_no_protocol(self):
        self.assertIsNone(loaderinfo.read(lambda pa, size: bytes(size), 1, 0))


class Maps(unittest.TestCase):
    """Tests of the map of x86-64, and of its comparison with what tables say."""

    jos, nr_parts = memmap.JOS64, 7
    gaps = (
        (0xFFFF_8000_0000_0000, "below UPAGES"), (0xFFFF_FFFF_EFFF_7000, "the gap below the kernel stack"),
        (0xFFFF_FF80_0000_0000, "a hole in PHYSMAP"), (0xFFFF_FFFF_EF80_0000, "the addresses for devices"),
    )

    def setUp(self):
        start = self.jos.phys_base + MB
        kernel = memmap.Kernel(*(start + pages * PAGE for pages in (0, 4, 6, 16, 8)))
        ram = [Range(self.jos.phys_base, start - 0x6_0000), Range(start, start + 299 * MB)]
        self.parts = memmap.parts(self.jos, kernel, ram, start + MB, 150 * PAGE)
        self.runs = [Mapped(part.va, part.size, part.pa, part.rights) for part in self.parts]
        self.assertEqual(len(self.parts), self.nr_parts)

    def complaints(self):
        return list(judge.compare(self.jos, self.parts, sorted(self.runs)))

    def test_the_map_itself_is_right(self):
        self.assertEqual(self.complaints(), [])

    def test_each_missing_or_changed_part_is_named(self):
        kept = list(self.runs)
        for index, part in enumerate(self.parts):
            for run in (kept[index]._replace(rights=part.rights ^ U), kept[index]._replace(pa=part.pa + PAGE), None):
                self.runs = kept[:index] + ([run] if run else []) + kept[index + 1 :]
                self.assertEqual(len(self.complaints()), 1)
                self.assertIn(f"{part.name}: {part.va:#x} must lead to {part.pa:#x}", self.complaints()[0])

    def test_a_mapping_in_each_gap_is_named(self):
        for va, name in self.gaps:
            self.runs.append(Mapped(va, PAGE, 0x5000, R))
            self.assertIn(f"{name}", self.complaints()[0])
            self.assertIn(f"{va:#x} must not be mapped, but leads to 0x5000", self.complaints()[0])
            self.runs.pop()


class Maps32(Maps):
    """Tests of the map of i386: there is no PHYSMAP, and whatever can be read can be executed."""

    jos, nr_parts = memmap.JOS32, 6
    gaps = (
        (0xEEC0_0000, "below UPAGES"), (0xEFFF_7000, "the gap below the kernel stack"),
        (0xEF80_0000, "the addresses for devices"), (0xEF00_0000 + 150 * PAGE, "above pages in UPAGES"),
    )

    def test_all_is_executable(self):
        self.assertEqual({part.rights & X for part in self.parts}, {X})


class MapsSv39(Maps):
    """Tests of the map of RISC-V: RAM does not begin at 0, and there are devices of five pages."""

    jos, nr_parts = memmap.JOSSV39, 12
    gaps = (
        (0xFFFF_FFC0_0000_0000, "below UPAGES"), (0xFFFF_FFFF_EFFF_7000, "the gap below the kernel stack"),
        (0xFFFF_FFFB_C000_0000, "a hole in PHYSMAP"), (0xFFFF_FFFF_EF80_5000, "the addresses for devices"),
    )


class SelfMaps(unittest.TestCase):
    """Tests of what UVPT shows, on i386: a root, one table, and a large page whose first frame is that table."""

    ROOT, TABLE, UVPT = 0, 4 * MB, 0x3BD

    def complaints(self, uvpt=0x5, table=4 * MB | 0x27):
        memory, state = Memory(8 * MB), State.__new__(State)
        for index, value in ((0x3BC, table), (self.UVPT, uvpt), (0x3C1, 4 * MB | 0x183)):
            memory.entry(I386, self.ROOT, index, value)
        memory.entry(I386, self.TABLE, 0, 0x5005)
        state.jos, state.ram, state.root, state.load = memmap.JOS32, [Range(0, 8 * MB)], self.ROOT, memory.load
        return list(judge.self_map(state))

    def test_a_table_may_begin_a_large_page(self):
        self.assertEqual(self.complaints(), [])

    def test_wrong_entries_are_named(self):
        self.assertIn("does not lead to the root", self.complaints(uvpt=0x1005)[0])
        self.assertIn("none of -w--- is allowed", self.complaints(uvpt=0x7)[0])
        self.assertIn("shows 0x0 r-x--, a page table", self.complaints(uvpt=0x1)[0])
        self.assertIn("page table 0x400000 is not shown", self.complaints(table=4 * MB | 0x23)[0])


class Processors(unittest.TestCase):
    """Tests of what is known of processors."""

    def test_registers_are_passed_whole(self):
        for cpu, size in ((cpus.X86_64, 17 * 8 + 4), (cpus.I386, 9 * 4 + 4), (cpus.RISCV64, 33 * 8)):
            registers = {name: 3 * place for place, name in enumerate((*cpu.general, *cpu.flags))}
            self.assertEqual(len(cpu.pack(registers)), size)
            self.assertEqual(cpu.unpack(cpu.pack(registers) + b"more"), registers)

    def test_handlers(self):
        stub = mock.Mock()
        stub.monitor.return_value = "IDT=     1000 00000fff\n stvec    fffffffff02324c0\n satp     8000000000080300"
        gate = bytes.fromhex("3412 0800 008e 7856 efcdab90 00000000")
        stub.read_memory.side_effect = lambda at, size: gate[:size] if at == 0x1000 + 14 * size else None
        self.assertEqual(cpus.X86_64.handler(stub), 0x90AB_CDEF_5678_1234)
        self.assertEqual(cpus.I386.handler(stub), 0x5678_1234)
        self.assertEqual(cpus.RISCV64.handler(stub), 0xFFFF_FFFF_F023_24C0)

    def test_the_root_table(self):
        said = " satp     8000000000080300\n x0/zero  0000000000000000 x1/ra    0000000000000001"
        registers = cpus.RISCV64.registers(said)
        self.assertEqual(registers, {"satp": 0x8000_0000_0008_0300, "zero": 0, "ra": 1})
        self.assertEqual(cpus.RISCV64.root_table(registers), 0x8030_0000)
        self.assertEqual(cpus.I386.root_table(cpus.I386.registers("CR2=00000000 CR3=00104018")), 0x10_4000)

    def test_calls(self):
        number = 0x1_0000_0002
        self.assertEqual(cpus.X86_64.call((number, 3), 9), ({"di": number, "si": 3}, (9,)))
        self.assertEqual(cpus.I386.call((number, 3), 9), ({}, (9, 2, 1, 3, 0)))
        self.assertEqual(cpus.RISCV64.call((number, 3), 9), ({"a0": number, "a1": 3, "ra": 9}, ()))
        self.assertEqual(cpus.X86_64.returned({"ax": number, "dx": 7}), number)
        self.assertEqual(cpus.I386.returned({"ax": 2, "dx": 1}), number)

    def test_addresses_that_do_not_exist(self):
        self.assertEqual(memmap.JOS64.nowhere, (1 << 47, 0xFFFF_7FFF_FFFF_F000))
        self.assertEqual(memmap.JOS32.nowhere, (1 << 32, 1 << 63))
        self.assertEqual(memmap.JOSSV39.nowhere, (1 << 38, 0xFFFF_FFBF_FFFF_F000))


class Lists(unittest.TestCase):
    """Tests of the free list's judgement."""

    def state(self, links, refs, head, nfree):
        state = State.__new__(State)
        state.jos, state.ram = memmap.JOS64, [Range(0, len(links) * PAGE)]
        state.links, state.refs, state.head, state.nfree = array.array("I", links), array.array("I", refs), head, nfree
        return state

    def complaints(self, *what):
        return " ".join(judge.free_list(self.state(*what)))

    def test_a_whole_list(self):
        self.assertEqual(self.complaints([1, 2, END], [9, 0, 1], 0, 3), "")
        self.assertEqual(self.complaints([END], [0], END, 0), "")

    def test_broken_lists(self):
        for what, says in (
            (([1, 0], [1, 0], 0, 2), "in a circle"), (([5, END], [0, 0], 0, 1), "leads to frame number 0x5"),
            (([1, IN_USE], [0, 0], 0, 1), "its pp_ref is 0"), (([1, END], [0, 7], 0, 2), "links back to 0x7"),
            (([1, END], [0, 0], 0, 3), "the kernel's counter says 3"),
        ):
            self.assertIn(says, self.complaints(*what))

    def test_runs(self):
        orders = [judge.largest_run(bytes(flags)) for flags in ([0] * 8, [0, 1, 1, 0], [0, 0, 1, 1], [1] * 512)]
        self.assertEqual(orders, [-1, 0, 1, 9])


class Reservations(unittest.TestCase):
    """Tests of which frames must be reserved: 0, the kernel's 2 and 3, the root 4, `pages` in 5, the table of runs in
    6, and RAM that is given up, 10 and 11."""

    def complaints(self, given_up=(Range(10 * PAGE, 12 * PAGE),), free=()):
        state = State.__new__(State)
        state.jos, state.ram, state.given_up = memmap.JOS32, [Range(0, 64 * PAGE)], given_up
        state.info, state.kernel = LoaderInfo((), ()), memmap.Kernel(2 * PAGE, 0, 0, 4 * PAGE, 0)
        state.root, state.pages_at, state.pages_size = 4 * PAGE, 5 * PAGE, PAGE
        reserved = {0, 2, 3, 4, 5, 6, 10, 11}.difference(free)
        state.links = array.array("I", [RESERVED if number in reserved else END for number in range(64)])
        return list(judge.reservations(state))

    def test_frames_that_are_reserved_have_a_reason(self):
        self.assertEqual(self.complaints(), [])
        self.assertIn("3 frames are reserved for no known reason (0x6000, 0xa000", self.complaints(given_up=())[0])

    def test_frames_that_must_be_reserved_are(self):
        for number, name in ((0, "page 0"), (3, "the kernel"), (4, "kern_pgdir"), (5, "the array"), (11, "RAM that")):
            self.assertIn(f"frame {number * PAGE:#x} of {name}", self.complaints(free=[number])[0])

    def test_the_kernel_can_be_read_where_the_loader_tells_of_no_ram(self):
        state, memory = State.__new__(State), Memory()
        state.ram, state.kernel = [Range(0, 2 * PAGE)], memmap.Kernel(4 * PAGE, 0, 0, 6 * PAGE, 0)
        state._load, state._tables = memory.load, {}
        found = [state.load(number * PAGE, 8) is not None for number in range(7)]
        self.assertEqual(found, [True, True, False, False, True, True, False])


class Verdicts(unittest.TestCase):
    """Tests of how a verdict decides a test."""

    def judge(self, verdicts):
        run = Run([], bytearray(b"a line\n"), status=33, verdicts=verdicts)
        return judge_run(Test("a test", 5, Machine(), ("a line",), verdicts=("map",)), run)

    def test_the_line_alone_is_not_enough(self):
        self.assertEqual(self.judge({}), ["in the machine: map: never judged"])
        self.assertEqual(self.judge({"map": ["0x1000 is mapped"]}), ["in the machine: 0x1000 is mapped"])
        self.assertEqual(self.judge({"map": [], "frames": ["not asked for"]}), [])


if __name__ == "__main__":
    unittest.main()
