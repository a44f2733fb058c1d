"""The graded tests of deliberate faults, picked by test=NAME, and of the panic's report about them."""

import re

from arch import ARCH, HALVES, NX, PC
from gradelib import FAILURE, Machine, Test
from reports import REPORT
from words import (
    CHECKS, FAULT_NAMES, HEX, KERNEL, NO_EXECUTE, NO_PROMPT, TRAPS, UPAGES, WINDOW, fault, page_fault, panic,
)

PAGES, PAGE = r"libjos/src/mem/pages/allocator\.rs", "page 0x[0-9a-f]+000"
FAULTS = r"kernel/src/faults\.rs"
READ_NULL = page_fault(f'read of {ARCH.address(0)}: page not present, in "low addresses"')
# The page below the kernel's stack, without the last three digits; where test=lost-stack pushes.
GUARD, PUSHED = ARCH.address(ARCH.kstack - 1)[:-3], ARCH.ustacktop - ARCH.word
SCREEN = ARCH.address(ARCH.kernbase + 0xB_8000)[:-3]  # likewise
NO_RAM = f"{ARCH.no_ram:#x}"  # a page table's address in test=table-outside-ram
PROTECTED = r"protection violation \(page present\)"


def trap(text):
    """The line of an exception."""
    return panic(text, TRAPS)[0]


def within(text):
    """The line of an exception within the report of a panic."""
    return re.compile(rf"kernel panic within the report of a panic, at {TRAPS}:\d+:\d+: " + text)


# The end of the report of test=registers.
LOST = f"0x{REPORT.nowhere:x}"
REGISTERS = (
    *CHECKS,
    trap(page_fault(f'instruction fetch from {ARCH.address(REPORT.nowhere)}: page not present, in "heap and stack"')),
    *REPORT.registers,
    f'Walk of {LOST} ("heap and stack"):', f"  {LOST} is not mapped: its entry of level {ARCH.top_level} is empty",
    "Backtrace:", f"  #0  {ARCH.address(REPORT.nowhere)}",
    f"  (the chain breaks off: frame pointer {REPORT.lost} leads into no stack)",
)

