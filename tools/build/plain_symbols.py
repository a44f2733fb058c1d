#!/usr/bin/env python3
"""Give the functions that JOS's users know their plain names in the kernel's symbol table.

libjos is generic over the machine, so the debugger knows `mem_init` only under a name such as
`libjos::pmap::Pmap<kernel::machine::Pc>::mem_init<kernel::machine::Pc>`, and gdb does not take
`b mem_init` for it. This tool runs after the linker and adds one ELF symbol of the plain name for each
such function: local, in the function's section, and at its first instruction, from where gdb finds the
source lines as for any other function. Nothing that is loaded changes.

A function that was compiled several times (for several machines, say) gets its plain name at each place,
in order of address: gdb then stops at all of them. A name without a function is an error that names it,
for it means that the function was renamed, or inlined into its callers.
"""

import argparse
import re
import subprocess
import sys

NAMES = """
mem_init boot_alloc page_init page_alloc page_free page_decref
pgdir_walk boot_map_region page_insert page_lookup page_remove tlb_invalidate
check_page_free_list check_page_alloc check_page check_kern_pgdir check_page_installed_pgdir
i386_init i386_detect_memory trap
""".split()
# Of these, those that an application without the monitor does not have are no loss.
MONITOR_NAMES = "readline kerninfo backtrace".split()


def last_component(path):
    """The function's own name in a demangled Rust path, legacy or v0; "" for a C-like name.

    >>> last_component("libjos::pmap::Pmap<M>::mem_init")
    'mem_init'
    >>> last_component("<libjos::pmap::Pmap<kernel::Pc>>::mem_init::<kernel::Pc> (.llvm.123)")
    'mem_init'
    >>> last_component("libjos::pmap::Pmap<M>::mem_init::{{closure}}")
    '{{closure}}'
    """
    path = re.sub(r"( \(\.llvm\.\d+\)|\.llvm\.\d+| \[clone [^]]*\])+$", "", path)
    if path.endswith(">"):  # The generic arguments of the function itself: drop ::<...>, brackets balanced.
        depth = 0
        for at in range(len(path) - 1, -1, -1):
            # "->" in a function type closes nothing.
            depth += (path[at] == ">" and path[at - 1] != "-") - (path[at] == "<")
            if depth == 0:
                break
        path = path[:at].removesuffix("::")
    return path.rpartition("::")[2] if "::" in path else ""


def read_functions(nm_output):
    """From the output of nm: what is already plain, and for every other function name its addresses."""
    plain, mangled = set(), {}
    for address, path in re.findall(r"^([0-9a-f]+) [tTwW] (.+)$", nm_output, re.M):
        name = last_component(path)
        if name:
            mangled.setdefault(name, {})[int(address, 16)] = path
        else:
            plain.add(path)
    return plain, mangled


def plan(names, nm_output):
    """What to add, as (name, address, path), and the names that no function has."""
    plain, mangled = read_functions(nm_output)
    wanted = [name for name in names if name not in plain]
    missing = [name for name in wanted if name not in mangled]
    added = [(name, *place) for name in wanted for place in sorted(mangled.get(name, {}).items())]
    return added, missing


def sections(objdump_output):
    """The sections as (name, first address, end address), from the output of objdump -h."""
    rows = re.findall(r"^ *\d+ (\S+) +([0-9a-f]+) +([0-9a-f]+) ", objdump_output, re.M)
    return [(name, int(start, 16), int(start, 16) + int(size, 16)) for name, size, start in rows]


def run(*command):
    """The output of a command; its failure ends this program."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"plain_symbols.py: {' '.join(command[:2])} failed")
    return done.stdout


def main():
    """Read the command line and do the work."""
    parser = argparse.ArgumentParser(description="Add plain names for JOS's functions to a kernel's symbols.")
    parser.add_argument("source", help="the kernel as linked")
    parser.add_argument("result", help="the kernel with the plain names")
    parser.add_argument("--allow-missing", action="store_true", help="only warn about functions that are missing")
    parser.add_argument("-v", "--verbose", action="store_true", help="say which function gets which name")
    options = parser.parse_args()

    functions = run("nm", "-C", options.source)
    added, missing = plan(NAMES + MONITOR_NAMES, functions)
    if "monitor" not in read_functions(functions)[1]:
        missing = [name for name in missing if name not in MONITOR_NAMES]
    if missing:
        text = f"plain_symbols.py: {options.source} has no function {', '.join(missing)} (renamed, or inlined?)"
        if not options.allow_missing:
            sys.exit(f"{text}; the lists in tools/build/plain_symbols.py say what gdb's users rely on")
        print(f"{text}; gdb will not find it", file=sys.stderr)

    table = sections(run("objdump", "-h", options.source))
    arguments = []
    for name, address, path in added:
        section, start = next((s, start) for s, start, end in table if start <= address < end)
        arguments += ["--add-symbol", f"{name}={section}:{address - start:#x},function,local"]
        if options.verbose:
            print(f"{address:#x} {name} = {path}")
    run("objcopy", *arguments, options.source, options.result)


if __name__ == "__main__":
    main()
