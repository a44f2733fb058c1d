//! The instructions and registers that the code of all PCs uses, by the names that the crate `x86_64`
//! gives them: it has them for 64-bit code alone.
//!
//! Its unsafe functions ask that the processor has the register or bits, or that the device takes the access,
//! and that the effects are what the kernel wants.

use core::arch::asm;
use core::arch::x86::__cpuid_count;
use core::marker::PhantomData;

use raw_cpuid::{CpuId, CpuIdReader, CpuIdResult};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};
use x86_64::registers::rflags::RFlags;

/// Defines a control register, and the type of its bits if it has some.
macro_rules! control_register {
    ($(#[$doc:meta])* $type:ident, $name:literal $(, $flags:ty)?) => {
        $(#[$doc])*
        pub(in crate::arch) struct $type;

        #[allow(dead_code, reason = "not each register is read and written in each way")]
        impl $type {
            /// The register's value.
            pub(in crate::arch) fn read_raw() -> u64 {
                let value: u32;
                // SAFETY: reads a register.
                unsafe {
                    asm!(concat!("mov {}, ", $name), out(reg) value, options(nomem, nostack));
                }
                value.into()
            }

            /// Writes the register.
            pub(in crate::arch) unsafe fn write_raw(value: u64) {
                // SAFETY: the caller's promise.
                unsafe {
                    asm!(concat!("mov ", $name, ", {}"), in(reg) value as u32, options(nostack));
                }
            }

            $(
                /// The register's bits.
                pub(in crate::arch) fn read() -> $flags {
                    <$flags>::from_bits_retain(Self::read_raw())
                }

                /// Writes the register's bits.
                pub(in crate::arch) unsafe fn write(flags: $flags) {
                    // SAFETY: the caller's promise.
                    unsafe { Self::write_raw(flags.bits()) };
                }

                /// Changes bits of the register.
                pub(in crate::arch) unsafe fn update(change: impl FnOnce(&mut $flags)) {
                    let mut flags = Self::read();
                    change(&mut flags);
                    // SAFETY: the caller's promise.
                    unsafe { Self::write(flags) };
                }
            )?
        }
    };
}

control_register! {
    /// Modes of the processor.
    Cr0, "cr0", Cr0Flags
}
control_register! {
    /// The address of the latest page fault.
    Cr2, "cr2"
}
control_register! {
    /// The page directory in use.
    Cr3, "cr3"
}
control_register! {
    /// Extensions that are on.
    Cr4, "cr4", Cr4Flags
}

/// The register of flags: EFLAGS.
pub(in crate::arch) mod rflags {
    use core::arch::asm;

    use x86_64::registers::rflags::RFlags;

    /// The register's bits.
    pub(in crate::arch) fn read() -> RFlags {
        let value: u32;
        // SAFETY: reads a register, by way of the stack.
        unsafe { asm!("pushfd", "pop {}", out(reg) value, options(preserves_flags)) };
        RFlags::from_bits_truncate(value.into())
    }
}

/// A model-specific register, by its number.
pub(in crate::arch) struct Msr(u32);

impl Msr {
    pub(in crate::arch) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Reads the register.
    pub(in crate::arch) unsafe fn read(&self) -> u64 {
        let (high, low): (u32, u32);
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "rdmsr",
                in("ecx") self.0, out("eax") low, out("edx") high,
                options(nomem, nostack, preserves_flags),
            );
        }
        u64::from(high) << 32 | u64::from(low)
    }

    /// Writes the register.
    pub(in crate::arch) unsafe fn write(&mut self, value: u64) {
        let (high, low) = ((value >> 32) as u32, value as u32);
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "wrmsr",
                in("ecx") self.0, in("eax") low, in("edx") high,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// An I/O port for values of type `T`.
pub(in crate::arch) struct Port<T>(u16, PhantomData<T>);

impl<T> Port<T> {
    pub(in crate::arch) const fn new(port: u16) -> Self {
        Self(port, PhantomData)
    }
}

/// Defines the accesses by one width.
macro_rules! port {
    ($type:ty, $register:tt) => {
        impl Port<$type> {
            /// Reads the port.
            #[allow(dead_code, reason = "one width is only written")]
            pub(in crate::arch) unsafe fn read(&mut self) -> $type {
                let value: $type;
                // SAFETY: the caller's promise.
                unsafe {
                    asm!(
                        concat!("in ", $register, ", dx"),
                        in("dx") self.0, out($register) value,
                        options(nomem, nostack, preserves_flags),
                    );
                }
                value
            }

            /// Writes to the port.
            pub(in crate::arch) unsafe fn write(&mut self, value: $type) {
                // SAFETY: the caller's promise.
                unsafe {
                    asm!(
                        concat!("out dx, ", $register),
                        in("dx") self.0, in($register) value,
                        options(nomem, nostack, preserves_flags),
                    );
                }
            }
        }
    };
}

port!(u8, "al");
port!(u32, "eax");

/// Whether interrupts are on.
pub(in crate::arch) fn are_enabled() -> bool {
    rflags::read().contains(RFlags::INTERRUPT_FLAG)
}

// An access to memory is moved across none of these, since an interrupt's handler has its own.

/// Turns interrupts on.
pub(in crate::arch) fn enable() {
    // SAFETY: every vector that may come has a handler, which keeps all registers.
    unsafe { asm!("sti", options(preserves_flags, nostack)) };
}

/// Turns interrupts off.
pub(in crate::arch) fn disable() {
    // SAFETY: the kernel runs with interrupts off or on.
    unsafe { asm!("cli", options(preserves_flags, nostack)) };
}

/// Turns interrupts on and waits for one. None comes between the two.
pub(in crate::arch) fn enable_and_hlt() {
    // SAFETY: as in `enable`.
    unsafe { asm!("sti", "hlt", options(nostack)) };
}

/// Waits for an interrupt.
pub(in crate::arch) fn hlt() {
    // SAFETY: only waits.
    unsafe { asm!("hlt", options(nomem, nostack, preserves_flags)) };
}

/// Raises a breakpoint exception.
pub(in crate::arch) fn int3() {
    // SAFETY: the trap's handler keeps all registers, or does not return.
    unsafe { asm!("int3", options(nomem, nostack)) };
}

/// Loads an IDT without an entry.
pub(in crate::arch) unsafe fn lidt_empty() {
    let pointer = [0_u16; 3];
    // SAFETY: the caller wants this.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack)) };
}

/// Reads the identification. The crate's own reader is for programs that may use SSE.
#[derive(Clone)]
pub(in crate::arch) struct Reader;

impl CpuIdReader for Reader {
    fn cpuid2(&self, eax: u32, ecx: u32) -> CpuIdResult {
        // The entry has seen that the processor has the instruction.
        let result = __cpuid_count(eax, ecx);
        CpuIdResult { eax: result.eax, ebx: result.ebx, ecx: result.ecx, edx: result.edx }
    }
}

/// The processor's identification.
pub(in crate::arch) fn cpuid() -> CpuId<Reader> {
    CpuId::with_cpuid_reader(Reader)
}

/// DWARF's number for a register whose sign tells whether the kernel runs in its window: the program
/// counter (System V ABI for i386, table 2.14).
pub(crate) const DWARF_PLACE: u8 = 8;

/// A line of assembly, in parts. A part that is no string is a register, by the name of its lower 16 bits: `ax` stands for
/// EAX.
macro_rules! wide {
    (@ $text:literal) => { $text };
    (@ $register:ident) => { concat!("e", stringify!($register)) };
    ($($part:tt)*) => { concat!($($crate::arch::instructions::wide!(@ $part)),*) };
}
pub(in crate::arch) use wide;

/// Pushes the general registers, into the fields of a `TrapFrame` from EAX down.
macro_rules! push_registers {
    () => {
        "pushad"
    };
}
pub(in crate::arch) use push_registers;

/// Pops the general registers.
macro_rules! pop_registers {
    () => {
        "popad"
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
    // SAFETY: the caller's promise; the ABI keeps the direction flag clear. The compiler keeps ESI to
    // itself, so its value is kept here.
    unsafe {
        asm!(
            "xchg esi, {from}",
            "rep movsb",
            "xchg esi, {from}",
            from = inout(reg) from as u32 => _,
            inout("edi") to as u32 => _,
            inout("ecx") length => _,
            options(nostack, preserves_flags),
        );
    }
}
