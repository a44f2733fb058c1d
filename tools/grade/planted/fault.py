"""A fault that plant.py puts into the kernel, and the places and pieces of code that several of them share."""

from typing import NamedTuple

from arch import PHYSMAP


class Fault(NamedTuple):
    """A fault, and a machine that can have it."""

    name: str
    code: str = ""
    edits: tuple = ()
    memory: str = "8M"
    needs: tuple = ()  # what the machine must have, in the words of arch.py
    crowd: bool = False  # whether environments show it: a crowd of them runs, and is read


ALLOCATOR, MAPPING = "libjos/src/mem/pages/allocator.rs", "libjos/src/paging/mapping.rs"
FORMAT = "libjos/src/paging/format/mod.rs"
X86, RISCV = "libjos/src/paging/format/x86.rs", "libjos/src/paging/format/riscv.rs"
STACK, MACHINE = "kernel/src/stack.rs", "kernel/src/machine.rs"
HART = "kernel/src/arch/riscv64/cpu.rs"
PROTECTED = "            in(reg) FS_INITIAL,\n            options(nostack)\n        );\n    }\n"
ZERO = "            mem.zero_frame(self.page2pa(frame));\n"
# Where the window shows the kernel's parts.
SHOWN = "L::KERNBASE - L::PHYS_BASE + pmap.boot().image.{}.start.as_u64()"
TEXT = "pmap.boot().image.text.start.as_u64()"
HERE = "crate::planted::is(NUMBER)"
KERNELS = "libjos::planted::is(NUMBER)"


def zeroing(code, instead=False):
    """A fault of ALLOC_ZERO: what it does after filling the frame, or in place of that."""
    filled = f"            if !{HERE} {{\n{ZERO}            }}\n" if instead else ZERO
    return ((ALLOCATOR, ZERO, f"{filled}            if {HERE} {{\n{code}            }}\n"),)


def page_alloc(code):
    """A fault of page_alloc: what it does first."""
    first = "        let frame = Frame(self.list.head);\n"
    return ((ALLOCATOR, first, f"        if {HERE} {{\n{code}        }}\n{first}"),)


def physmap(name, code):
    """A fault in PHYSMAP, with RAM above the window."""
    return Fault(name, code, memory="260M", needs=(PHYSMAP,))
