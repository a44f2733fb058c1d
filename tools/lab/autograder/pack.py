#!/usr/bin/env python3
"""Packs the autograder of lab 2 as Gradescope takes it: obj/autograder-lab2.zip. `make autograder LAB=2`.

The zip has setup.sh, run_autograder with its submission.py, and the pristine tree with the grader's own tests.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HIDDEN = "libjos/src/lab2_tests/property.rs"


def add_own_tests(tree):
    """Adds the grader's own tests to a handout."""
    shutil.copy(ROOT / HIDDEN, tree / HIDDEN)
    tests = tree / "libjos/src/lab2_tests/mod.rs"
    tests.write_text(tests.read_text().replace("mod mappings;\n", "mod mappings;\nmod property;\n"))


def main():
    """Packs; the first argument is the lab's number."""
    lab = sys.argv[1]
    work = ROOT / f"obj/autograder-lab{lab}"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    made = subprocess.run(["cargo", "run", "-q", "-p", "lab", "--", "handout", lab, str(tree)], cwd=ROOT, check=False)
    if made.returncode:  # It has said why.
        sys.exit(made.returncode)
    shutil.rmtree(tree / ".git")
    add_own_tests(tree)
    for name in ("setup.sh", "run_autograder", "submission.py"):
        shutil.copy(ROOT / "tools/lab/autograder" / name, work / name)
    target = ROOT / f"obj/autograder-lab{lab}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(work.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(work))
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size >> 10} KB")


if __name__ == "__main__":
    main()
