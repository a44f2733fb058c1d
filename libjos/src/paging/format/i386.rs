//! i386's format, JOS's own: two levels of 1024 four-byte entries; pages of 4 KB and 4 MB.
//!
//! Source: Intel SDM vol. 3A, 4.3 "32-bit paging", tables 4-4 to 4-6. There is no execute
//! permission: what can be read can be executed. 4 MB pages need CR4.PSE; their addresses above
//! 4 GB (PSE-36) are not used.

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Format, Leaf, Perm};

const P: u32 = 1 << 0;
const RW: u32 = 1 << 1;
const US: u32 = 1 << 2;
const A: u32 = 1 << 5;
const D: u32 = 1 << 6;
/// "Page size" in the page directory. In a page table the same bit is PAT.
const PS: u32 = 1 << 7;
const G: u32 = 1 << 8;
/// Of the bits left to software, the one that JOS takes for PTE_COW.
const COW: u32 = 1 << 11;
/// Another one of these.
const PRIVATE: u32 = 1 << 10;
/// Where P is clear, all other bits are left to software: this one tells a pending entry from an
/// absent one.
const PENDING: u32 = 1 << 9;

/// What only leaves say.
const NOT_IN_TABLES: Perm = Perm::G.union(Perm::COW).union(Perm::PRIVATE);

/// Bits 31:12 of an entry.
const ADDRESS: u32 = 0xFFFF_F000;
/// Bits 31:22 of a 4 MB page's entry.
const LARGE_ADDRESS: u32 = 0xFFC0_0000;

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
    const NOTED: u32 = A;
    const ALWAYS: Perm = Perm::R.union(Perm::X);

    fn table(pa: PhysAddr) -> u32 {
        address(pa) | US | RW | P
    }

    fn self_map(pa: PhysAddr) -> Option<u32> {
        Some(address(pa) | US | P)
    }

    fn encode(level: u32, leaf: &Leaf) -> u32 {
        let mut entry = address(leaf.pa) | P;
        if leaf.accessed {
            entry |= A;
        }
        if leaf.dirty {
            entry |= D;
        }
        if level > 0 {
            entry |= PS;
        }
        if leaf.perm.contains(Perm::W) {
            entry |= RW;
        }
        if leaf.perm.contains(Perm::U) {
            entry |= US;
        }
        if leaf.perm.contains(Perm::G) {
            entry |= G;
        }
        if leaf.perm.contains(Perm::COW) {
            entry |= COW;
        }
        if leaf.perm.contains(Perm::PRIVATE) {
            entry |= PRIVATE;
        }
        entry
    }

    fn pending(entry: u32) -> u32 {
        entry & !P | PENDING
    }

    fn decode(level: u32, entry: u32) -> Entry {
        if entry & (P | PENDING) == 0 {
            return Entry::Absent;
        }
        let address = if level > 0 { LARGE_ADDRESS } else { ADDRESS };
        let pa = PhysAddr::new(u64::from(entry & address));
        if entry & P == 0 {
            return Entry::Pending { pa };
        }
        let mut perm = Self::ALWAYS;
        perm.set(Perm::W, entry & RW != 0);
        perm.set(Perm::U, entry & US != 0);
        if level > 0 && entry & PS == 0 {
            let pa = PhysAddr::new(u64::from(entry & ADDRESS));
            return Entry::Table { pa, allows: perm | NOT_IN_TABLES };
        }
        perm.set(Perm::G, entry & G != 0);
        perm.set(Perm::COW, entry & COW != 0);
        perm.set(Perm::PRIVATE, entry & PRIVATE != 0);
        Entry::Leaf(Leaf { pa, perm, accessed: entry & A != 0, dirty: entry & D != 0 })
    }
}

fn address(pa: PhysAddr) -> u32 {
    crate::paging::word::Word::from_u64(pa.as_u64())
}
