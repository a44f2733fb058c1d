"""Tests of the parts of gdb's `jos` commands that need no gdb: walks, runs, the free list, differences, faults.

Memory is a dictionary of words here. The facts are those of the sources: `make test-tools` has them printed.
test_narrow.py has the tests of a machine with entries and addresses of 32 bits.
"""

import json
import re
import shlex
import struct
import tempfile
import unittest
from pathlib import Path

import tour
import vscode
from josgdb import facts as facts_module
from josgdb import fault, snapshot
from josgdb.pages import Pages, ascending, info_text
from josgdb.paging import Format, Run, merged

FACTS = facts_module.load(facts_module.path_of("x86_64"))
FORM = Format(FACTS)
# Intel SDM vol. 3A, tables 4-15 to 4-20.
P, W, U, A, D, PS, G, XD = 1, 2, 4, 32, 64, 128, 256, 1 << 63
ROOT, PDPT, PD, PT = 0x1000, 0x2000, 0x3000, 0x4000


class Memory:
    """Physical memory: words by address, and zeros elsewhere."""

    def __init__(self, words):
        self.words = dict(words)

    def read(self, pa, size):
        """Reads memory, like josgdb's `read`."""
        return b"".join(struct.pack("<Q", self.words.get(at, 0)) for at in range(pa, pa + size, 8))


def small():
    """A root and a table per level: 4 KB pages at 0 and 0x1000, 2 MB at 2 MB, 1 GB at 1 GB, and the root at 510."""
    return Memory({
        ROOT: PDPT | P | W | U, ROOT + 8 * 510: ROOT | P | U | XD,
        PDPT: PD | P | W | U, PDPT + 8: 1 << 30 | P | PS | XD,
        PD: PT | P | W, PD + 8: 2 << 20 | P | W | PS | 1 << 12,
        PT: 0x7000 | P | W | U | XD, PT + 8: 0x8000 | P | W | U | XD,
    })


class Facts(unittest.TestCase):
    """The facts of the sources agree with the manuals, and a missing file is reported."""

    def test_bits(self):
        form = FACTS.format
        self.assertEqual((FORM.present, FORM.large, form["accessed"], form["dirty"]), (P, PS, A, D))
        self.assertEqual([form["grants"][name] for name in "WUG"], [W, U, G])
        self.assertEqual(form["withholds"]["X"], XD)
        self.assertEqual([level["size"] for level in FACTS.levels], [1 << 12, 1 << 21, 1 << 30, 1 << 39])
        self.assertEqual([level["page"] for level in FACTS.levels], [1, 1, 1, 0])

    def test_places(self):
        self.assertEqual(FACTS.place(FACTS.kernbase), "KERNBASE")
        self.assertEqual(FACTS.place(FACTS.kernbase + 0x1234), "KERNBASE+0x1234")
        self.assertEqual(FACTS.place(FACTS.kernbase - 1), "KSTACK+0x7fff")
        self.assertEqual(FACTS.place(0x1234), "")
        self.assertEqual(FACTS.region((1 << 64) - 1)["name"], "window on physical memory")
        self.assertEqual(sum(region["last"] - region["base"] + 1 for region in FACTS.regions), 1 << 64)

    def test_window(self):
        self.assertEqual(FACTS.in_window(FACTS.kernbase + 0x5000), 0x5000)
        self.assertIsNone(FACTS.in_window(FACTS.kernbase - 1))

    def test_a_missing_or_broken_file_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "facts.json")
            self.assertRaisesRegex(facts_module.Missing, "facts.json.*run make", facts_module.load, path)
            for text in ("", "{}", "[]nonsense", json.dumps({"map": {}})):
                path.write_text(text)
                self.assertRaisesRegex(facts_module.Missing, "run make", facts_module.load, path)

    def test_sizes(self):
        texts = [facts_module.size_text(size) for size in (4096, 3 << 20, 1 << 30, 1 << 39, 5)]
        self.assertEqual(texts, ["4 KB", "3 MB", "1 GB", "512 GB", "5 bytes"])


