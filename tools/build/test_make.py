"""Tests of make's errors: bad values, a missing display, a missing machine.

Each must end soon, with a failure and with advice.
"""

import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120  # nearly everything is already built
# Variables that a calling make may have set, such as CMDLINE; the tests run without them.
OUTER = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARCH", "CMDLINE", "DISPLAY", "WAYLAND_DISPLAY")
PCS = ("x86_64", "i386")
ARCHES = (*PCS, "riscv64")
# Targets that other targets need, and no user types.
INNER = {"apps-linked", "kernels", "grade-images", "facts", "picture-tool", "display", "FORCE"}


def run(*command):
    """The exit status and the output of a command."""
    environment = {name: value for name, value in os.environ.items() if name not in OUTER}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=TIMEOUT,
    )
    return done.returncode, done.stdout


class Refused(unittest.TestCase):
    """Tests of bad values."""

    def refuses(self, *words, says):
        """make fails, and a line of its output matches."""
        status, said = run("make", *words)
        self.assertNotEqual(status, 0, (words, said))
        self.assertRegex(said, f"(?m)^.*{says}.*$", words)

    def test_too_little_memory(self):
        for size in """
            1M 3M 7 7.9 0 0.001G 4096k 8191K 8388607b 0.000001T 0.000000001p size=3M
            size=3M,slots=2,maxmem=1G 3,maxmem=1G maxmem=1G,slots=2,size=3M slots=2,size=3,maxmem=1G
        """.split():
            self.refuses("print-gdbport", f"MEM={size}", says=f"MEM={re.escape(size)} is too little .* MEM=8M or more")

    def test_enough_memory(self):
        # Values that only QEMU can judge are left to it.
        for size in """
            8M 8 8.5 0.5G 1g 8192k 8388608b 16G,slots=1 size=8M,maxmem=1G maxmem=3M,size=8M 1T 3MiB lots it's
        """.split():
            self.assertEqual(run("make", "print-gdbport", f"MEM={size}")[0], 0, size)

    def test_values_that_make_knows(self):
        for words, says in (
            ("APP=nope", "unknown APP \"nope\"; there are: monitor "),
            ("BOOT=nope", "unknown BOOT \"nope\" for ARCH=x86_64; there are: grub uefi pvh"),
            ("BOARD=nope", "unknown BOARD \"nope\" for ARCH=x86_64; there are: pc q35 isapc microvm"),
            ("BOARD=microvm,rtc=on", "BOARD=microvm needs BOOT=pvh"),
            ("ARCH=nope", "unknown ARCH \"nope\"; there are: x86_64 i386 riscv64"),
            ("ARCH=", "unknown ARCH \"\"; there are: x86_64 i386 riscv64"),
            ("FROM=nope", "unknown FROM \"nope\"; there are: mem_init reset"),
            ("PROFILE=test", "unknown PROFILE \"test\"; there are: dev release small"),
            ("MEM=0x3", "MEM=0x3: give it as a decimal number"),
            ("MEM=size=0X800000", "MEM=size=0X800000: give it as a decimal number"),
            ("MEM=", "MEM=\"\" is not one word"),
            ("MEM=8 M", "MEM=\"8 M\" is not one word"),
            ("CPUS= ", "CPUS=\" *\" is not one word"),
            ("BOARD=pc,i8042=off q35", "BOARD=\"pc,i8042=off q35\" is not one word"),
            ("GDBPORT=", "GDBPORT=\"\" is not one word"),
            ("PROFILE=", "PROFILE=\"\" is not one word"),
            ("ARCH=i386 x86_64", "ARCH=\"i386 x86_64\" is not one word"),
        ):
            self.refuses("qemu-nox", words, says=says)

    def test_programs(self):
        for target in ("run-nope", "run-nope-nox", "run-nope-gdb", "run-nope-nox-gdb"):
            self.refuses(target, says='unknown program "nope" for ARCH=x86_64; there are: .* hello .*MODULE=FILE')
        for words in ((), ("MODULE=Makefile",)):
            self.refuses("run-hello-nox", "ARCH=riscv64", *words, says="ARCH=riscv64 runs no programs yet; these do: x86_64 i386")
        self.refuses("run-", says="run one program at a time, not: none")
        self.refuses("run-hello-nox", "run-yield-nox", says="run one program at a time, not: hello yield")
        self.refuses("run-nope", "MODULE=/nope", says="MODULE=/nope: there is no such file")
        self.refuses("run-nope", "MODULE=Makefile README.md", says='MODULE="Makefile README.md" is not one word')
        for target, other in (("run-hello-nox", "qemu-nox"), ("run-hello-nox-gdb", "qemu-nox-gdb")):
            for boot in ("pvh", "grub"):
                status, said = run("make", "-n", target, f"BOOT={boot}", "MODULE=Makefile", "CMDLINE=log=info -- words")
                named = run("make", "-n", other, f"BOOT={boot}", "MODULE=Makefile", "CMDLINE=run=hello")
                self.assertEqual((status, said), named, target)
                # By the machine's name gdb finds the program's symbols.
                self.assertRegex(said, r"\s-name hello\s")
        said = run("make", "run-hello-nox", "QEMU=echo", "CMDLINE=log=info -- words")[1]
        self.assertRegex(said, "-append run=hello log=info -- words")
        for words in (("qemu-nox",), ("qemu-nox", "CMDLINE=log=info"), ("run-nope", "MODULE=Makefile")):
            self.assertNotRegex(run("make", "-n", *words)[1], r"\s-name\s", words)
        status, said = run("make", "-n", "run-hello-nox", "MODULE=Makefile")
        self.assertRegex(said, "-kernel obj/x86_64/kernel .*-initrd Makefile")

    def test_what_another_machine_has(self):
        self.refuses("qemu-nox", "ARCH=i386", "BOOT=uefi", says='unknown BOOT "uefi" for ARCH=i386; there are: grub pvh')
        self.refuses("qemu-nox", "ARCH=i386", "BOARD=virt", says='unknown BOARD "virt" for ARCH=i386; there are: pc q35 ')
        self.refuses("qemu-nox", "ARCH=riscv64", "BOOT=grub", says='"grub" for ARCH=riscv64; there are: opensbi bare')
        self.refuses("qemu-nox", "ARCH=riscv64", "BOARD=pc", says='unknown BOARD "pc" for ARCH=riscv64; there are: virt')
        for arch in PCS:
            for words in ("BOOT=pvh BOARD=microvm", "BOARD=pc,i8042=off", "BOARD=pc-q35-7.2"):
                self.assertEqual(run("make", "print-gdbport", f"ARCH={arch}", *words.split())[0], 0, words)

    def test_an_image_for_a_machine_that_boots_from_none(self):
        self.refuses("image", "ARCH=riscv64", says="ARCH=riscv64 does not boot from an ISO image: .*obj/riscv64/kernel")

    def test_values_that_others_know(self):
        for words, says in (
            ("BOARD=pc-nope", "unsupported machine type"),
            ("CPUS=many", "'smp.cpus' expects integer"),
            ("MEM=lots", "QEMU ended with status 1, and says why above"),
            ("QEMU=nope", "there is no nope to run: QEMU=PROGRAM names another"),
        ):
            self.refuses("qemu-nox", words, says=says)

    def test_without_a_display(self):
        for target, other in (("qemu", "qemu-nox"), ("qemu-gdb", "qemu-nox-gdb")):
            self.refuses(target, says=f'there is no display .*"make {other}" runs in this terminal')

    def test_a_port_that_is_taken(self):
        both = socket.has_dualstack_ipv6()
        with socket.create_server(
            ("", 0), family=socket.AF_INET6 if both else socket.AF_INET, dualstack_ipv6=both
        ) as taken:
            self.refuses("qemu-nox-gdb", f"GDBPORT={taken.getsockname()[1]}", says="GDBPORT=N picks another port")

    def test_grub_says_on_the_serial_line_why_it_cannot_load_the_kernel(self):
        status, said = run("make", "run", "BOOT=grub", "QEMUEXTRA=-m 3M")
        self.assertNotEqual(status, 0, said)
        said = re.sub(r"\x1b\[[0-9;]*\w|\r", "", said)  # GRUB's cursor movements
        for line in ("error: out of memory.", "GRUB cannot load JOS64.", "If it is out of memory, .* -m 8M or more.*"):
            self.assertRegex(said, f"(?m)^{line}$")


