"""The faults of the lists in faults/: in assembly and in linker.ld, which cargo-mutants does not read."""

import difflib
import tomllib

from copies import ROOT, Failed

LISTS = sorted((ROOT / "tools" / "mutants" / "faults").glob("*.toml"))
# Their kind, beside those of cargo-mutants.
GENRE = "Listed"


def listed():
    """All faults, in the form of cargo-mutants' list."""
    return [as_mutant(file, fault["old"], fault["new"]) for faults in LISTS
            for file, of_file in tomllib.loads(faults.read_text()).items() for fault in of_file]


def as_mutant(file, old, new):
    """A change of a text that occurs once in a file."""
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        raise Failed(f"a fault in tools/mutants/faults is stale: {file} has {text.count(old)} times: {old!r}")
    before = text.partition(old)[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    shown = [" ".join(part.split()) for part in (old, new)]
    change = f"replace {shown[0]} with {shown[1]}" if new else f"delete {shown[0]}"
    diff = difflib.unified_diff(text.splitlines(True), text.replace(old, new).splitlines(True), n=3)
    return {"name": f"{file}:{line}:{column}: {change}", "file": file, "genre": GENRE, "diff": "".join(diff)}
