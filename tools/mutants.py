#!/usr/bin/env python3
"""mutants.py [OPTIONS of cargo mutants]: plant faults in layout and libjos, one at a time, and look whether a
test sees each. `make mutants` runs it; docs/mutants.md has the results.

In two passes, because most faults are seen by the unit tests, which are built and run in half the time: all
other tests are only asked about what those miss. What came of each mutant is kept in obj/mutants/all.json, so
that a run may be of some files (-f libjos/src/pgdir.rs) or of a part (--shard 1/8). `mutants.py --table`
prints what is known so far, a line a file.
"""

import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "obj" / "mutants"
KNOWN = OUT / "all.json"
OUTCOMES = ["caught", "missed", "timeout", "unviable"]
COMMAND = ["cargo", "mutants", "--dir", str(ROOT), "--package", "layout", "--package", "libjos"]


def known():
    """What came of each mutant, by its name."""
    return json.loads(KNOWN.read_text()) if KNOWN.exists() else {}


def run_pass(tests, options):
    """Runs these tests on the mutants, keeps what comes of each, and returns the exit status."""
    # To cargo's builds too, or all tests would be built each time.
    tests = ["--cargo-arg=" + option for option in tests]
    try:
        return subprocess.run([*COMMAND, "--output", str(OUT), *tests, *options], check=False).returncode
    finally:
        # What an interrupted run has found counts too.
        results = known()
        for outcome in OUTCOMES:
            file = OUT / "mutants.out" / f"{outcome}.txt"
            for name in file.read_text().splitlines() if file.exists() else []:
                results[name] = outcome
        KNOWN.write_text(json.dumps(results, indent=0, sort_keys=True) + "\n")


def table():
    """Prints what is known of the mutants that there are now, and which of them no test catches."""
    listed = subprocess.run([*COMMAND, "--list"], check=True, capture_output=True, text=True)
    results = known()
    by_file = collections.defaultdict(collections.Counter)
    survivors = []
    for name in listed.stdout.splitlines():
        outcome = results.get(name, "not run")
        by_file[name.split(":")[0]][outcome] += 1
        if outcome == "missed":
            survivors.append(name)
    by_file = dict(sorted(by_file.items()))
    by_file["all"] = sum(by_file.values(), collections.Counter())
    columns = [*OUTCOMES, "not run"]
    print("| file | mutants |", " | ".join(columns), "| of those that build, caught |")
    print("|---|" + "--:|" * (len(columns) + 2))
    for file, counts in by_file.items():
        viable = counts["caught"] + counts["timeout"] + counts["missed"]
        share = f"{100 * (viable - counts['missed']) / viable:.1f} %" if viable else ""
        numbers = [counts.total(), *(counts[column] for column in columns)]
        print(f"| {file} |", " | ".join(map(str, numbers)), f"| {share} |")
    print(*survivors, sep="\n")


def main(options):
    if options == ["--table"]:
        return table()
    OUT.mkdir(parents=True, exist_ok=True)
    status = run_pass(["--lib"], options)
    # 2: some were missed; 3: some ran into the time limit. Anything else is no verdict on the tests.
    if status in (2, 3):
        status = run_pass(["--lib", "--tests"], ["--iterate", "--baseline=skip", "--timeout=60", *options])
    table()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
