//! i386's format, JOS's own: two levels of 1024 four-byte entries; pages of 4 KB and 4 MB.
//!
//! Source: Intel SDM vol. 3A, 4.3 "32-bit paging". `x86.rs` has the bits of an entry that x86-64 shares. There is no
//! execute permission: a page that can be read can be executed. 4 MB pages need CR4.PSE. Physical addresses above 4 GB,
//! which PSE-36 allows for them, are not used.

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Format, Leaf, Perm, x86};
use crate::paging::word::Word;

/// The address in a 4 MB page's entry: bits 31:22.
const LARGE_ADDRESS: u64 = 0xFFC0_0000;

/// The kernel's mark, in the lowest of the three bits that are left to software. It says that the page is
/// copy-on-write, or private if the next bit is set too. Without the mark, the upper two bits are a program's own. A
/// program may set the lowest bit too, but it is not kept.
const MARKED: u64 = 1 << 9;
/// With [`MARKED`]: the page is private.
const MARKED_PRIVATE: u64 = 1 << 10;

/// The format of 32-bit paging.
#[derive(Debug)]
pub enum I386 {}

const _: () = {
    assert!(12 + I386::LEVELS * I386::INDEX_BITS == 32);
    assert!((1 << I386::INDEX_BITS) * size_of::<u32>() as u64 == layout::PGSIZE);
};

impl Format for I386 {
    const NAME: &'static str = "i386";
    type Word = u32;
    const LEVELS: u32 = 2;
    const INDEX_BITS: u32 = 10;
    const LEAF_LEVELS: u32 = 0b11;
    const SELF_MAP: bool = true;
    const PA_END: u64 = 1 << 32;
    const USER_GUARD: &'static str = "SMEP, SMAP";
    const ALWAYS: Perm = Perm::R.union(Perm::X);
    const AVAIL: Perm = Perm::AVAIL;

    fn table(pa: PhysAddr) -> u32 {
        low(x86::table(pa))
    }

    fn self_map(pa: PhysAddr) -> Option<u32> {
        Some(low(x86::self_map(pa)))
    }

    #[inline]
    fn encode(level: u32, leaf: &Leaf) -> u32 {
        low(x86::encode(level, leaf) | software_bits(leaf.perm))
    }

    fn pending(entry: u32) -> u32 {
        low(x86::pending(u64::from(entry)))
    }

    // A call would be a quarter of the instructions of `page_insert`.
    #[inline(always)]
    fn decode(level: u32, entry: u32) -> Entry {
        x86::decode(level, u64::from(entry), LARGE_ADDRESS, software_perm)
    }
}

/// The entry's bits for those permissions that mean nothing to the processor.
#[inline]
fn software_bits(perm: Perm) -> u64 {
    if !perm.intersects(Perm::COW | Perm::PRIVATE) {
        u64::from(perm.bits()) & x86::AVAIL & !MARKED
    } else if perm.contains(Perm::PRIVATE) {
        MARKED | MARKED_PRIVATE
    } else {
        MARKED
    }
}

/// The permissions that [`software_bits`] wrote into `entry`.
#[inline]
fn software_perm(entry: u64) -> Perm {
    match (entry & MARKED != 0, entry & MARKED_PRIVATE != 0) {
        (false, _) => Perm::from_bits_truncate((entry & x86::AVAIL) as u16),
        (true, false) => Perm::COW,
        (true, true) => Perm::PRIVATE,
    }
}

/// Narrows an entry of `x86.rs` to i386's 32 bits. Its execute-disable bit is lost.
///
/// # Panics
///
/// If the entry's address does not fit.
#[inline]
fn low(entry: u64) -> u32 {
    Word::from_u64(entry & !x86::XD)
}