TESTS = [
    fault("read-null", 5, "read of address 0", READ_NULL),
    fault(
        "write-text", 5, "write to kernel text",
        page_fault(rf"write to {ARCH.address(ARCH.window(ARCH.image))}: {PROTECTED}, in {WINDOW} \(kernel code\)"),
    ),
    fault(
        "write-rodata", 5, "write to rodata",
        page_fault(rf"write to {KERNEL}: {PROTECTED}, in {WINDOW} \(kernel constants\)"),
    ),
    fault(
        "exec-data", 5, "execution of a data page",
        page_fault(rf"instruction fetch from {KERNEL}: no-execute page, in {WINDOW} \(kernel data\)"),
        needs=(NX,),
    ),
    fault(
        "exec-area", 5, "execution of an area whose handler maps all",
        page_fault(f'instruction fetch from {ARCH.address(ARCH.areas)}: page not present, in "heap and stack"'),
    ),
    fault(
        "stack-overflow", 5, "kernel stack overflow",
        f"kernel stack overflow {REPORT.overflow}: "
        f"the stack ran into the guard gap below KSTACKTOP-KSTKSIZE, at {GUARD}[0-9a-f]{{3}}",
    ),
    fault("write-upages", 5, "write to UPAGES", page_fault(rf'write to {UPAGES}: {PROTECTED}, in "pages array"')),
    fault(
        "read-hole", 5, "read of a hole in the map",
        page_fault(f'read of {ARCH.address(ARCH.hole[0])}: page not present, in "{ARCH.hole[1]}"'),
    ),
    fault(
        "non-canonical", 5, "non-canonical address",
        REPORT.non_canonical, needs=(HALVES,),
    ),
    fault("double-free", 5, "page_free twice", f"page_free: {PAGE} is free already", PAGES),
    fault(
        "free-referenced", 5, "page_free with pp_ref != 0",
        f"page_free: {PAGE} is still in use: pp_ref is 1", PAGES,
    ),
    fault(
        "boot-alloc-late", 5, "boot_alloc after page_init",
        "boot_alloc: 4096 bytes asked for after page_init; use page_alloc", r"libjos/src/pmap\.rs",
    ),
    fault(
        "heap-elsewhere", 5, "allocation with another page directory",
        "the heap or an area is used, but kern_pgdir, which has them, is not loaded", r"kernel/src/pmap\.rs",
    ),
    fault("panic", 5, "explicit panic", "asked for by test=panic", FAULTS),
    fault(
        "failed-check", 5, "failed check",
        f"check_page_free_list: {PAGE} is not on the list, yet its pp_ref is 0", r"libjos/src/check/check_pages\.rs",
    ),
    # The report of a panic.
    *(
        Test(
            f"report: every register{when}", 10, Machine(words=f"test={name}"), REGISTERS, NO_PROMPT, FAILURE,
            tags=("report",),
        )
        for name, when in (
            ("registers", " by its name"), ("registers-handled", ", after a fault that was handled"),
        )
    ),
    Test(
        "report: a page fault explained", 10, Machine(words="test=write-upages"),
        (
            *CHECKS, trap(page_fault(rf'write to {UPAGES}: {PROTECTED}, in "pages array"')),
            *map(re.compile, REPORT.beginning),
            *REPORT.write_code,
            f'Walk of {UPAGES} ("pages array"):',
            re.compile(rf" +\+-> 0x[0-9a-f]+\[0\] = {NO_EXECUTE}  4 KB page at 0x[0-9a-f]+ {ARCH.perm('ur---')}.*"),
            f"  {UPAGES} is mapped, but may not be written: level 0 withholds it",
            "Backtrace:", re.compile(rf"  #0 +{KERNEL} {ARCH.faults}::write \(inlined\)"),
            re.compile(rf" +{ARCH.faults.replace('::', '/').replace('kernel/', 'kernel/src/')}\.rs:\d+"),
            re.compile(rf"  #1 +{KERNEL} kernel::faults::run kernel/src/faults\.rs:\d+"),
            re.compile(rf"  #2 +{KERNEL} kernel::on_kernel_stack kernel/src/lib\.rs:\d+"),
            # Assembly has no source lines, and must not get those of the code before it.
            re.compile(rf"  #3 +{KERNEL} {ARCH.module}::stack::switch"),
        ),
        NO_PROMPT, FAILURE, tags=("report",),
    ),
    Test(
        "report: a panic without its machinery", 5, Machine(words="test=failed-check"),
        (
            *CHECKS, re.compile(r"kernel panic at libjos/src/check/check_pages\.rs:.*"), "Backtrace:",
            re.compile(rf"  #0 +{KERNEL} libjos::check::check_pages::Checks::check_part"),
            re.compile(r" +libjos/src/check/check_pages\.rs:\d+"), re.compile(r"  #\d .* kernel::faults::run .*"),
        ),
        (*NO_PROMPT, re.compile(r"  #\d.*(panic|rust_begin_unwind).*")), FAILURE, tags=("report",),
    ),
    *(
        Test(
            f"report: {title}", 5, Machine(words=f"test={name}"),
            (*CHECKS, trap(text), *map(re.compile, lines)), NO_PROMPT, FAILURE, tags=("report",),
        )
        for name, title, text, lines in (
            (
                "divide", "division by 0", r"divide error \(#DE, vector 0\)",
                ("Backtrace:", rf"  #0  {HEX} {ARCH.faults}::divide.*"),
            ),
            ("breakpoint", "breakpoint", REPORT.breakpoint, ()),
            ("invalid-opcode", "invalid opcode", REPORT.invalid_opcode, ()),
            (
                "access-fault", "an address without memory",
                rf"load access fault \(scause 5\) at {ARCH.address(ARCH.map.mmiobase + 0x800)}: "
                "no memory or device answers there", (),
            ),
            (
                "bad-selector", "a selector's error code", r"general protection \(#GP, vector 13\): GDT entry 5",
                ("  error code 0x28: EXT=0 IDT=0 TI=0 index=0x5", "    the GDT's entry 5"),
            ),
            (
                # QEMU 7.2 doubles the number.
                "bad-interrupt", "an interrupt's error code",
                r"segment not present \(#NP, vector 11\): IDT entry (128|256)",
                ("  error code 0x[48]02: EXT=0 IDT=1 TI=0 index=0x(80|100)", "    the IDT's entry (128|256)"),
            ),
            (
                "reserved-bit", "a reserved bit",
                page_fault(
                    f'read of {ARCH.address(0x40_0000)}: reserved bit set in a page-table entry, '
                    'in "temporary mappings"'
                ),
                REPORT.reserved_bit,
            ),
            (
                "table-outside-ram", "a table where no RAM is", READ_NULL,
                (rf" +stops at level {ARCH.top_level - 1}: {NO_RAM}, where the table should be, is no RAM",),
            ),
            (
                "broken-stack", "a broken stack", READ_NULL,
                (
                    "Backtrace:", rf"  #0  {HEX} {ARCH.faults}::broken_stack.*",
                    rf"  \(the chain breaks off: frame pointer {ARCH.ustacktop:#x} leads into no stack\)",
                ),
            ),
            (
                "lost-stack", "no stack at all",
                f"{REPORT.lost_stack}: an exception could not be delivered; "
                f'the latest page fault was at {ARCH.address(PUSHED)}, in "heap and stack"',
                (
                    *REPORT.lost_stack_code, rf'Walk of {PUSHED:#x} \("heap and stack"\):',
                    f" +stops at level {ARCH.top_level}: {ARCH.size(ARCH.ptsize)} here are not mapped",
                ),
            ),
            (
                "stack-overflow", "a recursion in few lines", r"kernel stack overflow .*",
                (rf"  #1  {HEX} kernel::faults::stack_overflow::recurse.*", r"      \.\.\. and \d+ more of the same"),
            ),
        )
        if name in FAULT_NAMES
    ),
    Test(
        "report: a message that prints", 5, Machine(words="test=print-in-report"),
        (
            *CHECKS, panic("printed by the message", FAULTS)[0], "asked for by test=print-in-report", "Backtrace:",
        ),
        NO_PROMPT, FAILURE, tags=("report",),
    ),
    Test(
        "report: a fault within the report", 5, Machine(words="test=fault-in-report"),
        (*CHECKS, panic("", FAULTS)[0], within(READ_NULL)), (re.compile(r"K> .*"), "Backtrace:"), FAILURE,
        tags=("report",),
    ),
    Test(
        # The line, the report of its fault, and the line end before the report within the report all fault while the console
        # is locked.
        "report: a fault within the console", 5, Machine(words="test=screen-lost"),
        (
            *CHECKS, "the screen is not mapped", "kernel panic at ",
            within(page_fault(rf"write to {SCREEN}[0-9a-f]{{3}}: page not present, in {WINDOW}")),
        ),
        (re.compile(r"K> .*"),), FAILURE, tags=("report",), needs=(PC,),
    ),
    Test(
        "report: an allocation that failed earlier is not blamed", 5, Machine(words="test=heap-stale"),
        (*CHECKS, *panic("asked for by test=heap-stale", FAULTS)),
        (*NO_PROMPT, re.compile(".*allocation failed.*")), FAILURE, tags=("report",),
    ),
]