class Help(unittest.TestCase):
    """`make help` is true."""

    @classmethod
    def setUpClass(cls):
        cls.said = run("make", "help")[1]
        cls.makefile = (ROOT / "Makefile").read_text()

    def test_it_lists_the_targets(self):
        listed = set(re.findall(r"(?m)^  ([a-z0-9-]+) ", self.said.partition("Variables:")[0]))
        phony = set(re.search(r"(?m)^\.PHONY: ((?:.*\\\n)*.*)", self.makefile)[1].replace("\\\n", " ").split())
        self.assertEqual(listed, phony - INNER)
        # In a target's line, a tab before its commands; there was one, and "make mutants" did nothing.
        self.assertNotRegex(self.makefile, r"(?m)^[^\t#\n].*#.*\t")
        for target in listed:
            said = run("make", "-n", target, "DISPLAY=:0")[1]
            self.assertNotRegex(said, "Nothing to be done|No rule", target)

    def test_it_lists_the_variables(self):
        listed = re.findall(r"(?m)^  ([A-Z]+) ", self.said.partition("Variables:")[2])
        self.assertEqual(listed, re.findall(r"(?m)^([A-Z]+) *\?=", self.makefile))
        for arch in ARCHES:
            self.assertIn(arch, re.search("(?m)^  ARCH .*", self.said)[0])


