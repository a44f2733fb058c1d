//! The memory maps of JOS64, and nothing else.
//!
//! [`MemLayout`] is MIT JOS's `inc/memlayout.h` as a trait: each constant is derived from its
//! neighbour by JOS's own formula, and a machine supplies the few numbers that differ. Three
//! machines implement it, each in a file that opens with its map drawn as JOS draws it:
//! [`Jos64`] (x86-64), [`Jos32`] (i386: JOS's own numbers) and [`JosSv39`] (RISC-V).
//! [`regions`] has the same map as data, from the top down, with no address left out: `mem_init`
//! loops over it, and the monitor and the pictures name addresses by it.
//!
//! One rule makes the map fit all machines: an entry of the page directory, the root table, maps
//! [`MemLayout::PTSIZE`] bytes.
//!
//! Addresses here are plain `u64` numbers; `libjos` has the types that keep physical and virtual
//! apart. This crate knows no other crate.
#![no_std]
#![forbid(unsafe_code)]

mod jos32;
mod jos64;
mod jossv39;
mod memlayout;
mod picture;
mod region;

/// The examples of README.md are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use jos32::Jos32;
pub use jos64::Jos64;
pub use jossv39::JosSv39;
pub use memlayout::{MemLayout, assert_layout, region_of, regions};
pub use picture::{Picture, names_of, picture};
pub use region::{Content, Region};

/// The number of address bits that pick a byte within a page.
pub const PGSHIFT: u32 = 12;

/// Bytes of a page, on every machine that JOS64 covers.
pub const PGSIZE: u64 = 1 << PGSHIFT;

/// One kibibyte, in bytes.
pub const KB: u64 = 1 << 10;
/// One mebibyte, in bytes.
pub const MB: u64 = 1 << 20;
/// One gibibyte, in bytes.
pub const GB: u64 = 1 << 30;

/// Rounds down to a multiple of `n` (JOS's `ROUNDDOWN`).
///
/// # Panics
///
/// If `n` is no power of two.
#[must_use]
pub const fn round_down(a: u64, n: u64) -> u64 {
    assert!(n.is_power_of_two());
    a & !(n - 1)
}

/// Rounds up to a multiple of `n` (JOS's `ROUNDUP`); `None` if that is 2^64 or more.
///
/// # Panics
///
/// If `n` is no power of two.
#[must_use]
pub const fn round_up(a: u64, n: u64) -> Option<u64> {
    assert!(n.is_power_of_two());
    match a.checked_add(n - 1) {
        Some(sum) => Some(sum & !(n - 1)),
        None => None,
    }
}

/// Rounds down to the start of a page.
#[must_use]
pub const fn page_round_down(a: u64) -> u64 {
    round_down(a, PGSIZE)
}

/// Rounds up to the start of a page; `None` if that is 2^64.
#[must_use]
pub const fn page_round_up(a: u64) -> Option<u64> {
    round_up(a, PGSIZE)
}