class Paging(unittest.TestCase):
    """Walks, and all that is mapped."""

    def walk(self, va, memory=None):
        """The walk in the small tables."""
        return FORM.walk((memory or small()).read, ROOT, va)

    def test_a_walk_to_each_size_of_page(self):
        for va, levels, pa in ((0x1234, 4, 0x8234), (0x20_1234, 3, 0x20_1234), (0x4000_1234, 2, 0x4000_1234)):
            self.assertEqual((len(self.walk(va)), FORM.translate(small().read, ROOT, va)), (levels, pa))

    def test_bit_12_of_a_large_page_is_no_address(self):
        self.assertEqual(self.walk(0x20_0000)[-1].entry.pa, 2 << 20)

    def test_a_walk_ends_where_nothing_is(self):
        for va, level in ((0x2000, 0), (0x40_0000, 1), (0x8000_0000, 2), (1 << 40, 3)):
            step = self.walk(va)[-1]
            self.assertEqual((step.entry.kind, step.level), ("absent", level))
            self.assertIsNone(FORM.translate(small().read, ROOT, va))

    def test_every_level_must_grant(self):
        perm = FORM.granted(self.walk(0))  # The level above does not grant U.
        self.assertEqual(FACTS.perm_text(perm), "-rw--")
        self.assertEqual(FACTS.perm_text(FORM.granted(self.walk(0x4000_0000))), "-r---")

    def test_flags_by_name(self):
        self.assertEqual(FORM.flags(0, P | W | G | PS | XD), "P W PAT G XD")
        self.assertEqual(FORM.flags(1, P | U | A | D | PS), "P U A D PS")
        self.assertEqual(FORM.flags(0, P | U | 0x800 | XD), "P U AVAIL=0x800 XD")
        self.assertEqual(FORM.flags(0, 0), "-")

    def test_canonical(self):
        ends = (0, (1 << 47) - 1, 1 << 47, (1 << 64) - (1 << 47), (1 << 64) - 1)
        self.assertEqual([FORM.is_canonical(va) for va in ends], [True, True, False, True, True])

    def test_the_upper_half_is_sign_extended(self):
        self.assertEqual(FORM.address(3, 0, 511), 0xFFFF_FF80_0000_0000)
        self.assertEqual(FORM.address(3, 0, 255), 0x7F80_0000_0000)

    def test_tables_and_pages_without_what_the_root_shows_of_itself(self):
        tables, whole = FORM.tables(small().read, ROOT)
        self.assertEqual((set(tables), whole), ({ROOT, PDPT, PD, PT}, True))
        self.assertEqual([leaf.va for leaf in FORM.leaves(tables, ROOT)], [0, 0x1000, 0x20_0000, 0x4000_0000])
        self.assertEqual(FORM.tables(small().read, ROOT, 2)[1], False)

    def test_a_circle_of_tables_ends(self):
        memory = small()
        memory.words[PD + 8 * 7] = PDPT | P | W
        tables, _ = FORM.tables(memory.read, ROOT)
        self.assertEqual(len(list(FORM.leaves(tables, ROOT))), 4)

    def test_neighbours_merge_only_if_they_go_on(self):
        def page(va, pa, perm=1):
            return Run(va, 0x1000, pa, perm, 0x1000, 0x1000)

        rows = ((0, 0x7000), (0x1000, 0x8000), (0x2000, 0x1000), (0x3000, 0x2000, 3), (0x5000, 0x4000, 3))
        runs = [(run.va, run.size) for run in merged([page(*row) for row in rows])]
        self.assertEqual(runs, [(0, 0x2000), (0x2000, 0x1000), (0x3000, 0x1000), (0x5000, 0x1000)])
        apart = list(merged([page(0, 0), page(0x1000, 0x1000)], lambda one, other: False))
        self.assertEqual(len(apart), 2)


def array(*infos, **more):
    """A Pages of (pp_link, pp_ref or the page before)."""
    return Pages(FACTS, b"".join(struct.pack("<II", *info) for info in infos), 0x9000, **more)


END, RESERVED, IN_USE = (FACTS.page_info[name] for name in ("END", "RESERVED", "IN_USE"))
HELD = (RESERVED, 1)


