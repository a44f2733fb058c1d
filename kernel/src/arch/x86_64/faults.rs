//! Single instructions that must fault. `crate::faults` says what each one tests.

pub(crate) use crate::arch::x86::faults::{
    CODE, FAULTS, execute, read, user_access_allowed, write,
};

/// A level whose entries can have a reserved bit, and a bit that makes it so: no processor uses it yet (Intel SDM
/// vol. 3A, table 4-20).
pub(crate) const RESERVED: (u32, u64) = (0, 1 << 51);

/// An address without RAM on a PC of less than 512 GB.
pub(crate) const NO_RAM: u64 = 1 << 39;
