//! The instructions that the code of all PCs uses, as the simulated processor has them.

pub(in crate::arch) use super::cpu::{Msr, cpuid};
pub(in crate::arch) use super::ports::Port;
use super::ports::pc;
use x86_64::registers::control::Cr0Flags;

pub(in crate::arch) fn are_enabled() -> bool {
    pc().processor.interrupts
}

pub(in crate::arch) fn enable() {
    let when_on = {
        let processor = &mut pc().processor;
        processor.interrupts = true;
        processor.when_on
    };
    when_on();
}

pub(in crate::arch) fn disable() {
    pc().processor.interrupts = false;
}

/// No device interrupts the simulated processor, so this goes on at once.
pub(in crate::arch) fn enable_and_hlt() {
    let at_halt = {
        let processor = &mut pc().processor;
        (processor.interrupts, processor.halts) = (true, processor.halts + 1);
        processor.at_halt
    };
    at_halt();
}

/// Defines control registers.
macro_rules! control_registers {
    ($($type:ident $name:ident),*) => {$(
        pub(in crate::arch) struct $type;

        impl $type {
            /// The register's value.
            pub(in crate::arch) fn read_raw() -> u64 {
                pc().processor.control.$name
            }
        }
    )*};
}

impl Cr0 {
    /// Changes the register.
    ///
    /// # Safety
    ///
    /// None is needed here.
    pub(in crate::arch) unsafe fn update(change: impl FnOnce(&mut Cr0Flags)) {
        let mut flags = Cr0Flags::from_bits_retain(Self::read_raw());
        change(&mut flags);
        pc().processor.control.cr0 = flags.bits();
    }
}

control_registers!(Cr0 cr0, Cr2 cr2, Cr3 cr3, Cr4 cr4, Cr8 cr8, Efer efer);
