"""Tests docs/applications.md and README.md's section on applications: the files that they show are those of the tree,
and the commands print the lines that they show.

A block of ```console is a session: a line after "$ " is a command, and the lines below it are its output, in order;
"..." stands for any lines. Each command must succeed. The sessions of the first chapter run in this tree; those of the
second in a new folder, where the tree is called `jos64`.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import listing

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "applications.md").read_text()
README = re.search(r"^## Write your application$.*?(?=^## )", (ROOT / "README.md").read_text(), re.M | re.S)[0]
TIMEOUT = 600  # for a session: the second one compiles the kernel
# Instead of the variables that a calling make has set, such as CMDLINE.
MAKE = {**dict.fromkeys(("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CMDLINE"), ""), "ARCH": "x86_64"}

# Statements that an application may contain without `unsafe`.
HEAD = "#![no_std] #![no_main] use kernel as _; use libjos::prelude::*; application!(main); fn main() {}"
SAFE = (
    "println!(\"{:?} {:?}\", kernel::clock::uptime(), kernel::console::try_read());",
    "kernel::monitor::monitor();",
    "let area = VmArea::allocate(1).unwrap(); area.store(0, 1); area.on_fault(|_, _| false);",
    "let _ = (tables::page_info(0), memory_use(), read_line(\"\"));",
)
# Statements that it may not contain, by the compiler's error: private modules and functions, and unsafe functions.
REFUSED = {
    "E0603": (
        "kernel::boot_info::init(0, 0);",
        "kernel::boot_info::get();",
        "let _ = kernel::faults::run;",
        "kernel::heap::init(false);",
        "kernel::pmap::lock();",
        "kernel::pmap::init(todo!(), None);",
        "let _ = kernel::pmap::PMAP;",
        "kernel::kernel_main(0, 0);",
        "kernel::platform::init();",
        "let _ = kernel::arch::probe::store;",
        "kernel::stack::move_to_kstacktop(todo!());",
        "kernel::trap::init();",
        "libjos::app::with(|_| ());",
    ),
    "E0624": (
        "kernel::machine::Hardware::new();",
        "libjos::app::area::Areas::new().reserve(1);",
    ),
    "E0451": ("let _ = kernel::machine::Hardware { leaf_levels: 0 };",),
    "E0133": (
        "let _ = kernel::pmap::memory_system();",
        "let _ = libjos::mem::pages::PageArray::new(todo!());",
        "let _ = <u64 as libjos::paging::word::Word>::load(todo!());",
        "let _ = libjos::machine::PhysMem::page_array(todo!() as &kernel::machine::Hardware, todo!(), 0);",
    ),
}


def chapter(title):
    """The text below the heading that begins with `title`."""
    return re.search(rf"^## {title}.*?$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]


def sessions(text):
    """The sessions of a text, each a list of [command, expected lines]."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        steps = []
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append([line.removeprefix("$ "), []])
            else:
                steps[-1][1].append(line)
        found.append(steps)
    return found


def differs(expected, printed):
    """The first expected line that is missing from the output at its place, or None."""
    rest, anywhere = iter(printed), False
    for line in expected:
        if line == "...":
            anywhere = True
        elif not (line in rest if anywhere else next(rest, None) == line):
            return line
        else:
            anywhere = False
    # Extra output is a difference too.
    return None if anywhere else next(rest, None)


