"""Looks for instructions in a PC's kernel as built. For tests."""

import re
import subprocess

# An instruction in a listing: prefixes, mnemonic, operands.
INSTRUCTION = re.compile(r"^ *[0-9a-f]+:\t(?:(?:lock|rep\w*|bnd|notrack|data16|addr16|[c-gs]s) )*(\w+)(.*)")
# x87, whose mnemonics alone begin with f; the vector units; and accesses wider than a register.
UNSAVED = re.compile(r"(f\w+|emms|cmpxchg(8|16)b)\b|.*\b([xyz]?mm\d+|st)\b")
# The functions that may have some of them: i386's entry starts x87, its traps save it, a test fills it, and programs in
# ring 3 have their own.
MAY_USE = re.compile(r"(check_processor|trap_common)$|.*(registers4load|store_and_fault|odd_registers[^ ]*is_0"
                     r"|floats\d*(save|restore|forget)_floats)")
# Data of the boot code, which lies among its functions. Addresses in it may look like any instruction.
DATA = re.compile(r"entry_gdt(_pointer)?$")


def unsaved(kernel):
    """The instructions of a PC's kernel that use registers that its traps do not save, each with its function.

    On i386 this also finds 64-bit atomic accesses: Rust compiles one to x87's load and store of 8 bytes, which would change
    x87's registers, or to CMPXCHG8B, which writes even to read.
    """
    said = subprocess.run(["objdump", "-d", "-M", "intel", "--no-show-raw-insn", kernel], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    function, found = "", []
    for line in said.splitlines():
        if start := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            function = start[1]
        elif instruction := INSTRUCTION.match(re.sub("<.*>", "", line)):
            if UNSAVED.match("".join(instruction.groups())) and not (MAY_USE.match(function) or DATA.match(function)):
                found.append(f"{function}: {line.strip()}")
    if not function:
        raise ValueError(f"{kernel} has no functions")
    return found
