#!/usr/bin/env python3
"""Plants faults in a copy of the kernel's sources, and sees whether the grader's reader finds them: `make planted`.

The copy has all faults (faults.py), of which a machine has the one whose number the grader writes into it before it
starts, and the kernel's own checks print their lines and do nothing else. So one build serves all. With --stub the
copy's kernels print JOS's lines and do nothing, and the copy is graded whole. The machine is the one that ARCH names.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools/grade"), str(ROOT / "tools/gdb"), str(ROOT / "tools/grade/planted")]

import reading  # noqa: E402 (found by the line above)
import sharedram  # noqa: E402
from arch import ARCH  # noqa: E402
from built import APPS, FACTS, IMAGES, OBJ  # noqa: E402
from elf import Image  # noqa: E402
from faults import FAULTS, STUB  # noqa: E402
from gradelib import SUCCESS, Machine  # noqa: E402
from graderun import Bench, run_machine  # noqa: E402

WORK = ROOT / OBJ / "planted"
CHECKS = {  # file in libjos/src/check -> the functions
    "check_pages.rs": "check_page_free_list", "check_page_alloc.rs": "check_page_alloc", "check_page.rs": "check_page",
    "check_kern_pgdir.rs": "check_kern_pgdir", "check_installed.rs": "check_page_installed_pgdir",
    "check_envs.rs": "check_envs",
}


def copy(tree):
    """The sources as git knows them, in another folder."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    for name in names.decode().split("\0"):
        if (ROOT / name).is_file() and name:
            to = tree / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.exists() or to.read_bytes() != (ROOT / name).read_bytes():
                shutil.copy2(ROOT / name, to)


def replace(tree, name, old, new):
    """Replaces the one occurrence of `old` in a file."""
    text = (tree / name).read_text()
    if text.count(old) != 1:
        sys.exit(f"plant.py: {name} has {text.count(old)} places like this, which must be one:\n{old}")
    (tree / name).write_text(text.replace(old, new))


def plant(tree, everywhere):
    """Puts all faults into a copy, and silences the checks. Every machine has fault `everywhere` from the start."""
    arms = []
    for number, fault in enumerate(FAULTS, 1):
        if fault.code:
            code = re.sub(r"\bL\b", "M::Layout", re.sub(r"\bF::", "M::Format::", fault.code))
            arms.append(f"        {number} => {{ {code} }}")
        for name, old, new in fault.edits:
            replace(tree, name, old, new.replace("NUMBER", str(number)))
    text = (ROOT / "tools/grade/planted/planted.rs").read_text()
    text = text.replace("        // plant.py: the faults", "\n".join(arms))
    text = text.replace("const NUMBER: u32 = 0;", f"const NUMBER: u32 = {everywhere};")
    (tree / "libjos/src/planted.rs").write_text(text)
    replace(tree, "libjos/src/lib.rs", "pub mod pmap;", "#[allow(missing_docs)]\npub mod planted;\npub mod pmap;")
    replace(
        tree, "libjos/src/pmap.rs", "    black_box((&npages, &kern_pgdir));\n    pmap\n",
        "    black_box((&npages, &kern_pgdir));\n    crate::planted::plant(&mut pmap);\n    pmap\n",
    )
    runs = tree / "libjos/src/mem/pages/runs.rs"
    runs.write_text(runs.read_text().replace("    #[cfg(test)]\n    pub(crate) fn", "    pub(crate) fn"))
    for file, check in CHECKS.items():
        start = f"    pub fn {check}(&mut self) {{\n"
        line = f'        self.vm.machine_mut().print(format_args!("{check}() succeeded!\\n"));\n'
        silenced = f"{start}{line}        if true {{\n            return;\n        }}\n"
        replace(tree, f"libjos/src/check/{file}", start, silenced)


# Without checks, applications lack functions that their symbols' tool demands: they are taken as they are linked.
STUB_IMAGES = [*(str(path) for name, path in IMAGES.items() if name not in APPS), str(FACTS), "apps-linked"]


def make(tree, *targets):
    """Builds in a copy."""
    environment = {**os.environ, "CARGO_TARGET_DIR": f"{tree}-target"}
    made = subprocess.run(["make", "-s", *targets], cwd=tree, env=environment, capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"plant.py: the copy with faults does not build:\n{made.stderr}")


def judge(bench, image, number, fault):
    """The first complaint about a machine with a fault, with its subject; or None."""

    def switch_on(stub, symbols):
        stub.run_to(symbols[entry])
        stub.write_memory(image.symbol("7planted7PLANTED") - ARCH.window(0), number.to_bytes(4, "little"))

    entry = ARCH.boot("kernel").entry
    driven = fault.memory == reading.DRIVEN_MEMORY
    path = bench.root / bench.images["kernel"]
    look = reading.Reading(entry, before=switch_on, path=path)
    typed = (look.read_machine, look.drive_machine, "exit\r") if driven else (look.read_machine, "exit\r")
    options = sharedram.options(fault.memory) if driven else ()
    machine = Machine(memory=fault.memory, options=options, at_entry=look.read_loader, typed=typed)
    if fault.crowd:
        programs = ("-initrd", str(bench.root / OBJ / "programs.tar"))
        machine = reading.read_crowd(Machine(memory=fault.memory, options=programs, at_entry=switch_on), path)
    run = run_machine(machine, bench, 120)
    for subject, complaints in run.verdicts.items():
        if complaints:
            return subject, complaints[0]
    if run.problem or run.status != SUCCESS:
        return "(the run)", run.problem or f"status {run.status}: {run.lines[-3:]}"
    return None


def main():
    """Plants, runs and prints a table; the status is 0 if every fault is seen, and none where there is none."""
    parser = argparse.ArgumentParser(prog="plant.py", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only faults whose name has this in it")
    parser.add_argument("--arch", help="the machine (default: ARCH of the environment, or x86_64)")
    parser.add_argument("--stub", action="store_true", help="grade kernels that print JOS's lines and do nothing")
    parser.add_argument("--no-build", action="store_true", help="run what was built the last time")
    options = parser.parse_args()
    tree = WORK / ("stub" if options.stub else "tree")
    if not options.no_build:
        shutil.rmtree(tree, ignore_errors=True)
        copy(tree)
        plant(tree, FAULTS.index(STUB) + 1 if options.stub else 0)
        make(tree, *(STUB_IMAGES if options.stub else [str(IMAGES["shims"])]))
    if options.stub:
        for linked in (tree / OBJ / "apps").glob("*.linked"):
            shutil.copy2(linked, linked.with_suffix(""))
        return subprocess.run(["./grade.py", "--no-build", "--timeout", "10"], cwd=tree).returncode
    bench = Bench(tree, os.environ.get("QEMU") or ARCH.qemu, {"kernel": IMAGES["shims"]})
    image = Image(tree / bench.images["kernel"])
    none = FAULTS[0]._replace(name="no fault", edits=(), code="")
    picked = [(0, none), (0, none._replace(name="no fault, amid environments", memory="32M", crowd=True))]
    faults = [(n, f) for n, f in enumerate(FAULTS, 1) if ARCH.has(*f.needs)]
    picked += [(n, f) for n, f in faults if all(word in f.name for word in options.words)]
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (number, fault), found in zip(picked, pool.map(lambda item: judge(bench, image, *item), picked)):
            missed += (found is None) == (number > 0)
            print(f"| {fault.name} | {found[0] if found else '-'} | {found[1] if found else 'nothing'} |", flush=True)
    print(f"{len(picked) - 2} faults, {missed} verdicts are wrong")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
