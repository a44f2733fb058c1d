//! Giving one address space what another has: [`uvmcopy`](Pmap::uvmcopy), and what it has in
//! common with [`uvmcow`](Pmap::uvmcow).
//!
//! The old space is gone through by a [`Cursor`], which visits each of its tables once, and the new
//! one by the walk of [`range`](crate::paging::range). Between the two are [`Part`]s: as much of the old
//! space as is mapped in one go. Nearly all memory is small pages, and of these neighbours in the
//! address space are one part, wherever each lies and whatever is allowed with it; [`SmallPages`]
//! tells what becomes of which. Large pages that stay as they are make parts of their own, which
//! are mapped by large pages again.

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, PageAllocator, PageError};
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::mappings::{Cursor, Mapping, leaves};
use crate::paging::pgdir::{MapError, Stop};
use crate::paging::range::{Neighbours, PageSizes, Source, Span};
use crate::pmap::Pmap;
use crate::space::uvm::{UserPage, UvmError};

/// Neighbouring pages that are mapped in one go.
#[derive(Clone, Copy, Debug)]
struct Part {
    va: VirtAddr,
    /// Where the first page lies; of large pages that stay large, all.
    pa: PhysAddr,
    size: u64,
    /// What any of the pages has; large pages that stay large all have the same.
    perm: Perm,
    /// By what pages they are mapped: the largest, where they are large and stay so.
    sizes: PageSizes,
}

impl Part {
    /// Takes `next` in, if it can be mapped in the same go.
    fn join(&mut self, next: &Self) -> bool {
        let goes_on = self.va + self.size == next.va && self.sizes == next.sizes;
        let alike = self.pa + self.size == next.pa && self.perm == next.perm;
        let joins = goes_on && (alike || self.sizes == PageSizes::Smallest);
        if joins {
            self.size += next.size;
            self.perm |= next.perm;
        }
        joins
    }

    fn span(&self) -> Span {
        Span { va: self.va, pa: self.pa, size: self.size }
    }
}

/// What is mapped below an address, in parts.
struct Parts<F> {
    cursor: Cursor<F>,
    /// What did not join the part before.
    ahead: Option<Part>,
    end_exclusive: VirtAddr,
}

impl<F: Format> Parts<F> {
    fn new(pgdir: PhysAddr, end_exclusive: VirtAddr) -> Self {
        let cursor = Cursor::new(pgdir, VirtAddr::new(0), end_exclusive);
        Self { cursor, ahead: None, end_exclusive }
    }

    /// The next part. Large pages stay large where `large_as` says with what permissions.
    fn next<M: Machine<Format = F>>(
        &mut self,
        pmap: &Pmap<M>,
        large_as: impl Fn(&Pmap<M>, &Mapping) -> Option<Perm>,
    ) -> Option<Part> {
        let mut next_page = || {
            let (_, leaf) = self.cursor.next(&pmap.machine)?;
            let Mapping { va, pa, size, perm, .. } = below(leaf, self.end_exclusive)?;
            let part = Part { va, pa, size, perm, sizes: PageSizes::Smallest };
            let large = Some(leaf).filter(|leaf| leaf.size > PGSIZE);
            Some(match large.and_then(|leaf| large_as(pmap, &leaf)) {
                Some(perm) => Part { perm, sizes: PageSizes::Largest, ..part },
                None => part,
            })
        };
        let mut part = self.ahead.take().or_else(&mut next_page)?;
        while let Some(next) = next_page() {
            if !part.join(&next) {
                self.ahead = Some(next);
                break;
            }
        }
        Some(part)
    }
}

/// What of `leaf` lies below `end_exclusive`.
fn below(leaf: Mapping, end_exclusive: VirtAddr) -> Option<Mapping> {
    if leaf.va >= end_exclusive {
        return None;
    }
    Some(Mapping { size: leaf.size.min(end_exclusive - leaf.va), ..leaf })
}

/// The pages of a part, one by one, in small pieces where they are large.
struct SmallPages<F> {
    cursor: Cursor<F>,
    /// The entry at hand, and what is left of its page.
    rest: Option<(PhysAddr, Mapping)>,
}

impl<F: Format> SmallPages<F> {
    fn new(pgdir: PhysAddr, part: &Part) -> Self {
        // Nobody asks for more than there is, so the end does not matter.
        Self { cursor: Cursor::new(pgdir, part.va, VirtAddr::new(u64::MAX)), rest: None }
    }

