"""Tests of the pages that `make picture` and `make film` draw, in a real browser. `make test-picture` runs them.

Without a Chromium they are left out, and that is said.
"""

import colorsys
import json
import re
import sys
import unittest

import capture
import webdriver
from samples import MACHINE, REGIONS, TOOL, data, drawn, environments, film, perm, simulated

# The area of all paths of a grid, in cells; every path consists of rectangles.
AREA = """
  const svg = document.getElementById(arguments[0]), size = svg.geometry.size ** 2;
  let area = 0;
  for (const path of svg.querySelectorAll(".frames")) {
    for (const [, width, height] of path.getAttribute("d").matchAll(/h(\\d+)v(\\d+)/g)) area += width * height / size;
  }
  return area;"""
# The middle of a frame's cell on the screen.
PLACE = """
  const svg = document.getElementById(arguments[0]), { first, per, columns, size } = svg.geometry;
  const cell = Math.floor((arguments[1] - first) / per);
  const point = new DOMPoint((cell % columns + 0.5) * size, (Math.floor(cell / columns) + 0.5) * size);
  svg.scrollIntoView({ block: "center" });
  const { x, y } = point.matrixTransform(svg.getScreenCTM());
  return [x, y];"""
KEYS = {"right": "\ue014", "left": "\ue012", "down": "\ue015", "end": "\ue010", "enter": "\ue007"}


def setUpModule():
    """Skips all tests if there is no browser."""
    if not webdriver.browser():
        print("*** NOT TESTED: the pages in a browser: there is no Chromium with a chromedriver ***", file=sys.stderr)
        raise unittest.SkipTest("no browser")


