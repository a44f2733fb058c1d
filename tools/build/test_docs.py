"""Tests of the documents: their links lead to files, and they contain no paths of one machine."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for folder in (".", "docs", "docs/labs", "layout", "libjos") for page in sorted((ROOT / folder).glob("*.md"))]


class Documents(unittest.TestCase):
    """All documents."""

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
                if not re.match(r"\w+:", link):
                    self.assertTrue((page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}")

    def test_the_first_page_of_libjos_has_its_example(self):
        (link,) = re.findall(r"\[first page\]\((.*?)\)", (ROOT / "README.md").read_text())
        example = re.search(r"```rust\n(.*?)```", (ROOT / link).read_text(), re.S)
        for call in ("mem_init", "map_range", "steps", "unmap_range"):
            self.assertIn(call, example[1])
        self.assertIn('include_str!("../README.md")', (ROOT / "libjos/src/lib.rs").read_text())

    def test_programs_on_a_page_are_those_in_their_files(self):
        shown = [(page, *block) for page in PAGES
                 for block in re.findall(r"^```rust file=(\S+)\n(.*?)^```$", page.read_text(), re.M | re.S)]
        self.assertIn("user/src/bin/hello.rs", [path for _, path, _ in shown])
        for page, path, text in shown:
            if (ROOT / path).exists():  # Others are files that the reader is to write.
                self.assertEqual(text, (ROOT / path).read_text(), page.name)

    def test_nothing_of_somebodys_folders(self):
        for page in PAGES:
            for number, line in enumerate(page.read_text().splitlines(), 1):
                self.assertNotRegex(line, r"registry/src|\.cargo/registry|/home/|/root/|/rustc/", f"{page.name}:{number}")


if __name__ == "__main__":
    unittest.main()
