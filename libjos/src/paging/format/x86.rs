//! The entries of x86, which i386 and x86-64 share: an i386 entry is the lower half of an x86-64 one.
//!
//! Source: Intel SDM vol. 3A, 4.3, tables 4-4 to 4-6, and 4.5, tables 4-14 to 4-20; AMD APM vol. 2, 5.3.
//! The processor grants what *every* level grants. A table's entry is therefore writable and the user's, and
//! the leaf decides.

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Leaf, Perm};

const P: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
/// "Page size" above the last level. At the last level the same bit is PAT.
const PS: u64 = 1 << 7;
const G: u64 = 1 << 8;
/// Three bits left to software: JOS's PTE_AVAIL, a program's own.
pub(super) const AVAIL: u64 = 0xE00;
/// Tells a pending entry from an absent one. Where P is clear, all other bits are left to software.
const PENDING: u64 = 1 << 9;
/// "Execute disable", which i386 does not have.
pub(super) const XD: u64 = 1 << 63;

/// Permissions that only leaves carry.
const NOT_IN_TABLES: Perm = Perm::G.union(SOFTWARE);

/// Permissions that mean nothing to the processor. The formats place them, since i386 has fewer bits to spare.
pub(super) const SOFTWARE: Perm = Perm::AVAIL.union(Perm::COW).union(Perm::PRIVATE);

/// Bits 51:12, which hold the address of a table or of a 4 KB page.
const ADDRESS: u64 = (1 << 52) - (1 << 12);

const _: () = assert!(ADDRESS & (P | RW | US | A | D | PS | G | AVAIL | XD) == 0);
// A mask makes one of the other.
const _: () = assert!(AVAIL == Perm::AVAIL.bits() as u64);

/// The entry for a table. A is set from the start, so that the processor never changes the entry.
#[inline]
pub(super) fn table(pa: PhysAddr) -> u64 {
    pa.as_u64() | A | US | RW | P
}

/// The entry by which a root enters itself, read-only.
pub(super) fn self_map(pa: PhysAddr) -> u64 {
    pa.as_u64() | XD | US | P
}

/// The entry for a page of `level`'s size, without its [`SOFTWARE`] permissions.
#[inline]
pub(super) fn encode(level: u32, leaf: &Leaf) -> u64 {
    let mut entry = leaf.pa.as_u64() | P;
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
    if !leaf.perm.contains(Perm::X) {
        entry |= XD;
    }
    entry
}

/// The present `entry`, pending.
#[inline]
pub(super) fn pending(entry: u64) -> u64 {
    entry & !P | PENDING
}

/// The meaning of `entry` at `level`. In the entry of a large page only the bits of `large_address` hold its
/// address. `software` gives the [`SOFTWARE`] permissions of a leaf.
#[inline]
pub(super) fn decode(
    level: u32,
    entry: u64,
    large_address: u64,
    software: impl Fn(u64) -> Perm,
) -> Entry {
    if entry & (P | PENDING) == 0 {
        return Entry::Absent;
    }
    let address = if level > 0 { ADDRESS & large_address } else { ADDRESS };
    let pa = PhysAddr::new(entry & address);
    if entry & P == 0 {
        return Entry::Pending { pa };
    }
    let mut perm = Perm::R;
    perm.set(Perm::W, entry & RW != 0);
    perm.set(Perm::U, entry & US != 0);
    perm.set(Perm::X, entry & XD == 0);
    if level > 0 && entry & PS == 0 {
        let pa = PhysAddr::new(entry & ADDRESS);
        return Entry::Table { pa, allows: perm | NOT_IN_TABLES };
    }
    perm.set(Perm::G, entry & G != 0);
    perm |= software(entry);
    Entry::Leaf(Leaf { pa, perm, accessed: entry & A != 0, dirty: entry & D != 0 })
}
