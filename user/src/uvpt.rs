//! The program's own page tables, as the kernel shows them at UVPT.
//!
//! The root table is entered in itself, so that UVPT shows all entries of the lowest level, in the order of their pages.
//! The entry of a page of UVPT itself is one of the next level: so the entries of each level lie in one row.

use core::iter;
use core::ptr;

use layout::{MemLayout, PGSHIFT};
use libjos::paging::format::{Entry, Format as _, Geometry as _};
use libjos::paging::word::Word as _;

use crate::arch::{Format, Layout};
use crate::inc::PTE_P;

type Word = <Format as libjos::paging::format::Format>::Word;

/// The bits of an address that are translated.
const VA_MASK: u64 = u64::MAX >> (64 - Layout::VA_BITS);

/// The bits of an address below those that pick an entry of `level`.
const fn shift(level: u32) -> u32 {
    PGSHIFT + level * Format::INDEX_BITS
}

/// The bytes that an entry of `level` maps.
const fn span(level: u32) -> usize {
    1 << shift(level)
}

/// The row of the entries of each level.
const ROWS: [u64; Format::LEVELS as usize] = {
    let mut rows = [Layout::UVPT; Format::LEVELS as usize];
    let mut level = 1;
    while level < rows.len() {
        rows[level] =
            Layout::UVPT + ((rows[level - 1] & VA_MASK) >> PGSHIFT) * size_of::<Word>() as u64;
        level += 1;
    }
    rows
};

/// The place of the entry of `level` on the way to `va`.
fn place(va: usize, level: u32) -> *const Word {
    let index = (va as u64 & VA_MASK) >> shift(level);
    let address = ROWS[level as usize] + index * size_of::<Word>() as u64;
    ptr::with_exposed_provenance(address as usize)
}

/// The entry at a place.
///
/// # Safety
///
/// The entries of all higher levels on the way to the place's addresses lead to tables.
#[inline]
unsafe fn load(place: *const Word) -> u64 {
    // SAFETY: the kernel shows all programs their tables at UVPT; the caller's promise makes this one of their entries. The
    // read is volatile, since the kernel and the processor write there.
    unsafe { ptr::read_volatile(place) }.to_u64()
}

/// The entry of the page at `va`. JOS's `uvpt[PGNUM(va)]`.
///
/// # Safety
///
/// There is such a page.
#[must_use]
pub unsafe fn uvpt(va: usize) -> u64 {
    // SAFETY: the page exists, so the tables that lead to it do.
    unsafe { load(place(va, 0)) }
}

/// Entries that are looked at together: most tables are mostly empty.
const GROUP: usize = 16;

/// Passes over absent entries of a table: the first address from `va` on whose entry of `level` is present, or the first one
/// after the table.
///
/// # Safety
///
/// The entries of all higher levels on the way to `va` lead to tables.
unsafe fn skip_absent(va: usize, level: u32) -> usize {
    let index = va >> shift(level);
    let first = place(va, level);
    // SAFETY: only for entries of the table.
    let word = |n: usize| unsafe { load(first.wrapping_add(n)) };
    // Written out, since the compiler makes programs small rather than fast.
    let four = |n| word(n) | word(n + 1) | word(n + 2) | word(n + 3);
    let sixteen = |n| four(n) | four(n + 4) | four(n + 8) | four(n + 12);
    let singly = |n: usize, end: usize| n + (n..end).take_while(|n| word(*n) & PTE_P == 0).count();
    let (before_group, left) =
        (index.wrapping_neg() % GROUP, Format::ENTRIES - index % Format::ENTRIES);
    let mut skipped = singly(0, before_group);
    if skipped == before_group {
        while skipped < left && sixteen(skipped) & PTE_P == 0 {
            skipped += GROUP;
        }
        skipped = singly(skipped, left);
    }
    if skipped == 0 { va } else { (index + skipped) << shift(level) }
}

/// The pages that are mapped in `[start, end)`, as they are when the iterator comes there: address, end and entry. Each that
/// it gives must stay mapped until the next one is asked for.
pub fn mapped(start: usize, end: usize) -> impl Iterator<Item = (usize, usize, u64)> {
    let (mut va, mut level) = (start, Format::ROOT);
    iter::from_fn(move || {
        while va < end {
            // SAFETY: the iterator goes down by tables alone. It goes up before it leaves a table, and the table that
            // it is in stays while a page is mapped there.
            let present = unsafe { skip_absent(va, level) };
            if present != va {
                va = present;
                level = level_at(va, level);
                continue;
            }
            // SAFETY: as above.
            let word = unsafe { load(place(va, level)) };
            let after = (va & !(span(level) - 1)) + span(level);
            match Format::decode(level, Word::from_u64(word)) {
                Entry::Table { .. } => level -= 1,
                Entry::Leaf(_) => {
                    let page = (va, after, word);
                    (va, level) = (after, level_at(after, level));
                    return Some(page);
                }
                Entry::Absent | Entry::Pending { .. } => {
                    (va, level) = (after, level_at(after, level));
                }
            }
        }
        None
    })
}

/// The level to go on with at `va`, from `level` on upwards: that of the table which begins there.
fn level_at(va: usize, level: u32) -> u32 {
    (level..Format::ROOT).find(|&level| !va.is_multiple_of(span(level + 1))).unwrap_or(Format::ROOT)
}