class PageStates(unittest.TestCase):
    """The array `pages`."""

    def test_states(self):
        pages = array(HELD, (2, 0), (END, 1), (IN_USE, 3), head=1, nfree=2)
        self.assertEqual([pages.state(i) for i in range(4)],
                         ["reserved, pp_ref 1", "free", "free", "in use, pp_ref 3"])
        self.assertEqual(pages.counts(), (2, 1, 1))
        self.assertEqual(info_text(FACTS, 2, 0), "free, next page 2")
        self.assertEqual(info_text(FACTS, END, 1), "free, the last on the list")

    def test_free_list(self):
        found = array(HELD, (3, 0), (END, 3), (2, 1), head=1).free_list()
        self.assertEqual((found.frames, found.fault), ([1, 3, 2], ""))

    def test_the_head_is_the_page_that_none_links_to(self):
        self.assertEqual(array(HELD, (3, 0), (END, 0), (2, 0)).find_head(), 1)

    def test_broken_lists_end_and_are_named(self):
        broken = (([HELD, (2, 0), (1, 1)], "circle"), ([HELD, (9, 0)], "out of pages"), ([HELD, (0, 0)], "page 0 is on"),
                  ([HELD, (2, 0), (3, 1), (END, 1)], "page 3 comes after page 2, but links back to page 1"))
        for infos, said in broken:
            self.assertIn(said, array(*infos, head=1).free_list().fault)

    def test_zeros_are_no_states_yet(self):
        pages = array((0, 0), (0, 0))
        self.assertFalse(pages.initialised)
        self.assertEqual(pages.state(1), "not set yet")

    def test_runs_up_and_down(self):
        self.assertEqual(ascending([1, 2, 3, 9, 8, 7, 4]), [(1, 3), (9, 7), (4, 4)])


class Differences(unittest.TestCase):
    """Tests of `jos diff`."""

    def shot(self, memory, pages=None, cr0=("PE",)):
        """A snapshot of the small tables."""
        registers = {"CR0": (len(cr0), list(cr0))}
        return snapshot.Snapshot(registers, {ROOT: ("kern_pgdir", *FORM.tables(memory.read, ROOT))}, pages)

    def compare(self, change, pages=(None, None), cr0=("PE",)):
        """The lines after a change of the small tables."""
        before, after = small(), small()
        change(after.words)
        return snapshot.compare(FORM, self.shot(before, pages[0]), self.shot(after, pages[1], cr0))

    def test_nothing(self):
        self.assertEqual(self.compare(lambda words: None), [])

    def test_mapped_unmapped_and_changed(self):
        lines = self.compare(lambda words: words.update({PT + 16: 0x9000 | P, PT: 0, PT + 8: 0x8000 | P | U | XD}))
        self.assertEqual([line.split(":")[1][1] for line in lines], ["+", "-", "!"])
        self.assertIn("-rw-- -> -r---", lines[2])

    def test_a_page_that_leads_elsewhere(self):
        lines = self.compare(lambda words: words.update({PT: 0xA000 | P | W | U | XD}))
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"! 0x0000000000000000\.\..* -> 0x00000a000 .*, before to 0x7000")

    def test_new_and_lost_tables(self):
        lines = self.compare(lambda words: words.update({PD + 16: 0x5000 | P | W, 0x5000: 0xB000 | P | W}))
        self.assertIn("kern_pgdir: + table of level 0 at 0x5000, for 2 MB from 0x0000000000400000", lines)
        lines = self.compare(lambda words: words.update({PD: 0}))
        self.assertIn("kern_pgdir: - table of level 0 at 0x4000, for 2 MB from 0x0000000000000000", lines)

    def test_what_the_processor_sets_is_no_change(self):
        lines = self.compare(lambda words: words.update({PT: words[PT] | A | D, PD: words[PD] | A}))
        self.assertEqual(lines, [])

    def test_registers(self):
        self.assertEqual(self.compare(lambda words: None, cr0=("PE", "WP")), ["CR0: +WP"])

    def test_counts(self):
        before = array(HELD, (2, 0), (3, 0), (END, 0), (IN_USE, 1))
        after = array(HELD, (IN_USE, 1), (IN_USE, 1), (END, 0), (IN_USE, 2))
        self.assertEqual(self.compare(lambda words: None, (before, after)), [
            "pages 1..2 (0x1000, 8 KB): free -> in use, pp_ref 1",
            "page 4 (0x4000): in use, pp_ref 1 -> in use, pp_ref 2",
            "free pages: 3 -> 1"])
        order = array(HELD, (3, 0), (END, 0), (2, 0), (IN_USE, 1))
        self.assertEqual(self.compare(lambda words: None, (before, order)), ["the free list's order changed: 3 links"])

    def test_long_lists_are_cut(self):
        self.assertEqual(snapshot.shorten(list("abcde"), 2), ["a", "b", "... and 3 more like these"])
        self.assertEqual(snapshot.shorten(list("abc"), 2), ["a", "b", "c"])


