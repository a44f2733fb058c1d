//! Changes to the entries of a range, run by run: unmapping and protecting; and giving up whole tables.

use layout::PGSIZE;

use super::Span;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::Releases;
use crate::paging::flush::Flush;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::vm::Vm;
use crate::paging::word::Word;

/// Neighbouring entries of one table: pages of `level`, pending or not, or absent.
#[derive(Clone, Copy)]
pub(super) struct Entries {
    level: u32,
    /// The address of the first one.
    at: PhysAddr,
    /// The address that the first one maps.
    va: VirtAddr,
    count: usize,
}

/// The first `count` entries that are not 0, each with its number, of a table that no processor comes to any more.
pub(crate) fn used_entries<M: Machine>(
    machine: &M,
    table: PhysAddr,
    count: usize,
) -> impl Iterator<Item = (usize, WordOf<M>)> {
    let at = move |i| M::Format::slot(table, i);
    let mut i = 0;
    core::iter::from_fn(move || {
        while i < count {
            let (number, word) = (i, machine.load::<WordOf<M>>(at(i)));
            if word != WordOf::<M>::ZERO {
                i += 1;
                return Some((number, word));
            }
            i += machine.zeros_unused::<WordOf<M>>(at(i), count - i);
        }
        None
    })
}

impl Entries {
    /// The entries from number `i` on.
    #[inline]
    fn skip<M: Machine>(&self, i: usize) -> Self {
        let at = M::Format::slot(self.at, i);
        // The table maps all of them, so no sum overflows.
        let va = VirtAddr::new(self.va.as_u64() + i as u64 * M::Format::page_size(self.level));
        Self { at, va, count: self.count - i, ..*self }
    }

    /// The runs of neighbours among the pages that `picks` picks, each with the address of its first
    /// page. Nearly all unmapping goes through here, most of it in runs, so runs are found by comparing
    /// words, and decoded once. The next entry tells whether a page comes alone. `zeros` is the
    /// machine's method of this name, or its `zeros_unused`.
    #[inline(always)]
    fn runs<M: Machine>(
        &self,
        machine: &M,
        zeros: impl Fn(&M, PhysAddr, usize) -> usize,
        picks: impl Fn(Entry) -> Option<PhysAddr>,
    ) -> impl Iterator<Item = (Self, PhysAddr)> {
        let mut i = 0;
        core::iter::from_fn(move || {
            while i < self.count {
                let rest = self.skip::<M>(i);
                let word: WordOf<M> = machine.load(rest.at);
                let Some(pa) = picks(M::Format::decode(rest.level, word)) else {
                    let is_zero = word == WordOf::<M>::ZERO;
                    i += if is_zero { zeros(machine, rest.at, rest.count) } else { 1 };
                    continue;
                };
                let next = word.wrapping_add(Vm::<M>::leaf_step(rest.level));
                let goes_on =
                    rest.count > 1 && machine.load::<WordOf<M>>(rest.skip::<M>(1).at) == next;
                let count = if goes_on {
                    Self::alike(machine, rest.level, rest.at, rest.count, pa)
                } else {
                    1
                };
                i += count;
                return Some((Self { count, ..rest }, pa));
            }
            None
        })
    }

