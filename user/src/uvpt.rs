//! The program's own page tables, as the kernel shows them at UVPT.
//!
//! The root table is entered in itself, so that UVPT shows all entries of the lowest level, in the order of their pages.
//! The entry of a page of UVPT itself is one of the next level.

use core::ptr;

use layout::{MemLayout, PGSHIFT};
use libjos::paging::format::Format as _;

use crate::arch::{Format, Layout};
use crate::inc::PTE_P;

type Word = <Format as libjos::paging::format::Format>::Word;

/// The bits of an address that are translated.
const VA_MASK: u64 = u64::MAX >> (64 - Layout::VA_BITS);

/// The address of the entry of `level` (0 for the lowest) on the way to `va`.
fn entry(va: usize, level: u32) -> usize {
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
/// The entries of all higher levels are present.
unsafe fn load(va: usize, level: u32) -> u64 {
    // SAFETY: the kernel shows all programs their tables at UVPT; the caller's promise makes this one of them. The read is
    // volatile, since the kernel and the processor write there.
    unsafe { ptr::read_volatile(ptr::with_exposed_provenance::<Word>(entry(va, level))).into() }
}

/// The entry of the page at `va`; `Err` with the first address after the hole that `va` lies in.
pub fn lookup(va: usize) -> Result<u64, usize> {
    for level in (0..Format::LEVELS).rev() {
        // SAFETY: the loop has come here by the entries of all higher levels.
        let entry = unsafe { load(va, level) };
        if entry & PTE_P == 0 {
            let size = 1 << (PGSHIFT + level * Format::INDEX_BITS);
            return Err((va & !(size - 1)).saturating_add(size));
        }
        if level == 0 {
            return Ok(entry);
        }
    }
    unreachable!("level 0 returns")
}

/// The entry of the page at `va`; 0 if there is none. JOS's `uvpt[PGNUM(va)]`.
#[must_use]
pub fn uvpt(va: usize) -> u64 {
    lookup(va).unwrap_or(0)
}

/// The entries of the pages that are mapped in `[0, end)`, with the pages' addresses.
pub fn mapped_below(end: usize) -> impl Iterator<Item = (usize, u64)> {
    let mut next = 0;
    core::iter::from_fn(move || {
        while next < end {
            let va = next;
            match lookup(va) {
                Ok(entry) => {
                    next = va + crate::PGSIZE;
                    return Some((va, entry));
                }
                Err(after) => next = after,
            }
        }
        None
    })
}
