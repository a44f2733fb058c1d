//! RISC-V's formats: Sv39 (three levels) and Sv48 (four) of 512 eight-byte entries; pages of
//! 4 KB, 2 MB, 1 GB and, with four levels, 512 GB.
//!
//! Source: RISC-V privileged specification, 12.3 "Sv32", 12.4 "Sv39", 12.5 "Sv48". An entry with
//! R = W = X = 0 is a table and nothing else, so a table cannot map itself. Leaves are made with
//! A set, and D where they are writable, because an implementation may fault instead of setting
//! them (12.3.1).

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Format, Leaf, Perm};

const V: u64 = 1 << 0;
const R: u64 = 1 << 1;
const W: u64 = 1 << 2;
const X: u64 = 1 << 3;
const U: u64 = 1 << 4;
const G: u64 = 1 << 5;
const A: u64 = 1 << 6;
const D: u64 = 1 << 7;
/// The lower bit of RSW, which is left to software.
const COW: u64 = 1 << 8;
/// The upper bit of RSW.
const PRIVATE: u64 = 1 << 9;
/// Where V is clear, all other bits are left to software: this one tells a pending entry from an
/// absent one.
const PENDING: u64 = 1 << 63;

/// Bits 53:10 hold the physical page number.
const PPN: u64 = (1 << 54) - (1 << 10);
/// From an address to its place in an entry: page offset bits less the PPN's position.
const PPN_SHIFT: u32 = 12 - 10;

/// The `Sv` format with this many `LEVELS`.
#[derive(Debug)]
pub enum Sv<const LEVELS: u32> {}

/// 39-bit addresses, as xv6 uses them.
pub type Sv39 = Sv<3>;

/// 48-bit addresses.
pub type Sv48 = Sv<4>;

const _: () = {
    assert!(12 + Sv39::LEVELS * Sv39::INDEX_BITS == 39);
    assert!(12 + Sv48::LEVELS * Sv48::INDEX_BITS == 48);
    assert!((1 << Sv39::INDEX_BITS) * size_of::<u64>() as u64 == layout::PGSIZE);
    assert!(PPN & (V | R | W | X | U | G | A | D | COW | PRIVATE) == 0);
};

impl<const N: u32> Format for Sv<N> {
    const NAME: &'static str = match N {
        3 => "Sv39",
        4 => "Sv48",
        _ => "Sv57",
    };
    type Word = u64;
    const LEVELS: u32 = N;
    const INDEX_BITS: u32 = 9;
    const LEAF_LEVELS: u32 = (1 << N) - 1;
    const SELF_MAP: bool = false;
    const PA_END: u64 = 1 << 56;
    const USER_GUARD: &'static str = "SUM";
    const ALWAYS: Perm = Perm::R;
    const AVAIL: Perm = Perm::empty();

    fn table(pa: PhysAddr) -> u64 {
        pa.as_u64() >> PPN_SHIFT | V
    }

    fn self_map(_pa: PhysAddr) -> Option<u64> {
        None
    }

    fn encode(_level: u32, leaf: &Leaf) -> u64 {
        let mut entry = leaf.pa.as_u64() >> PPN_SHIFT | A | R | V;
        if leaf.perm.contains(Perm::W) {
            entry |= D | W;
        }
        if leaf.dirty {
            entry |= D;
        }
        if leaf.perm.contains(Perm::X) {
            entry |= X;
        }
        if leaf.perm.contains(Perm::U) {
            entry |= U;
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

    fn pending(entry: u64) -> u64 {
        entry & !V | PENDING
    }

    fn decode(level: u32, entry: u64) -> Entry {
        if entry & (V | PENDING) == 0 {
            return Entry::Absent;
        }
        let pa = PhysAddr::new((entry & PPN) << PPN_SHIFT);
        if entry & V == 0 {
            return Entry::Pending { pa };
        }
        if entry & (R | W | X) == 0 {
            // At the last level such an entry points nowhere: the processor faults.
            return match level {
                0 => Entry::Absent,
                _ => Entry::Table { pa, allows: Perm::all() },
            };
        }
        let mut perm = Perm::empty();
        perm.set(Perm::R, entry & R != 0);
        perm.set(Perm::W, entry & W != 0);
        perm.set(Perm::X, entry & X != 0);
        perm.set(Perm::U, entry & U != 0);
        perm.set(Perm::G, entry & G != 0);
        perm.set(Perm::COW, entry & COW != 0);
        perm.set(Perm::PRIVATE, entry & PRIVATE != 0);
        Entry::Leaf(Leaf { pa, perm, accessed: entry & A != 0, dirty: entry & D != 0 })
    }
}