class Faults(unittest.TestCase):
    """Tests of `jos why`."""

    def why(self, va, error, cr0=fault.CR0_WP, cr4=0, eflags=0):
        """The sentence about a fault in the small tables."""
        return fault.explain(FORM, fault.x86(va, error, cr0, cr4, eflags), FORM.walk(small().read, ROOT, va))

    def test_not_present(self):
        self.assertIn("The kernel tried to read 0x0000000000002000", self.why(0x2000, 0))
        self.assertIn("level 0, entry [2], which is not present: nothing is mapped there", self.why(0x2000, 0))
        self.assertIn("there is no table for the 2 MB around it", self.why(0x40_0000, fault.WRITE))

    def test_not_writable(self):
        self.assertIn("not writable, and CR0.WP", self.why(0x4000_0000, fault.PRESENT | fault.WRITE))
        self.assertIn("say otherwise", self.why(0x4000_0000, fault.PRESENT | fault.WRITE, cr0=0))

    def test_not_for_users(self):
        self.assertIn("User code tried to write to", self.why(0, fault.PRESENT | fault.USER | fault.WRITE))
        self.assertIn("not for user code", self.why(0, fault.PRESENT | fault.USER))

    def test_not_executable(self):
        self.assertIn("not executable", self.why(0, fault.PRESENT | fault.FETCH))

    def test_reserved_bit(self):
        self.assertIn("a bit set that must be 0", self.why(0, fault.PRESENT | fault.RESERVED))

    def test_tables_that_have_changed(self):
        self.assertIn("say otherwise (they allow it)", self.why(0, fault.PRESENT))
        self.assertIn("say otherwise", self.why(0, fault.WRITE))

    def test_smap_and_smep(self):
        memory = small()
        memory.words[PD] |= U
        steps = FORM.walk(memory.read, ROOT, 0)
        perms = fault.x86(0, fault.PRESENT, fault.CR0_WP, fault.CR4_SMAP)
        self.assertIn("CR4.SMAP", fault.reason(FORM, perms, steps))
        allowed = fault.x86(0, fault.PRESENT, fault.CR0_WP, fault.CR4_SMAP, fault.EFLAGS_AC)
        self.assertEqual(fault.reason(FORM, allowed, steps), "")

    def test_error_code(self):
        self.assertEqual(fault.error_text(3), "error code 0x3: P=1 W=1 U=0 RSVD=0 I=0")


