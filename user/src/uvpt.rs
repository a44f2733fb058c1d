//! The program's own page tables, as the kernel shows them at UVPT.
//!
//! The root table is entered in itself, so that UVPT shows all entries of the lowest level, in the order of their pages.
//! The entry of a page of UVPT itself is one of the next level.

use core::iter;
use core::ptr;

use layout::{MemLayout, PGSHIFT};
use libjos::paging::format::{Entry, Format as _, Geometry as _};
use libjos::paging::word::Word as _;

use crate::arch::{Format, Layout};

type Word = <Format as libjos::paging::format::Format>::Word;

/// The bits of an address that are translated.
const VA_MASK: u64 = u64::MAX >> (64 - Layout::VA_BITS);

/// The address of the entry of `level` (0 for the lowest) on the way to `va`.
fn entry_address(va: usize, level: u32) -> usize {
    let mut at = va as u64;
    for _ in 0..=level {
        at = Layout::UVPT + ((at & VA_MASK) >> PGSHIFT) * size_of::<Word>() as u64;
    }
    at as usize
}

/// The entry of `level` on the way to `va`.
///
/// # Safety
///
/// The entries of all higher levels lead to tables.
unsafe fn load(va: usize, level: u32) -> Word {
    let entry = ptr::with_exposed_provenance::<Word>(entry_address(va, level));
    // SAFETY: the kernel shows all programs their tables at UVPT; the caller's promise makes this one of them. The read is
    // volatile, since the kernel and the processor write there.
    unsafe { ptr::read_volatile(entry) }
}

/// Looks `va` up: the entry of its page, or `None` in a hole, and the first address after either.
fn lookup(va: usize) -> (Option<u64>, usize) {
    let mut level = Format::ROOT;
    loop {
        // SAFETY: the loop has come here by tables.
        let word = unsafe { load(va, level) };
        let entry = match Format::decode(level, word) {
            Entry::Table { .. } => {
                level -= 1;
                continue;
            }
            Entry::Leaf(_) => Some(word.to_u64()),
            Entry::Absent | Entry::Pending { .. } => None,
        };
        let size = 1 << (PGSHIFT + level * Format::INDEX_BITS);
        return (entry, (va & !(size - 1)).saturating_add(size));
    }
}

/// The entry of the page at `va`; 0 if there is none. JOS's `uvpt[PGNUM(va)]`.
#[must_use]
pub fn uvpt(va: usize) -> u64 {
    lookup(va).0.unwrap_or(0)
}

/// The pages that are mapped in `[start, end)`: address, end and entry.
pub fn mapped(start: usize, end: usize) -> impl Iterator<Item = (usize, usize, u64)> {
    let mut next = start;
    iter::from_fn(move || {
        while next < end {
            let va = next;
            let (entry, after) = lookup(va);
            next = after;
            if let Some(entry) = entry {
                return Some((va, after, entry));
            }
        }
        None
    })
}
