"""The lines of the kernel's reports that show a machine's registers, for each machine."""

import re
from typing import NamedTuple

from arch import ARCH
from words import DIGITS


class Report(NamedTuple):
    """The report of a panic, as far as it depends on the registers."""

    nowhere: int  # where test=registers jumps to
    lost: str  # its frame pointer
    registers: tuple  # the lines with the registers in test=registers, and the error code bit by bit
    beginning: tuple  # patterns for lines with the registers of any other report


ABSENT_READ = (
    "    P    0  not present: an entry on the way is empty", "    W/R  0  read", "    U/S  0  by the kernel",
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
            re.compile(r"  CR3    0{10}(1[0-9a-f]{2})000  PFN=0x\1"), re.compile("  CR4    [0-9a-f]{16} .*PAE.*"),
            "  CR8    0000000000000005  TPR=0x5", re.compile("  EFER   [0-9a-f]{16}  .*LME LMA NXE.*"),
            "  error code 0x10: P=0 W/R=0 U/S=0 RSVD=0 I/D=1 PK=0 SS=0 SGX=0", *ABSENT_READ,
            "    I/D  1  instruction fetch",
        ),
        beginning=(
            rf"  rax +{DIGITS} +rbx .*", rf"  CR0 +{DIGITS}  PE .*WP PG", rf"  EFER +{DIGITS}  .*NXE.*",
        ),
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
            re.compile(r"  CR3    00(1[0-9a-f]{2})000  PFN=0x\1"), re.compile("  CR4    [0-9a-f]{8} .*PSE.*"),
            # Without no-execute pages, only a processor with SMEP tells a fetch from a read.
            re.compile(r"  error code 0x(0: .* I/D=0|10: .* I/D=1) PK=0 SS=0 SGX=0"), *ABSENT_READ,
        ),
        beginning=(rf"  eax +{DIGITS} +ebx .*", rf"  CR0 +{DIGITS}  PE .*WP PG", rf"  CR4 +{DIGITS}  .*PSE.*"),
    ),
}[ARCH.name]
