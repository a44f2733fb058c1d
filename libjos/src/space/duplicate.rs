//! Giving one address space the memory of another: [`uvmcopy`](AddressSpace::uvmcopy), and the passes
//! that it shares with [`uvmcow`](AddressSpace::uvmcow).
//!
//! A [`Cursor`] goes through the old space and visits each of its tables once; the walk of
//! [`range`](crate::paging::range) maps the new one. They meet in [`Part`]s: as much of the old
//! space as is mapped in one go. Nearly all memory is small pages. Neighbours in the
//! address space make one part, wherever each lies and with any permissions; [`SmallPages`] gives them
//! one by one. Large pages that stay large make parts of their own, which are mapped by large pages
//! again.

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::mappings::{Cursor, Mapping, leaves};
use crate::paging::pgdir::Stop;
use crate::paging::range::{Neighbours, PageSizes, Slots, Span};
use crate::paging::vm::Vm;
use crate::space::AddressSpace;
use crate::space::uvm::{UvmError, user_end};

/// Neighbouring pages that are mapped in one go.
#[derive(Clone, Copy, Debug)]
struct Part {
    va: VirtAddr,
    /// The first page's physical address. If the pages stay large, the others lie right behind it.
    pa: PhysAddr,
    size: u64,
    /// The permissions that any of the pages has. If the pages stay large, all have these.
    perm: Perm,
    /// The pages to map by: the largest for large pages that stay large.
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

/// The memory mapped below an address, in parts.
struct Parts<F> {
    cursor: Cursor<F>,
    /// The page that did not join the part before.
    ahead: Option<Part>,
    end_exclusive: VirtAddr,
}

impl<F: Format> Parts<F> {
    fn new(pgdir: PhysAddr, end_exclusive: VirtAddr) -> Self {
        let cursor = Cursor::new(pgdir, VirtAddr::new(0), end_exclusive);
        Self { cursor, ahead: None, end_exclusive }
    }

