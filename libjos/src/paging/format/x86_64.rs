//! x86-64's format: four levels of 512 eight-byte entries (five with LA57); pages of 4 KB, 2 MB
//! and 1 GB.
//!
//! Source: Intel SDM vol. 3A, 4.5 "4-level paging and 5-level paging". The entries: `x86.rs`.

use crate::mem::addr::PhysAddr;
use crate::paging::format::{Entry, Format, Leaf, Perm, x86};

/// Every address bit of a large page's entry but bit 12, which is PAT.
const LARGE_ADDRESS: u64 = !(1 << 12);

/// The kernel's marks are bits 52 and 53, which are left to software, as are a program's own at 11:9.
const MARKS: Perm = Perm::COW.union(Perm::PRIVATE);
/// From a mark's place in [`Perm`] to its place in an entry.
const MARK_SHIFT: u32 = 40;

const _: () = assert!((MARKS.bits() as u64) << MARK_SHIFT == 0b11 << 52);

/// Long mode's format with this many `LEVELS`. Needs EFER.NXE set.
#[derive(Debug)]
pub enum LongMode<const LEVELS: u32> {}

/// Four levels, for 48-bit addresses: every x86-64 processor has them.
pub type X86_64 = LongMode<4>;

/// Five levels, for 57-bit addresses: with CR4.LA57, where the processor has it.
pub type La57 = LongMode<5>;

const _: () = {
    assert!(12 + X86_64::LEVELS * X86_64::INDEX_BITS == 48);
    assert!(12 + La57::LEVELS * La57::INDEX_BITS == 57);
    assert!((1 << X86_64::INDEX_BITS) * size_of::<u64>() as u64 == layout::PGSIZE);
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
    const USER_GUARD: &'static str = "SMEP, SMAP";
    const ALWAYS: Perm = Perm::R;
    const AVAIL: Perm = Perm::AVAIL;

    fn table(pa: PhysAddr) -> u64 {
        x86::table(pa)
    }

    fn self_map(pa: PhysAddr) -> Option<u64> {
        Some(x86::self_map(pa))
    }

    fn encode(level: u32, leaf: &Leaf) -> u64 {
        let software = u64::from((leaf.perm & x86::SOFTWARE).bits());
        let marks = software & u64::from(MARKS.bits());
        x86::encode(level, leaf) | software & x86::AVAIL | marks << MARK_SHIFT
    }

    fn pending(entry: u64) -> u64 {
        x86::pending(entry)
    }

    fn decode(level: u32, entry: u64) -> Entry {
        x86::decode(level, entry, LARGE_ADDRESS, |entry| {
            let marks = (entry >> MARK_SHIFT) as u16 & MARKS.bits();
            Perm::from_bits_truncate((entry & x86::AVAIL) as u16 | marks)
        })
    }
}
