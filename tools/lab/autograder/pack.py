#!/usr/bin/env python3
"""Packs the autograder of lab N as Gradescope takes it: obj/autograder-labN.zip. `make autograder LAB=N`.

The zip has setup.sh, run_autograder with its submission.py, and the pristine tree with the grader's own tests.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main():
    """Packs; the first argument is the lab's number."""
    lab = sys.argv[1]
    work = ROOT / f"obj/autograder-lab{lab}"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    made = subprocess.run(["cargo", "run", "-q", "-p", "lab", "--", "pristine", lab, str(tree)], cwd=ROOT, check=False)
    if made.returncode:  # the command has said why
        sys.exit(made.returncode)
    shutil.rmtree(tree / ".git")
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