class Tour(unittest.TestCase):
    """Tests of reading docs/stepping.md, and of the patterns for values that differ from build to build."""

    TEXT = "words\n```console\n$ make gdb\nhello\n(gdb) p 1   # why\n$1 = 1\n```\n(gdb) no\n```sh\n(gdb) no\n```\n"

    def test_commands_and_lines(self):
        commands, patterns = tour.read(self.TEXT, "x86_64")
        self.assertEqual(commands, ("echo (gdb) p 1\\n", "p 1"))
        self.assertEqual([bool(p.fullmatch(s)) for p, s in zip(patterns, ("hello", "(gdb) p 1", "$1 = 1"))], [True] * 3)

    def test_what_differs_and_what_does_not(self):
        same = [
            ("kern_pgdir at 0x144000: 5 tables", "kern_pgdir at 0x155000: 5 tables", True),
            ("kern_pgdir at 0x144000: 5 tables", "kern_pgdir at 0x144000: 6 tables", False),
            ("va 0xffffff0000000000", "va 0xffffff8000000000", False),
            ("KERNBASE 0xfffffffff0000000", "KERNBASE 0xfffffffff0000001", False),
            ("rip 0xfffffffff0101234", "rip 0xfffffffff0109999", True),
            ("a.rs:12: let x = 5;", "a.rs:99:  let x = 5;", True),
            ("a.rs:12: let x = 5;", "a.rs:12: let x = 6;", False),
            ("86\t    let npages", "107     let npages", True),
            ("npages 65504", "npages 65505", False),
            ("free pages: 65204 -> 65201", "free pages: 60000 -> 59997", True),
            ("level 3 [511]", "level 3 [510]", False),
            ("page 4 (0x4000): free -> in use, pp_ref 1", "page 7 (0x7000): free -> in use, pp_ref 1", True),
            ("page 4 (0x4000): free -> in use, pp_ref 1", "page 4 (0x4000): free -> in use, pp_ref 2", False),
        ]
        for said, printed, matches in same:
            pattern = tour.pattern(said, tour.MACHINES["x86_64"])
            self.assertEqual(bool(pattern.fullmatch(printed)), matches, (said, printed))


class VisualStudioCode(unittest.TestCase):
    """The files in .vscode agree with one another and with the Makefile."""

    ROOT = Path(__file__).resolve().parents[2]

    def load(self, name):
        """A file of .vscode."""
        return json.loads((self.ROOT / ".vscode" / name).read_text())

    def test_a_configuration_is_gdb_commands(self):
        script = vscode.gdb_script(self.ROOT, "JOS64: boot and stop at mem_init", "host:1").splitlines()
        self.assertIn("target remote host:1", script)
        self.assertLess(script.index("source tools/gdb/init.gdb"), script.index("target remote host:1"))
        self.assertEqual(script[-1], "continue")
        self.assertNotIn("continue", vscode.gdb_script(self.ROOT, "JOS64: boot and stop at reset", "host:1"))
        self.assertNotIn("${", "".join(script))
        self.assertIn("jos program hello\n", vscode.gdb_script(self.ROOT, "JOS64: run a program and stop at umain", "host:1"))

    def test_a_folder_may_have_a_blank_in_its_name(self):
        for name in vscode.configurations(self.ROOT):
            script = vscode.gdb_script(self.ROOT, name, "host:1").replace(str(self.ROOT), "/a folder")
            # `cd` and `source` take the rest of their line, `file` takes words.
            for file in re.findall(r"(?m)^file (.*)$", script):
                self.assertEqual(len(shlex.split(file)), 1, file)

    def test_tasks_exist_and_the_port_is_one(self):
        tasks = {task["label"]: task for task in self.load("tasks.json")["tasks"]}
        port = "${config:jos64.gdbport}"
        used = re.findall(r"\$\{config:([\w.]+)\}", json.dumps([self.load("tasks.json"), self.load("launch.json")]))
        self.assertEqual(set(used), set(vscode.settings(self.ROOT)))
        makefile = (self.ROOT / "Makefile").read_text()
        for row in vscode.configurations(self.ROOT).values():
            task = tasks[row["preLaunchTask"]]
            self.assertEqual(row["miDebuggerServerAddress"], f"localhost:{port}")
            self.assertIn(f"GDBPORT={port}", task["args"])
        for task in tasks.values():
            for target in [word for word in task.get("args", []) if "=" not in word]:
                self.assertRegex(makefile, rf"(?m)^{re.escape(target)}:")

    def test_the_task_is_ready_when_the_makefile_says_that_qemu_waits(self):
        tasks = {task["label"]: task for task in self.load("tasks.json")["tasks"]}
        banner = re.search(r"(?m)^GDBBANNER = (.*)$", (self.ROOT / "Makefile").read_text())[1]
        for label in ("QEMU waits for the debugger", "QEMU waits for the debugger, with a program"):
            ends = tasks[label]["problemMatcher"]["background"]["endsPattern"]
            self.assertRegex(banner.replace("\\n", ""), ends)


if __name__ == "__main__":
    unittest.main()
