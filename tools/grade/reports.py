"""The lines of the kernel's reports that show a machine's registers, for each machine."""

import re
from typing import NamedTuple

from arch import ARCH

DIGITS = f"[0-9a-f]{{{ARCH.digits}}}"


class Report(NamedTuple):
    """The report of a panic, as far as it depends on the registers."""

    nowhere: int  # where test=registers jumps to
    lost: str  # its frame pointer
    registers: tuple  # the lines with the registers in test=registers, and the error code bit by bit
    beginning: tuple  # patterns for lines with the registers of any other report
    page_fault: dict  # the name of a page fault, as a pattern, by the first word about the access
    faults: tuple  # the values of test= that this machine alone has
    # The lines of a report, from the name of the exception on, as patterns.
    overflow: str = r"\(#DF, vector 8\)"
    lost_stack: str = r"double fault \(#DF, vector 8\)"
    lost_stack_code: tuple = ("  error code 0x0: always 0",)
    breakpoint: str = r"breakpoint \(#BP, vector 3\)"
    invalid_opcode: str = r"invalid opcode \(#UD, vector 6\)"
    non_canonical: str = (
        r"general protection \(#GP, vector 13\): "
        r"access to a non-canonical address, it seems: r\w\w? is 0x0000ffff[0-9a-f]{8}"
    )
    write_code: tuple = (
        "  error code 0x3: P=1 W/R=1 U/S=0 RSVD=0 I/D=0 PK=0 SS=0 SGX=0",
        "    P    1  present: permissions forbid the access", "    W/R  1  write", "    U/S  0  by the kernel",
    )
    kept_off: str = "SMEP, SMAP"  # what keeps the kernel off the user's pages
    reserved_bit: tuple = ("    RSVD 1  a reserved bit is set in an entry",)