    /// The next part. A large page stays large if `large_as` gives its permissions.
    fn next<M: Machine<Format = F>>(
        &mut self,
        vm: &Vm<M>,
        large_as: impl Fn(&Vm<M>, &Mapping) -> Option<Perm>,
    ) -> Option<Part> {
        let mut next_page = || {
            let (_, leaf) = self.cursor.next(vm.machine())?;
            let Mapping { va, pa, size, perm, .. } = below(leaf, self.end_exclusive)?;
            let part = Part { va, pa, size, perm, sizes: PageSizes::Smallest };
            let large = Some(leaf).filter(|leaf| leaf.size > PGSIZE);
            Some(match large.and_then(|leaf| large_as(vm, &leaf)) {
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

/// The part of `leaf` below `end_exclusive`.
fn below(leaf: Mapping, end_exclusive: VirtAddr) -> Option<Mapping> {
    if leaf.va >= end_exclusive {
        return None;
    }
    Some(Mapping { size: leaf.size.min(end_exclusive - leaf.va), ..leaf })
}

/// The pages of a part, one by one; large ones in small pieces.
struct SmallPages<F> {
    cursor: Cursor<F>,
    /// The address of the entry at hand, and the rest of its page.
    rest: Option<(PhysAddr, Mapping)>,
}

impl<F: Format> SmallPages<F> {
    fn new(pgdir: PhysAddr, part: &Part) -> Self {
        // The caller asks for no more pages than the part has, so the end does not matter.
        Self { cursor: Cursor::new(pgdir, part.va, VirtAddr::new(u64::MAX)), rest: None }
    }

    /// The next page, and the address of its entry.
    fn next(&mut self, machine: &impl Machine) -> (PhysAddr, Mapping) {
        let next = self.rest.take().or_else(|| self.cursor.next(machine));
        let Some((at, leaf)) = next else { unreachable!("a part has as many pages as it says") };
        let Mapping { va, pa, size, .. } = leaf;
        if size > PGSIZE {
            let rest = Mapping { va: va + PGSIZE, pa: pa + PGSIZE, size: size - PGSIZE, ..leaf };
            self.rest = Some((at, rest));
        }
        (at, Mapping { size: PGSIZE, ..leaf })
    }
}

impl AddressSpace {
    /// Copies `sz` bytes of user memory to `new`: each page gets a copy in `new`, with the same
    /// permissions, and holes stay holes. Pages that are no RAM, such as a device's, are mapped in both
    /// spaces, large ones by large ones. (For copies
    /// made only when one side writes: [`uvmcow`](Self::uvmcow).)
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond UTOP; [`UvmError::Map`]
    /// if something is in the way in `new`, if a `pp_ref` would overflow, and if an entry that was
    /// written by hand is global. Nothing has changed then.
    pub fn uvmcopy<M: Machine>(
        &self,
        vm: &mut Vm<M>,
        new: &mut Self,
        sz: u64,
    ) -> Result<(), UvmError> {
        let (old, new, end) = (self.root(), new.root(), user_end(sz, M::Layout::UTOP)?);
        let large_as =
            |vm: &Vm<M>, leaf: &Mapping| (vm.ram_pages(&leaf.range()) == 0).then_some(leaf.perm);
        let tables = tables_to_duplicate(vm, old, new, end, large_as)?;
        let copies: u64 = user_leaves(vm, old, end).map(|leaf| vm.ram_pages(&leaf.range())).sum();
        check_free(vm, tables + copies as usize, old, end)?;
        check_countable(vm, old, end, false)?;
        duplicate(vm, old, new, end, large_as, |vm, at, _, Mapping { pa, perm, .. }| {
            if vm.is_ram(pa) {
                let copy = vm.alloc_expected(AllocFlags::empty());
                vm.copy_frame(pa, copy);
                vm.machine().store(at, M::Format::leaf(0, copy, perm));
            } else {
                share_at(vm, at, pa, perm);
            }
        });
        Ok(())
    }
}

/// The leaves mapped below `end`, cut off there.
pub(super) fn user_leaves<M: Machine>(
    vm: &Vm<M>,
    pgdir: PhysAddr,
    end: VirtAddr,
) -> impl Iterator<Item = Mapping> {
    let leaves = leaves::<M::Format, M>(vm.machine(), pgdir, VirtAddr::new(0), end);
    leaves.filter_map(move |leaf| below(leaf, end))
}

/// Counts the tables that `new` takes to map what `old` maps below `end`. Nothing may be mapped there
/// in `new`.
pub(super) fn tables_to_duplicate<M: Machine>(
    vm: &Vm<M>,
    old: PhysAddr,
    new: PhysAddr,
    end: VirtAddr,
    large_as: impl Fn(&Vm<M>, &Mapping) -> Option<Perm>,
) -> Result<usize, MapError> {
    let mut parts = Parts::new(old, end);
    let (mut tables, mut last) = (0, None);
    while let Some(part) = parts.next(vm, &large_as) {
        vm.check_global(new, part.va, part.va + (part.size - 1), part.perm)?;
        tables += vm.tables_to_map(M::Format::ROOT, new, part.span(), part.sizes)?;
        // Tables that the part before needs too were counted with it.
        if let Some(last) = last {
            let block = |level, va: VirtAddr| va.as_u64() / M::Format::page_size(level);
            let missing = 1..=vm.walk(new, part.va).level;
            tables -= missing.filter(|l| block(*l, last) == block(*l, part.va)).count();
        }
        last = Some(part.va + (part.size - 1));
    }
    Ok(tables)
}

/// Checks that there are `needed` free pages for the memory that `pgdir` maps below `end`.
pub(super) fn check_free<M: Machine>(
    vm: &Vm<M>,
    needed: usize,
    pgdir: PhysAddr,
    end: VirtAddr,
) -> Result<(), UvmError> {
    match user_leaves(vm, pgdir, end).next() {
        Some(first) if needed > vm.pages().nfree() => Err(UvmError::NoMemory { va: first.va }),
        _ => Ok(()),
    }
}

/// Checks that no `pp_ref` overflows if each page below `end` is mapped once more (RAM only if
/// `with_ram`), even if all of them were one frame. In a large page it looks only at the frames that
/// `pages` describes.
pub(super) fn check_countable<M: Machine>(
    vm: &Vm<M>,
    pgdir: PhysAddr,
    end: VirtAddr,
    with_ram: bool,
) -> Result<(), MapError> {
    let copied = |leaf: &Mapping| if with_ram { 0 } else { vm.ram_pages(&leaf.range()) };
    let leaves = || user_leaves(vm, pgdir, end);
    let npages: u64 = leaves().map(|leaf| leaf.size / PGSIZE - copied(&leaf)).sum();
    if npages == 0 {
        return Ok(());
    }
    let described = vm.described();
    let mut pages = leaves().flat_map(|leaf| leaf.range().intersection(&described).pages());
    let overflows = |pa: &PhysAddr| {
        let frame = vm.pages().pa2page(*pa).filter(|_| with_ram || !vm.is_ram(*pa));
        frame.is_some_and(|frame| npages > u64::from(u32::MAX - vm.pages().pp_ref(frame)))
    };
    match pages.find(overflows) {
        Some(pa) => Err(MapError::Overflow { pa }),
        None => Ok(()),
    }
}

/// Maps in `new` what `old` maps below `end`. Large pages that stay large get the same permissions in
/// both. For each other page this calls `map`, with the address of its entry in `new`, that of its entry
/// in `old`, and the page. The caller has checked that all of this can succeed.
pub(super) fn duplicate<M: Machine>(
    vm: &mut Vm<M>,
    old: PhysAddr,
    new: PhysAddr,
    end: VirtAddr,
    large_as: impl Fn(&Vm<M>, &Mapping) -> Option<Perm>,
    mut map: impl FnMut(&mut Vm<M>, PhysAddr, PhysAddr, Mapping),
) {
    let mut parts = Parts::new(old, end);
    while let Some(part) = parts.next(vm, &large_as) {
        if part.sizes == PageSizes::Smallest {
            let mut pages = SmallPages::<M::Format>::new(old, &part);
            let put = &mut |vm: &mut Vm<M>, slots: &Slots| {
                for at in slots.addresses::<M::Format>() {
                    let (old_at, page) = pages.next(vm.machine());
                    map(vm, at, old_at, page);
                }
            };
            vm.map_in(new, part.span(), put, part.sizes);
            continue;
        }
        count(vm, part.pa, part.size);
        vm.map_in(new, part.span(), &mut Neighbours(part.perm), part.sizes);
        // The entries of the old space get the same permissions. Only software's bits differ, so nothing is flushed.
        let mut done = 0;
        while done < part.size {
            let Stop { level, at, .. } = vm.walk(old, part.va + done);
            vm.set_perm(level, at, part.perm);
            done += M::Format::page_size(level);
        }
    }
}

/// Maps the small page `pa` by the entry at `at`, and counts the mapping.
pub(super) fn share_at<M: Machine>(vm: &mut Vm<M>, at: PhysAddr, pa: PhysAddr, perm: Perm) {
    count(vm, pa, PGSIZE);
    vm.machine().store(at, M::Format::leaf(0, pa, perm));
}

/// Counts a mapping of each page in the `size` bytes at `pa`.
fn count<M: Machine>(vm: &mut Vm<M>, pa: PhysAddr, size: u64) {
    if let Err(error) = vm.pages_mut().count_run(pa, size) {
        unreachable!("check_countable has found that it can be counted: {error}");
    }
}