    /// How many of these entries lead to neighbouring pages and are alike otherwise. The first leads to
    /// `pa`.
    #[inline(never)]
    fn alike<M: Machine>(
        machine: &M,
        level: u32,
        at: PhysAddr,
        count: usize,
        pa: PhysAddr,
    ) -> usize {
        /// Entries compared without a branch.
        const CHUNK: usize = 8;
        let step = Vm::<M>::leaf_step(level);
        let load = |i| -> WordOf<M> { machine.load(M::Format::slot(at, i)) };
        // No address after the last one looks like its neighbour.
        let to_last = (M::Format::PA_END - pa.as_u64()) / M::Format::page_size(level);
        let count = (count as u64).min(to_last).max(1) as usize;
        let (mut alike, mut expected) = (1, load(0).wrapping_add(step));
        while alike + CHUNK <= count {
            let (mut differs, mut next) = (0, expected);
            let mut at = M::Format::slot(at, alike);
            for _ in 0..CHUNK {
                let word: WordOf<M> = machine.load(at);
                differs |= word.to_u64() ^ next.to_u64();
                next = next.wrapping_add(step);
                at = M::Format::slot(at, 1);
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

/// Ends the use of the table of `level` at `table`, to which nothing leads any more, of all tables below
/// it and, if `counted`, of all pages. Entries are read once, and stay as they are.
///
/// # Panics
///
/// If a table is no page of RAM: a bug.
pub(crate) fn release_tree<M: Machine>(
    machine: &M,
    releases: &mut Releases<'_>,
    level: u32,
    table: PhysAddr,
    counted: bool,
) {
    if level > 0 {
        for (_, word) in used_entries(machine, table, M::Format::ENTRIES) {
            let entry = M::Format::decode(level, word);
            if let Entry::Table { pa, .. } = entry {
                release_tree(machine, releases, level - 1, pa, counted);
            } else if let (Some(pa), true) = (entry.page(), counted) {
                releases.release(pa, (M::Format::page_size(level) / PGSIZE) as usize);
            }
        }
    } else if counted {
        let all = Entries { level: 0, at: table, va: VirtAddr::new(0), count: M::Format::ENTRIES };
        let runs = all.runs(machine, M::zeros_unused::<WordOf<M>>, Entry::page);
        releases.release_all(runs.map(|(run, pa)| (pa, run.count)));
    }
    releases.release_table(table);
}

impl<M: Machine> Vm<M> {
    /// Calls `change` for all entries of `span` that may be pages, in runs. Every leaf there lies in the span whole.
    pub(super) fn visit(
        &mut self,
        level: u32,
        table: PhysAddr,
        mut span: Span,
        change: &mut impl FnMut(&mut Self, &Entries),
    ) {
        if level == 0 {
            let at = M::Format::entry(0, table, span.va);
            let count = Self::pages_here(0, &span);
            return change(self, &Entries { level: 0, at, va: span.va, count });
        }
        let page_size = M::Format::page_size(level);
        while span.size > 0 {
            let part = span.within(page_size, 1);
            let at = M::Format::entry(level, table, span.va);
            match M::Format::decode(level, self.machine.load(at)) {
                Entry::Absent => {}
                Entry::Table { pa, .. } => self.visit(level - 1, pa, part, change),
                Entry::Leaf(_) | Entry::Pending { .. } => {
                    change(self, &Entries { level, at, va: span.va, count: 1 });
                }
            }
            span.advance(part.size);
        }
    }

    /// Makes the pages of `entries` pending, so that the processor does not see them. In the kernel's half, where
    /// nothing is counted, clears their entries.
    pub(super) fn hide_entries(&mut self, entries: &Entries, flush: &mut Flush) {
        let machine = &self.machine;
        let (level, counted) = (entries.level, Self::is_user(entries.va));
        for (run, _) in entries.runs(machine, M::zeros::<WordOf<M>>, Entry::page) {
            let (first, step) = if counted {
                (M::Format::pending(machine.load(run.at)), Self::leaf_step(level))
            } else {
                (WordOf::<M>::ZERO, WordOf::<M>::ZERO)
            };
            machine.store_run(run.at, first, step, run.count);
            match level {
                0 => flush.add_pages(run.va, run.count),
                _ => flush.add_all(),
            }
        }
    }

    /// Clears those of `entries` that are pending and, if `leaves`, those of mapped pages. Ends the uses of the pages,
    /// and returns how many frames became free.
    pub(super) fn clear_entries(&mut self, entries: &Entries, leaves: bool) -> usize {
        let Self { machine, pages, .. } = self;
        let zero = WordOf::<M>::ZERO;
        let pages_each = (M::Format::page_size(entries.level) / PGSIZE) as usize;
        let picks = |entry| match entry {
            Entry::Leaf(leaf) if leaves => Some(leaf.pa),
            Entry::Pending { pa } => Some(pa),
            _ => None,
        };
        let runs = entries.runs(machine, M::zeros::<WordOf<M>>, picks).map(|(run, pa)| {
            machine.store_run(run.at, zero, zero, run.count);
            (pa, run.count * pages_each)
        });
        if Self::is_user(entries.va) {
            pages.release(|releases| releases.release_all(runs))
        } else {
            runs.for_each(drop);
            0
        }
    }

    /// Gives the pages of `entries` the permissions `perm`; those that other spaces may have too, [`Perm::COW`] in
    /// place of W.
    pub(super) fn protect_entries(&mut self, entries: &Entries, perm: Perm, flush: &mut Flush) {
        for i in 0..entries.count {
            let Entries { level, at, va, .. } = entries.skip::<M>(i);
            self.exchange_leaf(level, at, self.machine.load(at), |leaf| {
                let is_private = (leaf.perm | perm).intersects(Perm::COW | Perm::PRIVATE);
                let perm = if is_private { perm.private() } else { perm };
                M::Format::encode(level, &Leaf { perm, ..leaf })
            });
            flush.add_leaf(level, va);
        }
    }
}