ABSENT_READ = (
    "    P    0  not present: an entry on the way is empty", "    W/R  0  read", "    U/S  0  by the kernel",
)
PC_PAGE_FAULT = dict.fromkeys(("instruction", "read", "write"), r"page fault \(#PF, vector 14\): ")
PC_FAULTS = tuple(
    "divide breakpoint invalid-opcode bad-selector bad-interrupt broken-stack lost-stack registers registers-handled"
    .split()
)
# Each value is that of registers.rs in the machine's folder of the kernel. (Hardware sets RF, QEMU does not.)
REPORT = {
    "x86_64": Report(
        nowhere=0x7654_3210_0AB0, lost="0xb9000000000000b9",
        registers=(
            "  rax    a00000000000000a  rbx    b00000000000000b  rcx    c00000000000000c",
            "  rdx    d00000000000000d  rsi    5100000000000051  rdi    d1000000000000d1",
            "  rbp    b9000000000000b9  rsp    ffffffffefffc008  rip    0000765432100ab0",
            "  r8     0800000000000008  r9     0900000000000009  r10    1000000000000010",
            "  r11    1100000000000011  r12    1200000000000012  r13    1300000000000013",
            "  r14    1400000000000014  r15    1500000000000015  cs     0000000000000008",
            "  ss     0000000000000010",
            re.compile("  RFLAGS 00000000002[01]0cd7  CF 1 PF AF ZF SF DF OF( RF)? ID"),
            re.compile("  CR0    [0-9a-f]{8}8[0-9a-f]{7}  PE .*WP PG"), "  CR2    0000765432100ab0  VA=0x765432100ab0",
            re.compile(r"  CR3    0{10}([123][0-9a-f]{2})000  PFN=0x\1"), re.compile("  CR4    [0-9a-f]{16} .*PAE.*"),
            "  CR8    0000000000000005  TPR=0x5", re.compile("  EFER   [0-9a-f]{16}  .*LME LMA NXE.*"),
            "  error code 0x10: P=0 W/R=0 U/S=0 RSVD=0 I/D=1 PK=0 SS=0 SGX=0", *ABSENT_READ,
            "    I/D  1  instruction fetch",
        ),
        beginning=(
            rf"  rax +{DIGITS} +rbx .*", rf"  CR0 +{DIGITS}  PE .*WP PG", rf"  EFER +{DIGITS}  .*NXE.*",
        ),
        page_fault=PC_PAGE_FAULT, faults=PC_FAULTS,
    ),
    "i386": Report(
        nowhere=0x7654_0AB0, lost="0xb90000b9",
        registers=(
            "  eax    a000000a  ebx    b000000b  ecx    c000000c",
            "  edx    d000000d  esi    51000051  edi    d10000d1",
            "  ebp    b90000b9  esp    efffc008  eip    76540ab0",
            "  cs     00000008  ds     00000010  es     00000010",
            re.compile("  EFLAGS 002[01]0cd7  CF 1 PF AF ZF SF DF OF( RF)? ID"),
            re.compile("  CR0    8[0-9a-f]{7}  PE .*WP PG"), "  CR2    76540ab0  VA=0x76540ab0",
            re.compile(r"  CR3    00([123][0-9a-f]{2})000  PFN=0x\1"), re.compile("  CR4    [0-9a-f]{8} .*PSE.*"),
            # Without no-execute pages, only a processor with SMEP tells a fetch from a read.
            re.compile(r"  error code 0x(0: .* I/D=0|10: .* I/D=1) PK=0 SS=0 SGX=0"), *ABSENT_READ,
        ),
        beginning=(rf"  eax +{DIGITS} +ebx .*", rf"  CR0 +{DIGITS}  PE .*WP PG", rf"  CR4 +{DIGITS}  .*PSE.*"),
        page_fault=PC_PAGE_FAULT, faults=PC_FAULTS,
    ),
    "riscv64": Report(
        nowhere=0x36_5432_10B0, lost="0x800000000000008",
        registers=(
            "  pc     00000036543210b0  ra     0100000000000001  sp     ffffffffefffc008",
            "  gp     0300000000000003  tp     0400000000000004  t0     0500000000000005",
            "  t1     0600000000000006  t2     0700000000000007  s0     0800000000000008",
            "  s1     0900000000000009  a0     1000000000000010  a1     1100000000000011",
            "  a2     1200000000000012  a3     1300000000000013  a4     1400000000000014",
            "  a5     1500000000000015  a6     1600000000000016  a7     1700000000000017",
            "  s2     1800000000000018  s3     1900000000000019  s4     2000000000000020",
            "  s5     2100000000000021  s6     2200000000000022  s7     2300000000000023",
            "  s8     2400000000000024  s9     2500000000000025  s10    2600000000000026",
            "  s11    2700000000000027  t3     2800000000000028  t4     2900000000000029",
            "  t5     00000036543210b0  t6     0000002000000000",
            re.compile("  sstatus 00000002000021[02]0  (SPIE )?SPP FS=0x1 UXL=0x2"),
            re.compile(r"  satp    80000000000(80[0-9a-f]{3})  PPN=0x\1 MODE=0x8"),
            re.compile("  stvec   fffffffff02[0-9a-f]{5}  BASE=.*"), "  sie     0000000000000200  SEIE",
            "  sepc    00000036543210b0  PC=0x36543210b0", "  scause  000000000000000c  CODE=0xc",
            "  stval   00000036543210b0  VALUE=0x36543210b0",
        ),
        beginning=(
            rf"  pc +{DIGITS} +ra .*", rf"  sstatus +{DIGITS}  SPP .*", rf"  satp +{DIGITS}  PPN=.* MODE=0x8",
            rf"  scause +{DIGITS}  CODE=.*",
        ),
        page_fault={
            kind: rf"{name} page fault \(scause {number}\): "
            for kind, name, number in (("instruction", "instruction", 12), ("read", "load", 13), ("write", "store", 15))
        },
        faults=tuple(
            "breakpoint invalid-opcode access-fault broken-stack lost-stack registers registers-handled".split()
        ),
        overflow=r"\(scause 15\)", lost_stack=r"trap on an unusable stack \(scause 15\)", lost_stack_code=(),
        breakpoint=r"breakpoint \(scause 3\)", invalid_opcode=r"illegal instruction \(scause 2\).*",
        non_canonical=(
            r'load page fault \(scause 13\): read of 0x0000007f[0-9a-f]{8}: page not present, in "non-canonical"'
        ),
        write_code=(), kept_off="SUM", reserved_bit=(),
    ),
}[ARCH.name]
