//! What unmapping and protecting do to runs of entries that are there.

use layout::PGSIZE;

use super::Span;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::Pages;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::removal::{Flush, Removal};
use crate::paging::word::Word;
use crate::pmap::Pmap;
use crate::space::cow;

/// Neighbouring entries of one table: leaves of `level`, or absent.
#[derive(Clone, Copy)]
pub(super) struct Entries {
    level: u32,
    /// Where the first one is.
    at: PhysAddr,
    /// What the first one maps.
    va: VirtAddr,
    count: usize,
}

impl Entries {
    /// The leaves among them: where the entry is, the address that it maps, what it says.
    #[inline]
    fn leaves<M: Machine>(&self, machine: &M) -> impl Iterator<Item = (PhysAddr, VirtAddr, Leaf)> {
        let page_size = M::Format::page_size(self.level);
        (0..self.count as u64).filter_map(move |i| {
            // Within one table and what it maps, so no sum overflows.
            let at = PhysAddr::new(self.at.as_u64() + i * WordOf::<M>::BYTES);
            let va = VirtAddr::new(self.va.as_u64() + i * page_size);
            match M::Format::decode(self.level, machine.load(at)) {
                Entry::Leaf(leaf) => Some((at, va, leaf)),
                _ => None,
            }
        })
    }
}

impl Entries {
    /// Those from number `i` on.
    #[inline]
    fn skip<M: Machine>(&self, i: usize) -> Self {
        let at = PhysAddr::new(self.at.as_u64() + i as u64 * WordOf::<M>::BYTES);
        let va = VirtAddr::new(self.va.as_u64() + i as u64 * M::Format::page_size(self.level));
        Self { at, va, count: self.count - i, ..*self }
    }

    /// How many of these, the first of which is `leaf`, lead to one page after the other and say
    /// the same else.
    #[inline]
    fn alike<M: Machine>(&self, machine: &M, leaf: &Leaf) -> usize {
        /// Entries compared without a branch.
        const CHUNK: usize = 8;
        let step = Pmap::<M>::leaf_step(self.level);
        let load = |i: usize| -> WordOf<M> {
            machine.load(PhysAddr::new(self.at.as_u64() + i as u64 * WordOf::<M>::BYTES))
        };
        // No address after the last one looks like its neighbour.
        let to_last = (M::Format::PA_END - leaf.pa.as_u64()) / M::Format::page_size(self.level);
        let count = self.count.min(to_last as usize).max(1);
        let (mut alike, mut expected) = (1, load(0).wrapping_add(step));
        // The first neighbour tells mostly whether there will be others.
        while alike + CHUNK <= count && load(alike) == expected {
            let (mut differs, mut next) = (0, expected);
            let mut at = PhysAddr::new(self.at.as_u64() + alike as u64 * WordOf::<M>::BYTES);
            for _ in 0..CHUNK {
                let word: WordOf<M> = machine.load(at);
                differs |= word.to_u64() ^ next.to_u64();
                next = next.wrapping_add(step);
                at = PhysAddr::new(at.as_u64() + WordOf::<M>::BYTES);
            }
            if differs != 0 {
                break;
            }
            (alike, expected) = (alike + CHUNK, next);
        }
        while alike < count && load(alike) == expected {
            (alike, expected) = (alike + 1, expected.wrapping_add(step));
        }
        alike
    }
}

/// What is to be done to a range of mappings.
pub(super) trait Change<M: Machine> {
    /// Does it to `entries`.
    fn make(&mut self, pmap: &mut Pmap<M>, entries: &Entries);
}

/// Takes them away.
pub(super) struct Unmap<'a> {
    pub(super) removal: &'a mut Removal,
    /// Whether the tables stay, and so the entries must go.
    pub(super) tables_stay: bool,
}

impl<M: Machine> Change<M> for Unmap<'_> {
    fn make(&mut self, pmap: &mut Pmap<M>, entries: &Entries) {
        let Pmap { machine, pages, .. } = pmap;
        let counted = Pmap::<M>::is_counted(entries.va);
        if entries.level == 0 && counted {
            // With the level known, this is one small loop.
            let entries = Entries { level: 0, ..*entries };
            return take_pages_away(machine, pages, &entries, self.removal, self.tables_stay);
        }
        let size = M::Format::page_size(entries.level);
        for (at, va, leaf) in entries.leaves(machine) {
            if self.tables_stay {
                machine.store(at, WordOf::<M>::ZERO);
            }
            self.removal.flush.add_leaf(entries.level, va);
            if counted {
                pages.release_into(&mut self.removal.frames, |releases| {
                    releases.release(leaf.pa, (size / PGSIZE) as usize);
                });
            }
        }
    }
}

/// Takes entries of the last level away, and each page's use. Of all that is unmapped nearly
/// everything goes through here, and nearly all of that in runs: neighbours that map neighbours in
/// the same way. So these are found by comparing, and decoded once.
#[inline(always)]
fn take_pages_away<M: Machine>(
    machine: &mut M,
    pages: &mut Pages,
    entries: &Entries,
    removal: &mut Removal,
    tables_stay: bool,
) {
    let Removal { flush, frames } = removal;
    pages.release_into(frames, |releases| {
        let mut i = 0;
        while i < entries.count {
            let rest = entries.skip::<M>(i);
            let Entry::Leaf(leaf) = M::Format::decode(0, machine.load(rest.at)) else {
                i += 1;
                continue;
            };
            let run = rest.alike(machine, &leaf);
            if tables_stay {
                for k in 0..run as u64 {
                    machine.store(rest.at + k * WordOf::<M>::BYTES, WordOf::<M>::ZERO);
                }
            }
            flush.add_pages(rest.va, run);
            releases.release(leaf.pa, run);
            i += run;
        }
    });
}

/// Gives them other permissions; to what may be others' too, [`Perm::COW`] in place of W.
pub(super) struct Protect<'a> {
    pub(super) perm: Perm,
    pub(super) flush: &'a mut Flush,
}

impl<M: Machine> Change<M> for Protect<'_> {
    fn make(&mut self, pmap: &mut Pmap<M>, entries: &Entries) {
        for (at, va, leaf) in entries.leaves(&pmap.machine) {
            let is_private = (leaf.perm | self.perm).intersects(Perm::COW | Perm::PRIVATE);
            let perm = if is_private { cow::private(self.perm) } else { self.perm };
            let entry = M::Format::encode(entries.level, &Leaf { perm, ..leaf });
            pmap.machine.store(at, entry);
            self.flush.add_leaf(entries.level, va);
        }
    }
}

impl<M: Machine> Pmap<M> {
    /// Makes `change` to all entries of `span` that may be leaves. Every leaf there lies in the span
    /// whole.
    pub(super) fn visit(
        &mut self,
        level: u32,
        table: PhysAddr,
        mut span: Span,
        change: &mut impl Change<M>,
    ) {
        if level == 0 {
            let at = M::Format::entry(0, table, span.va);
            let count = Self::pages_here(0, &span);
            return change.make(self, &Entries { level: 0, at, va: span.va, count });
        }
        let page_size = M::Format::page_size(level);
        while span.size > 0 {
            let part = span.within(page_size, 1);
            let at = M::Format::entry(level, table, span.va);
            match M::Format::decode(level, self.machine.load(at)) {
                Entry::Absent => {}
                Entry::Table { pa, .. } => self.visit(level - 1, pa, part, change),
                Entry::Leaf(_) => change.make(self, &Entries { level, at, va: span.va, count: 1 }),
            }
            span.advance(part.size);
        }
    }
}
