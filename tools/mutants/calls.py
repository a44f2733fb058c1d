"""Calls that are left out, as mutants beside those of cargo-mutants, which deletes no statements: whatever tells the
processor that page tables have changed. RISC-V needs a fence after each entry that becomes valid; all need flushes.
"""

import re

from copies import ROOT

# Their kind, beside those of cargo-mutants.
GENRE = "Call"
FOLDER = "libjos/src"
CALL = re.compile(r"^ *((?:\w+\.)*(?:machine|machine_mut\(\))\.(?:made_valid|invlpg|flush_tlb|lcr3|protect_kernel)\(.*\);)$",
                  re.M)


def listed():
    """All of them, in the form of cargo-mutants' list."""
    files = sorted(file.relative_to(ROOT) for file in (ROOT / FOLDER).rglob("*.rs"))
    return [mutant for file in files if "tests" not in file.with_suffix("").parts and file.parts[2] != "sim"
            for mutant in in_text(str(file), (ROOT / file).read_text())]


def in_text(file, text):
    r"""The calls in a file's text.

    >>> [mutant] = in_text("a.rs", "fn f(&mut self) {\n    self.machine.made_valid(None);\n}\n")
    >>> mutant["name"], mutant["span"]
    ('a.rs:2:5: delete call self.machine.made_valid(None);', {'start': {'line': 2, 'column': 5}})
    """
    lines, mutants = text.splitlines(keepends=True), []
    for call in CALL.finditer(text):
        line, column = text.count("\n", 0, call.start()) + 1, call.start(1) - call.start() + 1
        diff = f"--- {file}\n+++ {file}\n@@ -{line},1 +{line},0 @@\n-{lines[line - 1]}"
        mutants.append({"name": f"{file}:{line}:{column}: delete call {call[1]}", "file": file, "genre": GENRE,
                        "function": None, "span": {"start": {"line": line, "column": column}}, "replacement": "",
                        "diff": diff})
    return mutants
