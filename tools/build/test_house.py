"""Tests of ARCHITECTURE.md's rules: no circle among the kernel's files, and one door to the architecture."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Names of a machine, its map or its format.
MACHINES = re.compile(r"cfg\w*\(.*target_arch|\b(Jos64|Jos32|JosSv39|X86_64|La57|I386|Sv39|Sv48)\b")
# Names of registers, and signs of a processor's instructions, in code or comments.
REGISTERS = re.compile(
    r"\b(?i:[re]?[abcd]x|[re]?[sd]i|[re]?[sbi]p|r[89]|r1[0-5]|[re]flags|cr[0-8]|efer|satp|stvec|stval|sepc|scause)\b"
    r"|\b(x86_64|raw_cpuid|uart_16550|pc_keyboard)::|\b(naked_)?asm!|\bPort\b")


def bare(source):
    """The code of a file, without comments, strings and visibilities."""
    source = re.sub(r'//.*|"(\\.|[^"\\])*"|\$crate', "", source)
    return re.sub(r"\bpub\((in )?[\w:]+\)", "pub", source)


def leaves(tree):
    """The paths in a `use` declaration, as tuples: a::{b, c::d} gives (a, b) and (a, c, d)."""
    head, brace, rest = tree.partition("{")
    prefix = tuple(re.findall(r"\w+", re.sub(r"\bas \w+", "", head)))
    if not brace:
        return [prefix]
    parts, depth = [""], 0
    for c in rest[:rest.rindex("}")]:
        depth += (c == "{") - (c == "}")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [prefix + leaf for part in parts if part.strip() for leaf in leaves(part)]


class Crate:
    """The files of a crate, {path below src: text}, and the files that each one uses."""

    def __init__(self, files):
        self.files = {self.module(path): path for path in files if path != "main.rs"}
        self.uses = {self.files[module]: self.used(module, bare(files[path])) for module, path in self.files.items()}

    @staticmethod
    def module(path):
        """("a", "b") for a/b.rs and a/b/mod.rs."""
        return tuple(part for part in re.sub(r"\.rs$", "", path).split("/") if part not in ("mod", "lib"))

    def behind(self, path):
        """The files that a path from the crate's root may mean. A name in `arch` means one file of each machine."""
        if path[:1] == ("arch",) and path[:2] not in self.files:
            machines = [module for module in self.files if module[:-1] == ("arch",)]
            passed_on = [machine + path[1:] for machine in machines if machine + path[1:2] in self.files]
            return {file for path in passed_on for file in self.behind(path)} or {self.files[("arch",)]}
        while path not in self.files:
            path = path[:-1]
        return {self.files[path]}

    def used(self, module, code):
        """The files that the code of a module uses."""
        def absolute(path):
            at = module
            for i, part in enumerate(path):
                match part:
                    case "crate":
                        at = ()
                    case "super":
                        at = at[:-1]
                    case "self":
                        pass
                    case _:
                        # Any other first part is a module below this one, or another crate.
                        return at + path[i:] if i or at + (part,) in self.files else None
            return at
        found, names = set(), {}
        for public, tree in re.findall(r"\b(pub )?use ([^;]+);", code):
            for path in map(absolute, leaves(tree)):
                path = tuple(part for part in path or () if part != "self")
                names |= {path[-1]: path} if path else {}
                # Re-exporting a module is not using it: only the users of the new name depend on it.
                if path and not (public and path in self.files):
                    found |= self.behind(path)
        code = re.sub(r"\buse [^;]+;", "", code)
        for path in re.findall(r"(?<![\w:])\w+(?:::\w+)+", code):
            first, *rest = path.split("::")
            path = names[first] + tuple(rest) if first in names else absolute((first, *rest))
            found |= self.behind(path) if path else set()
        # A line that is printed comes there by way of libjos and the platform.
        if re.search(r"\bprint(ln)?!", code) and ("console",) in self.files:
            found |= self.behind(("console",))
        return found - {self.files[module]}

    def circle(self):
        """A circle of files, each of which uses the next; [] if there is none."""
        done, way = set(), []

        def visit(file):
            if file in way:
                return way[way.index(file):]
            if file in done:
                return []
            way.append(file)
            found = next(filter(None, map(visit, sorted(self.uses[file]))), [])
            way.pop()
            done.add(file)
            return found
        return next(filter(None, map(visit, sorted(self.uses))), [])

    def reached(self, file):
        """The files that a file uses, and those that they use, and so on."""
        found, next_ones = set(), [file]
        while next_ones:
            new = self.uses[next_ones.pop()] - found
            found |= new
            next_ones += new
        return found

    def entangled(self, room):
        """Pairs of rooms with a circle of files that leads through both. `room` gives the room of a file."""
        reached = {file: self.reached(file) for file in self.uses}
        return {(room(one), room(other)) for one in reached for other in reached[one]
                if one in reached[other] and room(one) < room(other)}


def production(files):
    """The sources without their tests."""
    return {path: re.split(r"#\[cfg\((?:all\()?test", text)[0] if path != "lib.rs" else text
            for path, text in files.items() if not re.search("tests|refused", path)}


