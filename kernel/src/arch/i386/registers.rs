//! Odd values for all registers, which `odd_registers` loads, and numbers for `x86::faults`.

use core::arch::naked_asm;

use crate::arch::odd_registers::{AREAS_START, STACK};

/// The flags that do not affect the kernel: ID, OF, DF, SF, ZF, AF, PF, the constant 1, and CF.
const FLAGS: u64 = 0x20_0CD7;
/// An unmapped address. Fetching an instruction from it is the fault.
pub(in crate::arch) const NOWHERE: u64 = 0x7654_0AB0;

/// A level whose entries can have a reserved bit, and bits that make it so: of a 4 MB page, bit 21 (Intel SDM
/// vol. 3A, table 4-4). Entries of 4 KB pages have none.
pub(crate) const RESERVED: (u32, u64) = (1, 1 << 21 | 1 << 7);

/// An address without RAM: the local interrupt controller is there.
pub(crate) const NO_RAM: u64 = 0xFEE0_0000;

/// Loads every register with a value that spells its name (D1 for EDI, 51 for ESI, B9 for EBP), x87's eight
/// with NOWHERE, and continues at `eip`.
///
/// # Safety
///
/// The code at `eip` must be fit to run with these registers.
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn load(eip: u64) -> ! {
    // IRETD, which sets all flags at once, takes no stack pointer within privilege level 0: so its three words
    // are put below ESP.
    naked_asm!(
        "mov eax, [esp + 4]",
        "mov esp, {STACK}",
        "push {FLAGS}",
        ".byte 0x0e", // push cs, by 32 bits
        "push eax",
        ".rept 8",
        "fild dword ptr [2f]",
        ".endr",
        "mov eax, 0xa000000a",
        "mov ebx, 0xb000000b",
        "mov ecx, 0xc000000c",
        "mov edx, 0xd000000d",
        "mov esi, 0x51000051",
        "mov edi, 0xd10000d1",
        "mov ebp, 0xb90000b9",
        "iretd",
        "2:",
        ".long {NOWHERE}",
        STACK = const STACK,
        FLAGS = const FLAGS,
        NOWHERE = const NOWHERE,
    )
}

/// Writes to the first area's first page, then jumps to NOWHERE; neither changes a register but x87's, from which
/// NOWHERE comes.
#[unsafe(naked)]
pub(in crate::arch) extern "C" fn store_and_fault() {
    naked_asm!(
        "mov [{AREAS_START}], eax",
        ".rept 8",
        "fistp dword ptr [{AREAS_START}]",
        ".endr",
        "jmp dword ptr [{AREAS_START}]",
        AREAS_START = const AREAS_START,
    )
}
