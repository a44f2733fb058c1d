//! x86-64's format: four levels of 512 eight-byte entries (five with LA57); pages of 4 KB, 2 MB
//! and 1 GB.
//!
//! Source: Intel SDM vol. 3A, 4.5 "4-level paging and 5-level paging", tables 4-14 to 4-20; AMD
//! APM vol. 2, 5.3. A table entry here is always writable and user-accessible, since the
//! processor grants what *every* level grants; the leaf decides.

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Format, Leaf, Perm};

const P: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
/// "Page size" above the last level. At the last level the same bit is PAT.
const PS: u64 = 1 << 7;
const G: u64 = 1 << 8;
/// Of the bits left to software, the one that JOS takes for PTE_COW.
const COW: u64 = 1 << 11;
/// Another one of these.
const PRIVATE: u64 = 1 << 10;
/// Where P is clear, all other bits are left to software: this one tells a pending entry from an
/// absent one.
const PENDING: u64 = 1 << 9;
const XD: u64 = 1 << 63;

/// What only leaves say.
const NOT_IN_TABLES: Perm = Perm::G.union(Perm::COW).union(Perm::PRIVATE);

/// Bits 51:12, the most that an entry's address may have.
const ADDRESS: u64 = (1 << 52) - (1 << 12);
/// In a large page's entry bit 12 is PAT and belongs to no address.
const LARGE_PAT: u64 = 1 << 12;

/// Long mode's format with this many `LEVELS`. Needs EFER.NXE set.
#[derive(Debug)]
pub enum LongMode<const LEVELS: u32> {}

/// What every x86-64 processor has: 48-bit addresses.
pub type X86_64 = LongMode<4>;

/// Five levels, for 57-bit addresses: with CR4.LA57, where the processor has it.
pub type La57 = LongMode<5>;

const _: () = {
    assert!(12 + X86_64::LEVELS * X86_64::INDEX_BITS == 48);
    assert!(12 + La57::LEVELS * La57::INDEX_BITS == 57);
    assert!((1 << X86_64::INDEX_BITS) * size_of::<u64>() as u64 == layout::PGSIZE);
    assert!(ADDRESS & (P | RW | US | A | D | PS | G | COW | PRIVATE | XD) == 0);
};

impl<const N: u32> Format for LongMode<N> {
    const NAME: &'static str = match N {
        4 => "x86-64",
        _ => "x86-64 LA57",
    };
    type Word = u64;
    const LEVELS: u32 = N;
    const INDEX_BITS: u32 = 9;
    const LEAF_LEVELS: u32 = 0b111;
    const SELF_MAP: bool = true;
    const PA_END: u64 = 1 << 52;
    const NOTED: u64 = A;
    const ALWAYS: Perm = Perm::R;

    fn table(pa: PhysAddr) -> u64 {
        pa.as_u64() | US | RW | P
    }

    fn self_map(pa: PhysAddr) -> Option<u64> {
        Some(pa.as_u64() | XD | US | P)
    }

    fn encode(level: u32, leaf: &Leaf) -> u64 {
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
        if leaf.perm.contains(Perm::COW) {
            entry |= COW;
        }
        if leaf.perm.contains(Perm::PRIVATE) {
            entry |= PRIVATE;
        }
        if !leaf.perm.contains(Perm::X) {
            entry |= XD;
        }
        entry
    }

    fn pending(entry: u64) -> u64 {
        entry & !P | PENDING
    }

    fn decode(level: u32, entry: u64) -> Entry {
        if entry & (P | PENDING) == 0 {
            return Entry::Absent;
        }
        let address = if level > 0 { ADDRESS & !LARGE_PAT } else { ADDRESS };
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
        perm.set(Perm::COW, entry & COW != 0);
        perm.set(Perm::PRIVATE, entry & PRIVATE != 0);
        Entry::Leaf(Leaf { pa, perm, accessed: entry & A != 0, dirty: entry & D != 0 })
    }
}
