//! The instructions and registers that the code of all PCs uses, as the crate `x86_64` has them.

use core::arch::asm;

pub(in crate::arch) use x86_64::instructions::hlt;
pub(in crate::arch) use x86_64::instructions::interrupts::{
    are_enabled, disable, enable, enable_and_hlt, int3,
};
pub(in crate::arch) use x86_64::instructions::port::Port;
pub(in crate::arch) use x86_64::registers::control::{Cr0, Cr2, Cr4, Cr8, Efer};
pub(in crate::arch) use x86_64::registers::model_specific::Msr;
pub(in crate::arch) use x86_64::registers::rflags;

use raw_cpuid::{CpuId, CpuIdReaderNative};
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::registers::control;
use x86_64::structures::DescriptorTablePointer;

/// The page directory in use, and bits beside it. The crate's type takes the register apart.
pub(in crate::arch) struct Cr3;

impl Cr3 {
    /// The register's value.
    pub(in crate::arch) fn read_raw() -> u64 {
        let (directory, flags) = control::Cr3::read_raw();
        directory.start_address().as_u64() | u64::from(flags)
    }
}

/// Loads an IDT without an entry.
///
/// # Safety
///
/// The next exception shuts the processor down.
pub(in crate::arch) unsafe fn lidt_empty() {
    // SAFETY: the caller wants this.
    unsafe { lidt(&DescriptorTablePointer { limit: 0, base: VirtAddr::zero() }) };
}

/// The processor's identification.
pub(in crate::arch) fn cpuid() -> CpuId<CpuIdReaderNative> {
    CpuId::new()
}

/// DWARF's number for a register whose sign tells whether the kernel runs in its window: the program
/// counter (System V ABI, figure 3.36).
pub(crate) const DWARF_PLACE: u8 = 16;

/// A line of assembly, in parts. A part that is no string is a register, by the name of its lower 16 bits: `ax` stands for
/// RAX.
macro_rules! wide {
    (@ $text:literal) => { $text };
    (@ $register:ident) => { concat!("r", stringify!($register)) };
    ($($part:tt)*) => { concat!($($crate::arch::instructions::wide!(@ $part)),*) };
}
pub(in crate::arch) use wide;

/// Pushes the general registers, into the fields of a `TrapFrame` from RAX down.
macro_rules! push_registers {
    () => {
        ".irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
            push \\register
        .endr"
    };
}
pub(in crate::arch) use push_registers;

/// Pops the general registers.
macro_rules! pop_registers {
    () => {
        ".irp register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
            pop \\register
        .endr"
    };
}
pub(in crate::arch) use pop_registers;

/// Copies `length` bytes by a single instruction, which can be restarted if it faults in the middle.
///
/// # Safety
///
/// The bytes at `from` can be read and those at `to` written, or the fault is the caller's error. The
/// bytes at `to` belong to no Rust object but the caller's own.
pub(crate) unsafe fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: the caller's promise; the ABI keeps the direction flag clear.
    unsafe {
        asm!(
            "rep movsb",
            inout("rdi") to => _,
            inout("rsi") from => _,
            inout("rcx") length => _,
            options(nostack, preserves_flags),
        );
    }
}
