//! Single instructions that must fault. `crate::faults` says what each one tests.

pub(crate) use crate::arch::x86::faults::{
    CODE, FAULTS, execute, read, user_access_allowed, write,
};

/// A level whose entries can have a reserved bit, and bits that make it so: of a 4 MB page, bit 21 (Intel SDM
/// vol. 3A, table 4-4). Entries of 4 KB pages have none.
pub(crate) const RESERVED: (u32, u64) = (1, 1 << 21 | 1 << 7);

/// An address without RAM: the local interrupt controller is there.
pub(crate) const NO_RAM: u64 = 0xFEE0_0000;