class Sessions(unittest.TestCase):
    """Runs sessions in a shell."""

    def follow(self, steps, folder, **variables):
        """Run the commands in one shell, and compare their output on stdout; the documents do not show stderr."""
        mark = "-- end of step"
        script = "".join(f"{command}\necho \"{mark} $?\"\n" for command, _ in steps)
        run = subprocess.run(
            ["sh", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", timeout=TIMEOUT, env={**os.environ, **variables},
        )
        parts = re.split(rf"^{mark} (\d+)\n", run.stdout, flags=re.M)
        printed, statuses = parts[0:-1:2], parts[1::2]
        for (command, expected), output, status in zip(steps, printed, statuses):
            said = f"$ {command}\n{output}\n--- stderr of all steps ---\n{run.stderr}"
            self.assertEqual(status, "0", said)
            lines = [line.rstrip("\r") for line in output.splitlines()]
            self.assertIsNone(differs(expected, lines), said)
        self.assertEqual(len(statuses), len(steps), run.stderr)


class Page(Sessions):
    """docs/applications.md."""

    @classmethod
    def tearDownClass(cls):
        # The other tests are of the monitor.
        subprocess.run(["make", "-s", "kernels"], cwd=ROOT, env={**os.environ, **MAKE}, check=True)

    def test_its_files_are_those_of_the_tree(self):
        files = re.findall(r"^```rust (file|part-of)=(\S+)\n(.*?)^```$", PAGE + README, re.M | re.S)
        self.assertEqual(len(files), (PAGE + README).count("```rust"))
        for kind, path, text in files:
            there = (ROOT / path).read_text()
            if kind == "file":
                self.assertEqual(text, there, path)
            else:
                self.assertIn(text, there, path)

    def test_the_sessions_in_this_tree(self):
        (steps,), (readme,) = sessions(chapter("In this tree")), sessions(README)
        self.follow(readme, ROOT, **MAKE)
        self.follow(steps, ROOT, **MAKE)
        self.check_image(ROOT / "obj" / "kern" / "kernel")

    def check_image(self, kernel):
        """The file contains only the used part of the room for symbols; the rest exists only in memory."""
        readelf = subprocess.run(["readelf", "-SlW", kernel], stdout=subprocess.PIPE, text=True, check=True).stdout
        row = r" {} +(\w+) +(\w+) (\w+) (\w+) "
        (table, rest) = (re.search(row.format(name), readelf) for name in (r"\.symbols", r"\.symbols_rest"))
        self.assertEqual((table[1], rest[1]), ("PROGBITS", "NOBITS"), readelf)
        address, offset, size = (int(table[i], 16) for i in (2, 3, 4))
        self.assertEqual(int(rest[2], 16), address + size, readelf)
        segments = re.findall(r" LOAD +(0x\w+) \w+ \w+ (0x\w+) (0x\w+) R  ", readelf)
        (start, in_file, in_memory) = (int(number, 16) for number in segments[0])
        self.assertEqual(start + in_file, offset + size, readelf)
        self.assertEqual(in_memory - in_file, int(rest[4], 16), readelf)
        self.assertTrue(size > 0 and in_memory > in_file, readelf)

    def test_a_fast_image_boots_on_each_machine(self):
        # Functions that are inlined need larger frames, and this is the boot stack's only test of that.
        for arch, boot in (("x86_64", "pvh"), ("i386", "pvh"), ("riscv64", "bare")):
            steps = [[f"make run APP=hello BOOT={boot} PROFILE=release", ["...", "Hello, world!"]]]
            self.follow(steps, ROOT, **{**MAKE, "ARCH": arch})
            if boot == "pvh":
                # Optimised, it could use other instructions than the kernel that test_image.py looks at.
                self.assertEqual(listing.unsaved(ROOT / "obj" / "kern" / "kernel"), [], arch)

    def test_a_small_image_is_small_and_boots_by_grub(self):
        steps = [["make run APP=hello BOOT=grub PROFILE=small", ["...", "Hello, world!"]]]
        self.follow(steps, ROOT, **MAKE)
        with tempfile.TemporaryDirectory() as folder:
            image = Path(folder) / "hello"
            subprocess.run(["strip", "-o", image, ROOT / "obj" / "kern" / "kernel"], check=True)
            self.assertLess(image.stat().st_size, 300 << 10)


OTHER_TARGETS = "i586-unknown-linux-gnu riscv64gc-unknown-none-elf"


class OwnCrate(Sessions):
    """Crates outside of this tree, which share one build of the kernel. What it depends on is the build of this tree."""

    @classmethod
    def setUpClass(cls):
        for rust_target in ("x86_64-unknown-none", *OTHER_TARGETS.split()):
            way = subprocess.run([ROOT / "tools/build/kcargo", "--way"], stdout=subprocess.PIPE, text=True, check=True,
                                 env={**os.environ, "RUST_TARGET": rust_target})
            if way.stdout.strip() != "prebuilt":
                raise unittest.SkipTest(f"rustup cannot add {rust_target} here, which docs/applications.md asks for")
        target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
        cls.variables = {"CARGO_TARGET_DIR": str(target), "CARGO_NET_OFFLINE": "true"}
        folder = tempfile.TemporaryDirectory(prefix="jos64-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        (cls.folder / "jos64").symlink_to(ROOT)

    def test_a_crate_of_ones_own(self):
        first, *others = sessions(chapter("A crate of your own"))
        # The targets are already installed, and without a network they could not be added again.
        for steps, target in ((first, "x86_64-unknown-none"), (others[-1], OTHER_TARGETS)):
            self.assertEqual(steps.pop(0)[0], f"rustup target add {target}")
        self.follow(first, self.folder, **self.variables)
        for steps in others:
            self.follow(steps, self.folder / "hello-jos", **self.variables)
        again = self.cargo(self.folder / "hello-jos", "build")
        self.assertEqual((again.returncode, "Compiling" in again.stderr), (0, False), again.stderr)

    def cargo(self, crate, *words):
        """The finished process of cargo with these words in a crate's folder."""
        return subprocess.run(["cargo", *words], cwd=crate, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT, env={**os.environ, **self.variables})

    def build(self, statements, attributes=""):
        """The compiler's errors for an application with these statements, each as (statement, code)."""
        crate = self.folder / "refused"
        shutil.copytree(ROOT / "docs" / "template", crate, dirs_exist_ok=True)
        (crate / "src" / "main.rs").write_text(attributes + HEAD + "".join(
            f"\npub fn f{i}() {{ {statement} }}" for i, statement in enumerate(statements)
        ))
        run = self.cargo(crate, "build", "-q", "--message-format", "short")
        errors = re.findall(r"^src/main\.rs:(\d+):\d+: error\[(\w+)\]", run.stderr, re.M)
        self.assertTrue(errors or run.returncode == 0, run.stderr)
        return [(statements[int(line) - 2], code) for line, code in errors]

    def test_an_application_without_unsafe_cannot_corrupt_memory(self):
        self.assertEqual(self.build(SAFE, "#![forbid(unsafe_code)]"), [])
        self.assertEqual(self.build([f"unsafe {{ {statement} }}" for statement in REFUSED["E0133"]]), [])
        # One kind of error at a time, since the compiler may stop after errors of one kind.
        for code, statements in REFUSED.items():
            self.assertEqual(self.build(statements), [(statement, code) for statement in statements])


class Differs(unittest.TestCase):
    """Tests of the comparison."""

    def test_differs(self):
        for expected, printed, line in (
            ("a b", "a b", None), ("a b", "b a", "a"), ("a", "a b", "b"), ("a b", "a", "b"), ("... b", "x y b", None),
            ("... b", "x y", "b"), ("... b", "b x", "x"), ("a ...", "a x y", None), ("a ... c", "a b c", None),
        ):
            self.assertEqual(differs(expected.split(), printed.split()), line, (expected, printed))