def sources(folder):
    """The files below a folder, by their paths."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.rs"))}


class House(unittest.TestCase):
    """Tests of the sources."""

    def clean(self, what, files, of=str):
        said = [f"{path}:{n}: {line.strip()}" for path, text in files for n, line in enumerate(of(text).splitlines(), 1)
                if what.search(line)]
        self.assertEqual(said, [])

    def test_no_circle_among_the_files_of_the_kernel(self):
        kernel = Crate(sources(ROOT / "kernel/src"))
        self.assertGreater(sum(map(len, kernel.uses.values())), 100)
        self.assertEqual(kernel.circle(), [])

    def test_no_circle_among_the_rooms_of_libjos(self):
        libjos = Crate(production(sources(ROOT / "libjos/src")))
        self.assertGreater(sum(map(len, libjos.uses.values())), 200)
        self.assertEqual(libjos.entangled(lambda path: re.split(r"/|\.rs", path)[0]), set())

    def test_every_file_is_part_of_a_crate(self):
        """A file that no `mod` names is never compiled: tests in it would not run."""
        for folder in ("layout", "libjos", "monitor", "boot", "kernel", "user"):
            src = ROOT / folder / "src"
            for path in src.rglob("*.rs"):
                if path.name in ("lib.rs", "main.rs") or path.parent == src / "bin":
                    continue
                home, name = (path.parent.parent, path.parent.name) if path.name == "mod.rs" else (path.parent, path.stem)
                owners = [home / "mod.rs", home / "lib.rs", home / "main.rs", home.with_suffix(".rs")]
                named = re.compile(rf'\bmod {name};|\bpath = "[^"]*{path.name}"')
                self.assertTrue(any(owner.exists() and named.search(owner.read_text()) for owner in owners), path)

    def test_one_door_to_the_architecture(self):
        for crate, doors in (("kernel", r"arch/"), ("boot", r"(x86|x86_64|i386|riscv64)/"), ("user", r"arch/")):
            files = [(f"{crate}/src/{path}", text) for path, text in sources(ROOT / crate / "src").items()
                     if not re.match(doors, path)]
            self.clean(MACHINES, files)
            self.clean(REGISTERS, files)

    def test_libjos_and_monitor_name_no_machine(self):
        """Outside of formats, simulated machines, tests and examples."""
        files = [(path, text) for crate in ("libjos", "monitor") for path, text in sources(ROOT / crate / "src").items()
                 if not re.search(r"^sim/|^paging/format/|tests|refused", path)]
        self.clean(MACHINES, files, lambda text: re.sub(r"//.*", "", re.split(r"#\[cfg\((all\()?test", text)[0]))


class Finder(unittest.TestCase):
    """Tests of the checks themselves."""

    def test_a_circle(self):
        files = {
            "lib.rs": "mod a; mod b; mod c;", "a.rs": "use crate::b::{self, Thing as Other};", "b/mod.rs": "mod inner;",
            "b/inner.rs": "fn f() { crate::c::go(); }", "c.rs": "use spin::Mutex; // use crate::a;",
        }
        self.assertEqual(Crate(files).circle(), [])
        self.assertEqual(Crate(files | {"c.rs": "use crate::{a, b::c};"}).uses["c.rs"], {"a.rs", "b/mod.rs"})
        self.assertEqual(Crate(files | {"b/mod.rs": "mod inner; use inner::f;", "c.rs": "use crate::a;"}).circle(),
                         ["a.rs", "b/mod.rs", "b/inner.rs", "c.rs"])
        self.assertEqual(Crate(files | {"b/inner.rs": "use super::Thing;", "b/mod.rs": "pub use inner::f;"}).circle(),
                         ["b/mod.rs", "b/inner.rs"])

    def test_a_circle_among_rooms(self):
        files = {
            "lib.rs": "", "a/mod.rs": "use crate::b::low; use inner::f;", "a/inner.rs": "use super::Thing;",
            "b/mod.rs": "pub mod low; use crate::a::Thing;", "b/low.rs": "",
        }
        room = "{:.1}".format
        self.assertEqual(Crate(files).entangled(room), set())
        self.assertEqual(Crate(files | {"b/low.rs": "use crate::a::inner::f;"}).entangled(room), {("a", "b")})
        self.assertEqual(production({"a.rs": "x\n#[cfg(test)]\nmod tests;", "a/tests.rs": "y"}), {"a.rs": "x\n"})

    def test_a_circle_through_the_door(self):
        files = {
            "lib.rs": "", "arch/mod.rs": "pub(crate) use machine::{Layout, cpu};",
            "arch/pc/mod.rs": "pub(crate) use super::shared::clock;",
            "arch/pc/cpu.rs": "use crate::arch::Layout;", "arch/shared/mod.rs": "", "arch/shared/clock.rs": "",
            "console/mod.rs": "use crate::arch::{Layout, cpu};",
            "time.rs": "use crate::arch; fn f() { arch::clock::read() }",
        }
        self.assertEqual(Crate(files).uses["console/mod.rs"], {"arch/mod.rs", "arch/pc/cpu.rs"})
        self.assertEqual(Crate(files).uses["time.rs"], {"arch/mod.rs", "arch/shared/clock.rs"})
        self.assertEqual(Crate(files).circle(), [])
        self.assertEqual(Crate(files | {"arch/pc/cpu.rs": 'fn f() { println!("{}", 1) }'}).circle(),
                         ["arch/pc/cpu.rs", "console/mod.rs"])

    def test_machines_and_registers(self):
        for line in ("#[cfg(target_arch = \"x86\")]", "#[cfg(all(target_os = \"none\", target_arch = \"x86\"))]",
                     "use layout::{Jos64, KB};", "type F = X86_64;"):
            self.assertRegex(line, MACHINES)
        for line in ("let rsp = 0;", "/// CR0.WP is on", "use x86_64::VirtAddr;", "unsafe { asm!(\"nop\") }",
                     "// in RDX"):
            self.assertRegex(line, REGISTERS)
        for line in ("/// the stack pointer", "#[cfg(target_os = \"none\")]", "flags.is_empty()", "a flag"):
            self.assertNotRegex(line, MACHINES)
        for line in ("/// the stack pointer", "use crate::arch::cpu;", "let axis = 1;"):
            self.assertNotRegex(line, REGISTERS)


if __name__ == "__main__":
    unittest.main()