    /// The next page, and where its entry is.
    fn next(&mut self, machine: &impl Machine) -> (PhysAddr, UserPage) {
        let next = self.rest.take().or_else(|| self.cursor.next(machine));
        let Some((at, leaf)) = next else { unreachable!("a part has as many pages as it says") };
        let Mapping { va, pa, perm, size, largest, .. } = leaf;
        if size > PGSIZE {
            let rest = Mapping { va: va + PGSIZE, pa: pa + PGSIZE, size: size - PGSIZE, ..leaf };
            self.rest = Some((at, rest));
        }
        (at, UserPage { va, pa, perm, leaf_size: largest })
    }
}

/// Maps the pages of a part one by one.
struct OneByOne<'a, F, Map> {
    pages: SmallPages<F>,
    map: &'a mut Map,
}

impl<M: Machine, Map> Source<M> for OneByOne<'_, M::Format, Map>
where
    Map: FnMut(&mut Pmap<M>, PhysAddr, PhysAddr, UserPage),
{
    fn put(&mut self, pmap: &mut Pmap<M>, _: u32, at: PhysAddr, _: PhysAddr, count: usize) {
        for at in Pmap::<M>::entries_from(at, count) {
            let (old_at, page) = self.pages.next(&pmap.machine);
            (self.map)(pmap, at, old_at, page);
        }
    }
}

impl<M: Machine> Pmap<M> {
    /// Copies the user memory of `old`, `sz` bytes, to `new`: what is mapped there gets pages of
    /// its own in `new` with the same contents and permissions, and holes stay holes. Pages that
    /// are no RAM, such as a device's, are mapped in both, large ones by large ones. (For copies
    /// made only when one side writes: [`uvmcow`](Self::uvmcow).)
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond UTOP; [`UvmError::Map`]
    /// where something is in the way in `new`, where a `pp_ref` would overflow, and where an entry
    /// that was written by hand is global. Nothing has changed then.
    pub fn uvmcopy(&mut self, old: PhysAddr, new: PhysAddr, sz: u64) -> Result<(), UvmError> {
        let end = Self::user_end(sz, M::Layout::UTOP)?;
        let large_as = |pmap: &Self, leaf: &Mapping| (!pmap.holds_ram(leaf)).then_some(leaf.perm);
        let tables = self.tables_to_duplicate(old, new, end, large_as)?;
        let copies: u64 = self.user_leaves(old, end).map(|leaf| self.ram_pages(&leaf)).sum();
        self.check_free(tables + copies as usize, old, end)?;
        self.check_countable(old, end, false)?;
        self.duplicate(old, new, end, large_as, |pmap, at, _, UserPage { pa, perm, .. }| {
            if pmap.is_ram(pa) {
                let copy = pmap.counted_page(AllocFlags::empty());
                pmap.copy_frame(pa, copy);
                pmap.machine.store(at, M::Format::leaf(0, copy, perm));
            } else {
                pmap.share_at(at, pa, perm);
            }
        });
        Ok(())
    }

    /// All that is mapped below `end`, as far as it lies there.
    pub(crate) fn user_leaves(
        &self,
        pgdir: PhysAddr,
        end: VirtAddr,
    ) -> impl Iterator<Item = Mapping> {
        let leaves = leaves::<M::Format, M>(&self.machine, pgdir, VirtAddr::new(0), end);
        leaves.filter_map(move |leaf| below(leaf, end))
    }

    /// Tables that `new` takes for what `old` maps below `end`. Nothing may be mapped there.
    pub(crate) fn tables_to_duplicate(
        &self,
        old: PhysAddr,
        new: PhysAddr,
        end: VirtAddr,
        large_as: impl Fn(&Self, &Mapping) -> Option<Perm>,
    ) -> Result<usize, MapError> {
        let mut parts = Parts::new(old, end);
        let (mut tables, mut last) = (0, None);
        while let Some(part) = parts.next(self, &large_as) {
            self.check_global(new, part.va, part.va + (part.size - 1), part.perm)?;
            tables += self.tables_to_map(M::Format::ROOT, new, part.span(), part.sizes)?;
            // Those that the part before needs too have been counted with it.
            if let Some(last) = last {
                let block = |level, va: VirtAddr| va.as_u64() / M::Format::page_size(level);
                let missing = 1..=self.walk(new, part.va).level;
                tables -= missing.filter(|l| block(*l, last) == block(*l, part.va)).count();
            }
            last = Some(part.va + (part.size - 1));
        }
        Ok(tables)
    }

