//! i386's format, JOS's own: two levels of 1024 four-byte entries; pages of 4 KB and 4 MB.
//!
//! Source: Intel SDM vol. 3A, 4.3 "32-bit paging". The entries: `x86.rs`. There is no execute
//! permission: a page that can be read can be executed. 4 MB pages need CR4.PSE; their addresses above
//! 4 GB (PSE-36) are not used.

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Format, Leaf, Perm, x86};
use crate::paging::word::Word;

/// Bits 31:22 of a 4 MB page's entry.
const LARGE_ADDRESS: u64 = 0xFFC0_0000;

/// The lowest of the three bits left to software says that the kernel has marked the page: as copy-on-write, or
/// as private if the next bit is set too. Otherwise the upper two are a program's own. A program's lowest bit is
/// not kept.
const MARKED: u64 = 1 << 9;
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
        x86::decode(level, u64::from(entry), LARGE_ADDRESS, software)
    }
}

/// The bits for the permissions that mean nothing to the processor.
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

/// The permissions that [`software_bits`] made `entry` say.
#[inline]
fn software(entry: u64) -> Perm {
    match (entry & MARKED != 0, entry & MARKED_PRIVATE != 0) {
        (false, _) => Perm::from_bits_truncate((entry & x86::AVAIL) as u16),
        (true, false) => Perm::COW,
        (true, true) => Perm::PRIVATE,
    }
}

/// An x86 entry without its execute-disable bit, as a word.
///
/// # Panics
///
/// Where the entry's address does not fit.
#[inline]
fn low(entry: u64) -> u32 {
    Word::from_u64(entry & !x86::XD)
}
