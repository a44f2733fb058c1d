"""Tests of the documents: their links lead to files, the names in them are in the sources, and they contain no paths of one
machine."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("Cargo.toml", "Makefile", "grade.py", "linker.ld", ".cargo", ".ci", "boot", "docs", "fuzz", "kernel", "layout", "libjos",
           "monitor", "tools", "user")
SUFFIXES = {"", ".gdb", ".ld", ".md", ".mk", ".py", ".rs", ".s", ".sh", ".toml", ".yml"}
# Names that are in no source: what a build or its user makes, and commands of gdb.
MADE = {"bt", "obj/package/", "obj/ARCH/grade/", "user/src/bin/NAME.rs"}
# Documents with names of other kernels, or of code as it was when a figure was measured.
UNCHECKED = {"performance.md", "mutants.md", "2.md", "CHANGELOG.md"}
PAGES = [page for pattern in ("*.md", "docs/**/*.md", "layout/*.md", "libjos/*.md", "monitor/**/*.md", "tools/**/*.md")
         for page in sorted(ROOT.glob(pattern))]


def sources():
    """All files of the sources."""
    for top in map(ROOT.joinpath, SOURCES):
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.suffix in SUFFIXES and path.is_file() and "target" not in path.parts:
                yield path


class Documents(unittest.TestCase):
    """All documents."""

    def test_names_are_in_the_sources(self):
        words, tails = set(), set()
        for path in sources():
            if path.suffix != ".md":
                words.update(re.findall(r"[A-Za-z_]\w*", path.read_text(errors="replace")))
            parts = path.relative_to(ROOT).parts
            for end in range(1, len(parts) + 1):
                # A file as it is, a folder with a slash behind it; each with as many folders before it as one likes.
                tail = "/".join(parts[:end]) + ("/" if end < len(parts) else "")
                tails.update("/".join(tail.split("/")[start:]) for start in range(end))
        tails.update(page.name for page in PAGES)
        for page in PAGES:
            if page.name in UNCHECKED:
                continue
            prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
            for name in set(re.findall(r"`([^`\n]+)`", prose)) - MADE:
                found = True
                if re.fullmatch(r"[A-Za-z_]\w*(::\w+)*(\(\))?", name):
                    found = words.issuperset(name.rstrip("()").split("::"))
                elif re.fullmatch(r"[\w./-]+(/|\.(rs|py|md|s|ld|toml|sh|gdb|mk))", name):
                    found = name in tails
                self.assertTrue(found, f"{page.name}: {name}")

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
                if not re.match(r"\w+:", link):
                    # A page of `tree` goes to the top of the handout.
                    folder = ROOT if page.parent.name == "tree" else page.parent
                    self.assertTrue((folder / link.partition("#")[0]).exists(), f"{page.name}: {link}")

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