    /// There are `needed` free pages for what is to be done with all that `pgdir` maps below `end`.
    pub(crate) fn check_free(
        &self,
        needed: usize,
        pgdir: PhysAddr,
        end: VirtAddr,
    ) -> Result<(), UvmError> {
        match self.user_leaves(pgdir, end).next() {
            Some(first) if needed > self.pages.nfree() => Err(UvmError::NoMemory { va: first.va }),
            _ => Ok(()),
        }
    }

    /// No `pp_ref` overflows where each page below `end` is mapped once more (those of RAM, if
    /// `with_ram`), even if all of them were one frame. Of a large page only the frames that `pages`
    /// describes are looked at one by one.
    pub(crate) fn check_countable(
        &self,
        pgdir: PhysAddr,
        end: VirtAddr,
        with_ram: bool,
    ) -> Result<(), MapError> {
        let copied = |leaf: &Mapping| if with_ram { 0 } else { self.ram_pages(leaf) };
        let leaves = || self.user_leaves(pgdir, end);
        let npages: u64 = leaves().map(|leaf| leaf.size / PGSIZE - copied(&leaf)).sum();
        if npages == 0 {
            return Ok(());
        }
        let described = self.described();
        let mut pages = leaves().flat_map(|leaf| leaf.range().intersection(&described).pages());
        let overflows = |pa: &PhysAddr| {
            let frame = self.pages.pa2page(*pa).filter(|_| with_ram || !self.is_ram(*pa));
            frame.is_some_and(|frame| npages > u64::from(u32::MAX - self.pages.pp_ref(frame)))
        };
        match pages.find(overflows) {
            Some(pa) => Err(PageError::Overflow { pa }.into()),
            None => Ok(()),
        }
    }

    /// Maps in `new` what `old` maps below `end`: large pages that stay large as that, with the same
    /// permissions in both, and for each other one `map` is called, with where its entry is to be
    /// written, where its entry in `old` is, and what that says. That all this can be done has been
    /// found out.
    pub(crate) fn duplicate(
        &mut self,
        old: PhysAddr,
        new: PhysAddr,
        end: VirtAddr,
        large_as: impl Fn(&Self, &Mapping) -> Option<Perm>,
        mut map: impl FnMut(&mut Self, PhysAddr, PhysAddr, UserPage),
    ) {
        let (mut parts, root) = (Parts::new(old, end), M::Format::ROOT);
        while let Some(part) = parts.next(self, &large_as) {
            if part.sizes == PageSizes::Smallest {
                let mut source = OneByOne { pages: SmallPages::new(old, &part), map: &mut map };
                self.map_in(root, new, part.span(), &mut source, part.sizes);
                continue;
            }
            if let Err(error) = self.count_range(part.span()) {
                unreachable!("check_countable has found that it can be counted: {error}");
            }
            self.map_in(root, new, part.span(), &mut Neighbours(part.perm), part.sizes);
            // In the old space too, though nothing changes for the processor.
            let mut done = 0;
            while done < part.size {
                let Stop { level, at, .. } = self.walk(old, part.va + done);
                self.set_perm(level, at, part.perm);
                done += M::Format::page_size(level);
            }
        }
    }

    /// Whether any page of `leaf` is RAM.
    pub(crate) fn holds_ram(&self, leaf: &Mapping) -> bool {
        self.boot.memory.used::<M::Layout>().any(|run| run.overlaps(&leaf.range()))
    }

    /// How many pages of `leaf` are RAM.
    fn ram_pages(&self, leaf: &Mapping) -> u64 {
        let runs = self.boot.memory.used::<M::Layout>();
        runs.map(|run| run.intersection(&leaf.range()).size() / PGSIZE).sum()
    }

    /// Maps the small page `pa` by the entry at `at`, and counts that.
    pub(crate) fn share_at(&mut self, at: PhysAddr, pa: PhysAddr, perm: Perm) {
        if let Err(error) = self.pages.count_run(pa, PGSIZE) {
            unreachable!("check_countable has found that it can be counted: {error}");
        }
        self.machine.store(at, M::Format::leaf(0, pa, perm));
    }
}
