//! The control and status registers, by functions.

/// Reads a control and status register.
macro_rules! read {
    ($register:ident) => {{
        let value: u64;
        // SAFETY: reads a register that every hart with supervisor mode has, or traps (`time` and `instret`, if the
        // firmware withholds them); no read of one has an effect.
        unsafe {
            core::arch::asm!(
                concat!("csrr {}, ", stringify!($register)), out(reg) value, options(nomem, nostack)
            );
        }
        value
    }};
}
pub(super) use read;

/// SSTATUS's fields that are used here (RISC-V privileged specification, 12.1.1): interrupts; the privilege before the trap;
/// the state of the FPU, which has two bits; access to user pages; reading of pages that may only be executed.
pub(super) const SIE: u64 = 1 << 1;
pub(super) const SPP: u64 = 1 << 8;
pub(super) const FS: u64 = 0b11 << 13;
pub(super) const FS_INITIAL: u64 = 0b01 << 13;
pub(super) const SUM: u64 = 1 << 18;
pub(super) const MXR: u64 = 1 << 19;
