#!/usr/bin/env python3
"""Packs the autograder of lab 2 as Gradescope takes it: obj/autograder-lab2.zip. `make autograder LAB=2`.

The zip has setup.sh, run_autograder, the pristine tree with the grader's own tests, and the sources of the crates that it
needs, so that grading needs no network.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HIDDEN = "libjos/src/lab_tests/property.rs"
VENDORED = """
[source.crates-io]
replace-with = "vendored"

[source.vendored]
directory = "vendor"
"""


def run(*command, cwd):
    """Runs a command that must succeed."""
    subprocess.run(command, cwd=cwd, check=True)


def add_own_tests(tree):
    """Adds the grader's own tests to a handout."""
    shutil.copy(ROOT / HIDDEN, tree / HIDDEN)
    tests = tree / "libjos/src/lab_tests/mod.rs"
    tests.write_text(tests.read_text().replace("mod mappings;\n", "mod mappings;\nmod property;\n"))


def main():
    """Packs; the first argument is the lab's number."""
    lab = sys.argv[1]
    work = ROOT / f"obj/autograder-lab{lab}"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    run("cargo", "run", "-q", "-p", "lab", "--", "handout", lab, str(tree), cwd=ROOT)
    shutil.rmtree(tree / ".git")
    add_own_tests(tree)
    run("cargo", "vendor", "-q", "--no-delete", "vendor", cwd=tree)
    with open(tree / ".cargo/config.toml", "a") as file:
        file.write(VENDORED)
    for name in ("setup.sh", "run_autograder"):
        shutil.copy(ROOT / "tools/lab/autograder" / name, work / name)
    target = ROOT / f"obj/autograder-lab{lab}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(work.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(work))
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size >> 20} MB")


if __name__ == "__main__":
    main()