class Targets(unittest.TestCase):
    """Tests of the Makefile's text."""

    def test_each_target_has_work(self):
        # A target with neither a recipe nor prerequisites succeeds, and does nothing.
        text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
        targets = re.search(r"^\.PHONY: (.*) FORCE$", text, re.M)[1].split()
        for target in targets:
            rules = re.findall(rf"^(?:[\w-]+ )*{target}(?: [\w-]+)*:(?![:=])([^#\n]*)[^\n]*\n(\t?)", text, re.M)
            work = [needs.partition("|")[0].strip() or recipe for needs, recipe in rules]
            self.assertTrue(any(work), target)
        self.assertGreater(len(targets), 30)


class Renewed(unittest.TestCase):
    """Tests of copying what was built."""

    def test_what_was_built_again_is_newer_than_its_sources(self):
        with tempfile.TemporaryDirectory() as folder:
            built, kernel, rules = (Path(folder, name) for name in ("built", "kernel", "rules"))
            rules.write_text(f"include Makefile\nrenew-it:\n\t$(call renew,{built},{kernel})\n")
            # (the kernel's content, its age in seconds beside what was built, whether it is copied)
            for content, age, copied in (("same", 60, True), ("same", -60, False), ("other", -60, True)):
                built.write_text("same")
                kernel.write_text(content)
                then = built.stat().st_mtime - age
                os.utime(kernel, (then, then))
                status, said = run("make", "-s", "-f", str(rules), "renew-it")
                self.assertEqual((status, kernel.read_text()), (0, "same"), said)
                self.assertEqual(kernel.stat().st_mtime != then, copied)


class Gdb(unittest.TestCase):
    """Tests of gdb without a machine."""

    WHAT_TO_DO = r'There is no machine: run "make qemu-nox-gdb" in another terminal, then "source \.gdbinit" here\.'
    COMMANDS = ("walk 0", "map", "page 0", "freelist", "diff", "why", "step")

    def one_line_each(self, said, count):
        """The output is the advice, `count` times, and no error."""
        self.assertEqual(len(re.findall(f"(?m)^.*{self.WHAT_TO_DO}$", said)), count, said)
        self.assertNotRegex(said, "Traceback|Python Exception|Error in sourced|No symbol|No registers")

    def test_make_gdb_without_a_machine(self):
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        for start in ("mem_init", "reset"):
            status, said = run("make", "gdb", f"GDBPORT={port}", f"FROM={start}")
            self.assertNotEqual(status, 0, said)
            self.one_line_each(said, 1)

    def test_make_gdb_compiles_nothing(self):
        self.assertNotIn("cargo", run("make", "-n", "gdb")[1])
        for target in ("all", "qemu-nox-gdb", "qemu-gdb"):
            self.assertIn("--example facts", run("make", "-n", target, "DISPLAY=:0")[1])

    def test_the_commands_after_kill(self):
        with tempfile.TemporaryDirectory() as folder:
            server = f"{folder}/gdb"
            qemu = subprocess.Popen(
                [os.environ.get("QEMU", "qemu-system-x86_64"), "-accel", "tcg", "-m", "16M", "-display", "none", "-S",
                 "-kernel", ROOT / "obj/x86_64/kernel", "-chardev", f"socket,id=gdb,path={server},server=on,wait=off",
                 "-gdb", "chardev:gdb"], stdin=subprocess.DEVNULL,
            )
            self.addCleanup(qemu.wait)
            self.addCleanup(qemu.kill)
            while not os.path.exists(server):
                self.assertIsNone(qemu.poll())
                time.sleep(0.05)
            script = Path(folder) / "script"
            start = (ROOT / ".gdbinit.tmpl").read_text().replace("localhost:1234", server)
            # gdb may find the connection closed while it kills the machine.
            commands = ("kill", *(f"jos {command}" for command in self.COMMANDS))
            tries = "".join(
                f'python\ntry: gdb.execute("{command}")\nexcept gdb.error as error: print(error)\nend\n'
                for command in commands
            )
            script.write_text(f"{start}\n{tries}jos layout\n")
            status, said = run("gdb", "-q", "-n", "-batch", "-x", script)
        self.assertEqual(status, 0, said)
        self.one_line_each(said, len(self.COMMANDS))
        self.assertIn("Now there is no machine.", said)


if __name__ == "__main__":
    unittest.main()