class Pages(unittest.TestCase):
    """The pages in Chromium."""

    @classmethod
    def setUpClass(cls):
        cls.browser = webdriver.Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def open(self, page, fragment="", width=1280, height=800):
        """Shows a page."""
        self.browser.size(width, height)
        self.browser.scheme("light")
        self.address = page.as_uri() + fragment
        self.browser.open(self.address)

    def tearDown(self):
        """After every test: nothing on the console, and no request except for the page."""
        said, asked = self.browser.logs()
        self.assertEqual(said, [])
        asked = [address for address in asked if not address.startswith("data:")]
        self.assertEqual(asked, [self.address.partition("#")[0]])

    @staticmethod
    def at(title):
        """The end of the film's address that opens it at a step."""
        return f"#{[shot['title'] for shot in data(film())['shots']].index(title) + 1}"

    def text(self, identity):
        """The text of an element."""
        return self.browser.run("return document.getElementById(arguments[0]).textContent", identity)

    def hover(self, grid, frame):
        """The description of a frame that the mouse points at."""
        self.browser.point(*self.browser.run(PLACE, grid, frame))
        return self.text("frame")

    def test_every_cell_is_drawn_once(self):
        pages = (film(), *map(simulated, ("jos64", "jos32", "jossv39")))
        for page in (*pages, environments()) if MACHINE.has_programs else pages:
            for width in (1280, 400):
                self.open(page, width=width)
                frames = sum(run[0] for run in data(page)["frames"][0]["runs"])
                self.assertEqual(self.browser.run(AREA, "overview"), frames)
                self.assertEqual(self.browser.run(AREA, "closeup"), 1024)

    def test_hovering_tells_the_frame(self):
        self.open(film(), f"#{len(data(film())['shots'])}")
        image, base = MACHINE.image // 4096, MACHINE.base
        kernel = self.hover("closeup", image)
        self.assertRegex(kernel, rf"^Frame {image} at {base + MACHINE.image:#x}: kernel code; reserved, pp_ref 1; "
                                 rf"kern_pgdir maps it at {MACHINE.kernbase}0{MACHINE.image:06x} -r-xg\.$")
        self.assertRegex(self.hover("closeup", 0), rf"^Frame 0 at {base:#x}: {MACHINE.first}; reserved, pp_ref 1")
        if not base:
            self.assertRegex(self.hover("closeup", 0xB8), r"^Frame 184 at 0xb8000: reserved, devices \(the hole")
        middle = rf"^Frame 12,000 at {base + 0x2ee0000:#x}: free; free, pp_ref 0"
        self.assertRegex(self.hover("overview", 12_000), middle)
        # A frame with two mappings, and the last of each run: no lookup is off by one.
        frames = data(film())["frames"][-1]
        at = 0
        for count, owner, *_ in frames["runs"]:
            at += count
            if at <= 1024:
                said = self.hover("closeup", at - 1)
                name = re.escape(data(film())["owners"][owner])
                self.assertRegex(said, rf"^Frame {at - 1} at {base + (at - 1) * 4096:#x}: {name}")
            if "pages array;" in said:
                upages = rf"{MACHINE.upages[:-5]}[0-9a-f]{{5}} {perm('ur---')}"
                window = rf"{MACHINE.kernbase}0[0-9a-f]{{6}} {perm('-rw-g')}"
                self.assertRegex(said, rf"maps it at ({upages} and {window}|{window} and {upages})")

    def test_the_keyboard_tells_frames_too(self):
        self.open(simulated("jos64"))
        self.browser.type("#closeup", KEYS["right"] * 3 + KEYS["down"])
        self.assertRegex(self.text("frame"), r"^Frame 67 at 0x43000: free;")
        # Moving past the end of the close-up moves the close-up.
        self.browser.type("#closeup", KEYS["down"] * 20)
        self.assertRegex(self.text("closeup-hint"), "from 0x400000")

    def test_a_click_enlarges_another_part(self):
        self.open(film(), self.at("page_init"))
        x, y = self.browser.run(PLACE, "overview", 10_000)
        self.browser.point(x, y)
        self.browser.run("document.getElementById('overview').dispatchEvent(new PointerEvent('pointerdown', "
                         "{clientX: arguments[0], clientY: arguments[1]}))", x, y)
        self.assertIn(f"from {MACHINE.base + 10_000 // 512 * 512 * 4096:#x}", self.text("closeup-hint"))

    def test_the_legend_leads_to_its_frames(self):
        self.open(simulated("jos32"))
        names = data(simulated("jos32"))["owners"]
        self.browser.click(f"[data-owner='{names.index('pages array')}']")
        self.assertRegex(self.text("frame"), "^Frame .*: pages array")

    def test_many_frames_share_a_cell(self):
        shot = json.loads(capture.run([TOOL, "sim", "jos64"]))
        shot["frames"]["runs"][-1]["count"] += 1_000_000
        total = sum(run["count"] for run in shot["frames"]["runs"])
        self.open(drawn("many", shot), width=2560, height=1600)
        self.assertIn("a cell is 16 frames", self.text("overview-hint"))
        self.assertEqual(self.browser.run(AREA, "overview"), -(-total // 16))
        self.assertRegex(self.hover("overview", 900_000), r"^Frame 900,000 at 0xdbba0000: free")

    @unittest.skipUnless(MACHINE.has_programs, "no programs on this machine")
    def test_a_frame_tells_which_environments_map_it(self):
        self.open(environments())
        rows = self.browser.run("return [...document.querySelectorAll('.scroll tbody tr')].map((row) => row.textContent)")
        self.assertTrue(any("program" in row for row in rows) and any("stack" in row for row in rows), rows)
        # The lowest row of the program, the last, is its code; each of its frames is in all environments.
        code = [row for row in rows if "program" in row and "ur-x-" in row][-1]
        frame = (int(re.search(r"0x([0-9a-f]+) ", code.partition("program")[2])[1], 16) - MACHINE.base) // 4096
        said = self.hover("overview", frame)
        self.assertRegex(said, r"shared by several \(.*\); in use, pp_ref [3-9]")
        for env in ("00001000", "00001001", "00001002"):
            self.assertRegex(said, rf"environment {env} \(forktree\)[^;]* at 0x[0-9a-f]+ ur-x-")

    def test_the_tree_opens_by_click_and_by_keyboard(self):
        self.open(simulated("jos64"))
        tables = "return [...document.querySelectorAll('details.entry')].filter((row) => row.checkVisibility()).length"
        is_open = "return document.querySelector('details.entry').open"
        closed = self.browser.run(tables)
        self.assertFalse(self.browser.run(is_open))
        self.browser.click("details.entry > summary")
        self.assertTrue(self.browser.run(is_open))
        self.assertGreater(self.browser.run(tables), closed)
        self.browser.type("details.entry > summary", KEYS["enter"])
        self.assertFalse(self.browser.run(is_open))
        self.browser.type("details.entry > summary", KEYS["enter"])
        self.assertTrue(self.browser.run(is_open))
        self.browser.click("button.open")
        every = "return document.querySelectorAll('details.entry').length"
        self.assertEqual(self.browser.run(tables), self.browser.run(every))
        self.browser.click("button.close")
        self.assertEqual(self.browser.run(tables), closed)

    def test_what_is_enlarged_is_marked_beside_its_rows(self):
        marks = """
          const svg = document.getElementById("overview"), { columns, size } = svg.geometry;
          const lines = [...svg.querySelector(".window").getAttribute("d").matchAll(/M(\\S+) (\\d+)V(\\d+)/g)];
          return lines.map(([, x, top, bottom]) => [x / size / columns, top / size, bottom / size]);"""
        self.open(film(), self.at("page_init"))  # 64 MB: rows of 256 frames, of which 1024 are enlarged
        for frame, rows in ((0, [0, 4]), (10_000, [38, 42])):
            self.browser.click("body")
            x, y = self.browser.run(PLACE, "overview", frame)
            self.browser.run("document.getElementById('overview').dispatchEvent(new PointerEvent('pointerdown', "
                             "{clientX: arguments[0], clientY: arguments[1]}))", x, y)
            (left, *first), (right, *second) = self.browser.run(marks)
            self.assertTrue(left < 0 and right > 1, (left, right))
            self.assertEqual((first, second), (rows, rows))

    def test_no_two_owners_share_a_hue(self):
        fills = """
          return [...document.querySelectorAll("pattern[id^='f-o'] .ground")].map((ground) =>
            getComputedStyle(ground).fill.match(/\\d+/g).map(Number));"""
        self.open(simulated("jos64"))
        for scheme in ("light", "dark"):
            self.browser.scheme(scheme)
            colours = [colorsys.rgb_to_hsv(*(part / 255 for part in fill)) for fill in self.browser.run(fills)]
            # The colours of free frames, of devices and of unknown frames are greys.
            hues = sorted(360 * hue for hue, saturation, _ in colours if saturation > 0.3)
            self.assertEqual(len(hues), 10)
            apart = [(b - a) % 360 for a, b in zip(hues, hues[1:] + hues[:1])]
            self.assertGreaterEqual(min(apart), 20, (scheme, hues))

    def test_the_letters_are_explained_and_map_and_tree_run_alike(self):
        self.open(simulated("jos64"))
        legend = self.browser.run("return document.querySelector('.letters').textContent")
        used = self.browser.run("return [...document.querySelectorAll('.perm b')].map((b) => b.textContent).join('')")
        letters = self.browser.run("return [...document.querySelectorAll('.letters b')].map((b) => b.textContent)")
        self.assertLessEqual(set(used) - set("≤ "), set(letters))
        self.assertRegex(legend, "RW/-- .*kernel / the user")
        for rows, va in ((".space", ".edge code"), (".rows", ".va")):
            shown = self.browser.run("""
              const rows = document.querySelector(arguments[0]).children;
              return [...rows].map((row) => row.querySelector(arguments[1]).textContent);""", rows, va)
            self.assertGreater(len(shown), 2)
            self.assertEqual(shown, sorted(shown, reverse=True))

    def test_the_slider_moves_and_the_picture_changes(self):
        self.open(film())
        seen = "return [document.getElementById('closeup').innerHTML, document.getElementById('caption').textContent]"
        before = self.browser.run(seen)
        steps, place = len(data(film())["shots"]), int(self.at("page_init")[1:])
        self.assertEqual(self.text("where"), f"1 of {steps}")
        self.browser.type("#step", KEYS["right"] * (place - 1))
        self.assertEqual(self.text("where"), f"{place} of {steps}")
        grid, caption = self.browser.run(seen)
        self.assertTrue(caption.startswith("page_init"))
        self.assertNotEqual(grid, before[0])
        self.assertIn("changed", grid)
        self.browser.click("#next")
        self.assertTrue(self.text("caption").startswith("check_page_free_list"))
        self.browser.click("#back")
        self.assertEqual(self.browser.run(seen)[0], grid)
        self.browser.click(f"[data-step='{int(self.at(REGIONS[4])[1:]) - 1}']")
        self.assertTrue(self.text("caption").startswith("boot_map_region (5)"))
        new = "return document.querySelector('.space .new').closest('.region').textContent"
        self.assertIn("KSTACK", self.browser.run(new))
        self.browser.type("#step", KEYS["end"])
        self.assertEqual(self.text("where"), f"{steps} of {steps}")

    def test_what_was_opened_stays_open_from_step_to_step(self):
        self.open(film(), self.at("check_page_installed_pgdir"))
        self.browser.click(".directory details.entry > summary")
        self.browser.click("#next")
        self.assertTrue(self.browser.run("return document.querySelector('.directory details.entry').open"))

    def test_dark_mode_changes_the_colours(self):
        self.open(simulated("jos64"))
        colours = """
          const of = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
          return [of("body", "backgroundColor"), of("body", "color"), of("#f-rw .ground", "fill")];"""
        light = self.browser.run(colours)
        self.browser.click("#theme")
        dark = self.browser.run(colours)
        self.assertTrue(all(a != b for a, b in zip(light, dark)), (light, dark))
        self.browser.click("#theme")
        self.assertEqual(self.browser.run(colours), light)
        self.open(simulated("jos64"))
        self.browser.scheme("dark")
        self.assertEqual(self.browser.run(colours), dark)
        self.browser.click("#theme")
        self.assertEqual(self.browser.run(colours), light)

    def test_nothing_is_wider_than_the_screen(self):
        for page in (film(), *map(simulated, ("jos64", "jos32", "jossv39"))):
            for width in (400, 700, 1280):
                self.open(page, width=width)
                self.browser.run("for (const row of document.querySelectorAll('details')) row.open = true")
                wide = self.browser.run("return document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, (page.name, width))

    def test_letters_can_be_read_on_their_ground(self):
        """Contrast of at least 4.5 to 1 for text (WCAG 2.2, 1.4.3), in both themes."""
        self.open(environments() if MACHINE.has_programs else simulated("jos64"))
        contrast = """
          const linear = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          const light = (text) => {
            const [r, g, b] = text.match(/[\\d.]+/g).map((number) => linear(number / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (row) => { for (; row; row = row.parentElement) {
            const colour = getComputedStyle(row).backgroundColor;
            if (!colour.endsWith(", 0)")) return colour;
          } return "rgb(255, 255, 255)"; };
          let least = 99;
          const words = "h1, h2, h3, p, code, b, span, li, summary, button, td, th, caption";
          for (const row of document.querySelectorAll(words)) {
            if (!row.checkVisibility() || row.closest("svg")) continue;
            const [a, b] = [light(getComputedStyle(row).color), light(ground(row))].sort((x, y) => y - x);
            least = Math.min(least, (a + 0.05) / (b + 0.05));
          }
          return least;"""
        for scheme in ("light", "dark"):
            self.browser.scheme(scheme)
            self.assertGreaterEqual(self.browser.run(contrast), 4.5, scheme)


if __name__ == "__main__":
    unittest.main()
