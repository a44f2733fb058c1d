"""The graded tests of deliberate faults, picked by test=NAME, and of what a panic says about them."""

import re

from gradelib import FAILURE, Machine, Test
from words import CHECKS, HEX, KERNEL, NO_PROMPT, PAGE_FAULT, UPAGES, fault

TESTS = [
    fault("read-null", 5, "read of address 0", PAGE_FAULT + r"read of 0x0000000000000000: page not present.*"),
    fault("write-text", 5, "write to kernel text", PAGE_FAULT + rf"write to {KERNEL}: protection violation.*window.*"),
    fault("write-rodata", 5, "write to rodata", PAGE_FAULT + rf"write to {KERNEL}: protection violation.*window.*"),
    fault("exec-data", 5, "execution of a data page", PAGE_FAULT + rf"instruction fetch from {HEX}: no-execute.*"),
    fault(
        "stack-overflow", 5, "kernel stack overflow",
        rf"kernel stack overflow \(#DF, vector 8\): the stack ran into the guard gap .*, at {HEX}",
    ),
    fault("write-upages", 5, "write to UPAGES", PAGE_FAULT + rf"write to {UPAGES}: protection violation.*pages.*"),
    fault("read-hole", 5, "read of a hole in the map", PAGE_FAULT + rf"read of {HEX}: page not present.*"),
    fault("non-canonical", 5, "non-canonical address", r"general protection \(#GP, vector 13\): .*non-canonical.*"),
    fault("double-free", 5, "page_free twice", r"page_free: .*"),
    fault("free-referenced", 5, "page_free with pp_ref != 0", r"page_free: .*pp_ref.*"),
    fault("boot-alloc-late", 5, "boot_alloc after page_init", r"boot_alloc: .*page_init.*"),
    fault("panic", 5, "explicit panic", r".+"),
    fault("failed-check", 5, "failed check", r"check_\w+: .*"),
    # What a panic says.
    Test(
        "report: a page fault explained", 10, Machine(words="test=write-upages"),
        (
            *CHECKS, re.compile(r"kernel panic at .*"), re.compile(r"  rax +[0-9a-f]{16} +rbx .*"),
            re.compile(r"  CR0 +[0-9a-f]{16}  PE .*WP PG"), re.compile(r"  EFER +[0-9a-f]{16}  .*NXE.*"),
            "  error code 0x3: P=1 W/R=1 U/S=0 RSVD=0 I/D=0 PK=0 SS=0 SGX=0",
            "    P    1  present: permissions forbid the access", "    W/R  1  write", "    U/S  0  by the kernel",
            'Walk of 0xfffffe8000000000 ("pages array"):',
            re.compile(r"       \+-> 0x[0-9a-f]+\[0\] = 0x80000000[0-9a-f]{8}  4 KB page at 0x[0-9a-f]+ ur---.*"),
            "  0xfffffe8000000000 is mapped, but may not be written: level 0 withholds it",
            "Backtrace:", re.compile(r"  #0 +0xffff[0-9a-f]{12} kernel::faults::write \(inlined\)"),
            re.compile(r" +kernel/src/faults\.rs:\d+"),
            re.compile(r"  #1 +0xffff[0-9a-f]{12} kernel::faults::run kernel/src/faults\.rs:\d+"),
            re.compile(r"  #2 +0xffff[0-9a-f]{12} kernel::on_kernel_stack kernel/src/lib\.rs:\d+"),
        ),
        NO_PROMPT, FAILURE, tags=("report",),
    ),
    Test(
        "report: a panic without its machinery", 5, Machine(words="test=failed-check"),
        (
            *CHECKS, re.compile(r"kernel panic at libjos/src/check_pages\.rs:.*"), "Backtrace:",
            re.compile(r"  #0 +0xffff[0-9a-f]{12} libjos::check_pages::Pmap::check_states"),
            re.compile(r" +libjos/src/check_pages\.rs:\d+"), re.compile(r"  #\d .* kernel::faults::run .*"),
        ),
        (*NO_PROMPT, re.compile(r"  #\d.*(panic|rust_begin_unwind).*")), FAILURE, tags=("report",),
    ),
    *(
        Test(
            f"report: {title}", 5, Machine(words=f"test={name}"),
            (*CHECKS, *map(re.compile, lines)), NO_PROMPT, FAILURE, tags=("report",),
        )
        for name, title, lines in (
            (
                "divide", "division by 0",
                (r"kernel panic at .*: divide error \(#DE, vector 0\)", r"  #0 .*faults::divide.*"),
            ),
            ("breakpoint", "breakpoint", (r"kernel panic at .*: breakpoint \(#BP, vector 3\)",)),
            ("invalid-opcode", "invalid opcode", (r"kernel panic at .*: invalid opcode \(#UD, vector 6\)",)),
            (
                "bad-selector", "a selector's error code",
                (r"kernel panic at .*#GP.*: GDT entry 5", r"  error code 0x28: EXT=0 IDT=0 TI=0 index=0x5"),
            ),
            (
                "reserved-bit", "a reserved bit",
                (r"kernel panic at .*: reserved bit set in a page-table entry, .*", r"    RSVD 1  .*"),
            ),
            (
                "table-outside-ram", "a table where no RAM is",
                (r"kernel panic at .*", r" +stops at level 2: 0x8000000000, where the table should be, is .*"),
            ),
            (
                "broken-stack", "a broken stack",
                (r"kernel panic at .*", r"  #0 .*", r"  \(the chain breaks off: frame pointer 0x7fff.*\)"),
            ),
            (
                "stack-overflow", "a recursion in few lines",
                (r"  #1 .*recurse", r"      \.\.\. and \d+ more of the same"),
            ),
        )
    ),
    Test(
        "report: a message that prints", 5, Machine(words="test=print-in-report"),
        (
            *CHECKS, re.compile(r"kernel panic at kernel/src/faults\.rs:.*: printed by the message"),
            "asked for by test=print-in-report", "Backtrace:",
        ),
        NO_PROMPT, FAILURE, tags=("report",),
    ),
    Test(
        "report: a fault within the report", 5, Machine(words="test=fault-in-report"),
        (*CHECKS, re.compile(r"kernel panic at kernel/src/faults\.rs:.*"), re.compile(r"kernel panic within .*")),
        (re.compile(r"K> .*"),), FAILURE, tags=("report",),
    ),
]
