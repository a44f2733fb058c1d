"""Tests of `make picture` and `make film`: stopping the machine, and its data. `make test-picture` runs them."""

import subprocess
import unittest
from pathlib import Path

import capture
from samples import (
    FOLDER, KERNEL, MACHINE, QEMU, QUICK, REGIONS, ROOT, TOOL, data, environments, film, perm, pictured, simulated,
)

LIMIT = 1_500_000  # bytes of a page


class Captured(unittest.TestCase):
    """Tests of pictures of good machines and bad ones."""

    def test_a_film_shows_each_step(self):
        shots = data(film())["shots"]
        titles = [shot["title"] for shot in shots]
        expected = ["mem_init begins", "detect_memory", "boot_alloc", "boot_alloc (2)", *MACHINE.self_map,
                    "page_init", "check_page_free_list", "check_page_alloc", "check_page", *REGIONS,
                    "check_kern_pgdir", "lcr3",
                    "check_page_free_list (2)", "check_page_installed_pgdir", "The application begins"]
        self.assertEqual([title for title in titles if title in expected], expected)
        self.assertLessEqual(len(titles), len(expected) + 2)
        for frames in data(film())["frames"]:
            self.assertEqual(sum(run[0] for run in frames["runs"]), MACHINE.frames)

    def test_pages_need_nothing_else_and_are_small(self):
        for page in (film(), simulated("jos64")):
            text = page.read_text()
            self.assertLess(len(text), LIMIT)
            self.assertNotRegex(text, r"https?://(?!www\.w3\.org/)|@import|\bsrc=")

    @staticmethod
    def shot(page, title):
        """The shot with a title."""
        return next(shot for shot in page["shots"] if shot["title"] == title)

    def test_a_step_is_the_machine_just_after_it(self):
        page = data(pictured("step", "page_init"))
        self.assertEqual([shot["title"] for shot in page["shots"]], ["page_init"])
        shown, filmed = page["frames"][0], data(film())
        self.assertEqual(shown, filmed["frames"][self.shot(filmed, "page_init")["frames"]])
        names = [page["owners"][run[1]] for run in shown["runs"]]
        self.assertNotIn("RAM, not in pages", names)
        free = sum(run[0] for run in shown["runs"] if page["owners"][run[1]] == "free")
        self.assertGreater(free, MACHINE.frames * 0.95)
        self.assertNotIn("in use (page_alloc)", names)

    def test_the_prompt_is_where_a_picture_is_taken(self):
        page = data(pictured("prompt", memory="256M", boot=MACHINE.second_boot))
        self.assertEqual([shot["title"] for shot in page["shots"]], ["The monitor waits at its prompt"])
        frames = page["frames"][0]
        self.assertEqual((frames["space"], sum(run[0] for run in frames["runs"])), ("kern_pgdir", MACHINE.frames_256m))
        self.assertIn("boot information", [page["owners"][run[1]] for run in frames["runs"]])
        self.assertIn([f"{MACHINE.kernbase}0000000", MACHINE.base, MACHINE.below_image, perm("-rw-g")], frames["maps"])

    def test_calls_can_be_counted(self):
        titles = [shot["title"] for shot in data(film())["shots"]]
        calls = [title for title in titles if title.startswith("boot_alloc")]
        for step, title in (("boot_alloc:1", calls[0]), ("boot_alloc", calls[-1])):
            self.assertEqual([shot["title"] for shot in data(pictured("step", step))["shots"]], [title])

    def test_a_picture_can_be_taken_while_programs_run(self):
        if not MACHINE.has_programs:
            self.assertIn("this kernel has no function env_alloc", self.refused("step", "env_alloc"))
            return
        page = data(environments())
        self.assertEqual([shot["title"] for shot in page["shots"]], ["Call 1 of env_free"])
        frames, owners = page["frames"][0], page["owners"]
        names = [f"environment {number:08x} (forktree)" for number in (0x1000, 0x1001, 0x1002)]
        self.assertEqual([name for name, _ in frames["envs"]][:3], names)
        owned = {owners[run[1]]: 0 for run in frames["runs"]}
        for count, owner, _, _, uses in frames["runs"]:
            owned[owners[owner]] += count
            if owners[owner] == "shared by several":
                self.assertGreaterEqual(uses, 2)
        # The code is shared, and each has a stack that it has written to since it was forked.
        self.assertGreater(owned["shared by several"], 2)
        self.assertGreaterEqual(owned["an environment's"], 2)
        text = environments().read_text()
        self.assertRegex(text, r"×2</[^>]*>.{0,20}COW|×2 <b>COW</b>")
        self.assertIn("RUNNING, its directory in use", text)

    def test_a_call_that_never_comes_is_told(self):
        if MACHINE.has_programs:
            said = self.refused("step", "env_alloc:9", boot=[*QUICK, "-append", "run=hello"])
            self.assertIn("env_alloc is called only 1 time", said)
            self.assertIn("env_run is called only 0 times", self.refused("step", "env_run"))

    def refused(self, *wish, **machine):
        """The error if there is no picture."""
        with self.assertRaises(capture.Failed) as caught:
            pictured(*wish, **machine)
        return str(caught.exception)

    def test_unknown_steps_are_named_beside_the_known(self):
        said = self.refused("step", "page_int")
        self.assertIn('unknown STEP "page_int"', said)
        for name in ("mem_init", "page_init", "boot_map_region", "check_page_installed_pgdir", "application_main",
                     "env_run"):
            self.assertIn(name, said)
        self.assertIn("page_init is called only 1 time", self.refused("step", "page_init:2"))

    def test_a_panic_before_the_step_is_told(self):
        said = self.refused("step", "page_init", **MACHINE.too_little)
        self.assertIn("mem_init did not come to its end", said)
        self.assertIn("too little RAM", said)

    def test_a_missing_qemu_is_told(self):
        with self.assertRaisesRegex(capture.Failed, "there is no no-such-qemu: install it"):
            capture.capture(TOOL, ["prompt"], Path(FOLDER.name, "none.html"), ["no-such-qemu"])
        with self.assertRaisesRegex(capture.Failed, "(?s)QEMU did not start.*no-such-option"):
            capture.capture(TOOL, ["prompt"], Path(FOLDER.name, "none.html"), [QEMU[0], "-no-such-option"])

    def test_a_dump_that_is_cut_off_is_told(self):
        core, facts = Path(FOLDER.name, "cut"), Path(FOLDER.name, "facts")
        core.write_bytes(b"\x7fELF")
        facts.write_text('{"title": "", "said": [], "usable": [], "reserved": []}')
        done = subprocess.run([TOOL, "read", MACHINE.layout, core, facts, ROOT / KERNEL], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^picture: .*cut: this is no core file")


if __name__ == "__main__":
    unittest.main()
