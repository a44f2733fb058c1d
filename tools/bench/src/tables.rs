//! What page-table contestants can do, and the proof that they did it.

use std::hint::black_box;

use layout::{MB, PGSIZE};

use crate::memory::{FRAMES, Memory};

/// Where ranges are mapped that nobody counts: in the kernel's part of the address space.
pub(crate) const KERNEL_VA: u64 = 0xFFFF_FF80_4000_0000;
/// Where pages are mapped that are counted: in the application's part.
pub(crate) const USER_VA: u64 = 0x4000_0000;

/// By what pages a range is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PageSize {
    /// 4 KB, though larger would fit.
    Small,
    /// 2 MB.
    Large,
}

/// How entries look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// As the Intel SDM says, vol. 3A, 4.5.
    X86_64,
    /// As the Arm ARM says, D8.3.
    Aarch64,
}

/// Page tables of four levels.
pub(crate) trait Tables {
    /// How its entries look.
    const KIND: Kind = Kind::X86_64;
    /// Empty tables; all frames of `TABLES` but the root's are free.
    fn new(memory: Memory) -> Self;
    /// Empty once more.
    fn reset(&mut self);
    /// The physical address of the root.
    fn root(&self) -> u64;
    /// Maps `size` bytes.
    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize);
}

/// Single pages.
pub(crate) trait SinglePages: Tables {
    /// Gives each of `FRAMES` a use beside mappings, where uses are counted.
    fn keep_frames(&mut self) {}
    /// Maps one.
    fn map_page(&mut self, va: u64, pa: u64);
    /// Unmaps it. Its frame, which has other uses, is not freed.
    fn unmap_page(&mut self, va: u64);
    /// Maps and unmaps pages in their turn, each an address and a frame's.
    #[inline]
    fn map_unmap(&mut self, pages: &[[u64; 2]]) {
        map_unmap(self, pages);
    }
}

/// Where an address leads.
pub(crate) trait Translate: Tables {
    /// Translates an address that is mapped.
    fn translate(&self, va: u64) -> u64;
    /// Follows pages of `KERNEL_VA` from `va` on, `n` times: each one's frame of `FRAMES` names the next.
    #[inline]
    fn chain(&self, va: u64, n: u64) -> u64 {
        chain(self, va, n)
    }
    /// The sum of what addresses lead to.
    #[inline]
    fn sum(&self, addresses: &[u64]) -> u64 {
        sum(self, addresses)
    }
}

/// The loop of [`SinglePages::map_unmap`].
#[inline]
pub(crate) fn map_unmap<T: SinglePages + ?Sized>(tables: &mut T, pages: &[[u64; 2]]) {
    for [va, pa] in pages {
        tables.map_page(*va, *pa);
        // The entry is there for all to see, before it goes again.
        black_box(&mut *tables).unmap_page(*va);
    }
}

/// The loop of [`Translate::chain`].
#[inline]
pub(crate) fn chain<T: Translate + ?Sized>(tables: &T, va: u64, n: u64) -> u64 {
    (0..n).fold(va, |va, _| KERNEL_VA + (tables.translate(va) - FRAMES.start))
}

/// The loop of [`Translate::sum`].
#[inline]
pub(crate) fn sum<T: Translate + ?Sized>(tables: &T, addresses: &[u64]) -> u64 {
    addresses.iter().map(|va| tables.translate(*va)).fold(0, u64::wrapping_add)
}

/// The end of an address space.
pub(crate) trait TearDown: Tables {
    /// Maps the frames at `pas`, all of `FRAMES`, one after the other from `va` on, where they are to be freed from.
    /// Not timed.
    fn fill(&mut self, va: u64, pas: &[u64]);
    /// Unmaps all, and frees every frame and every table.
    fn tear_down(&mut self, va: u64, size: u64);
    /// Frames that are free now.
    fn nfree(&self) -> usize;
}

/// What is mapped from `va` on, when the frames at `pas` are.
pub(crate) fn pages(va: u64, pas: &[u64]) -> impl Iterator<Item = (u64, u64)> {
    (va..).step_by(PGSIZE as usize).zip(pas.iter().copied())
}

/// Asserts that the tables map `size` bytes at `va` to `pa` by such pages, reading them as the
/// processor would.
pub(crate) fn verify<T: Tables>(tables: &T, va: u64, pa: u64, size: u64, pages: PageSize) {
    let expected = if pages == PageSize::Large { 2 * MB } else { PGSIZE };
    for offset in (0..size).step_by(PGSIZE as usize) {
        let found = walk(T::KIND, Memory::get(), tables.root(), va + offset);
        assert_eq!(found, Some((pa + offset, expected)), "at {:#x}", va + offset);
    }
}

/// Where `va` leads, and by a page of which size.
pub(crate) fn walk(kind: Kind, memory: Memory, root: u64, va: u64) -> Option<(u64, u64)> {
    let mut table = root;
    for level in (0..4).rev() {
        let shift = 12 + 9 * level;
        let entry = memory.load(table + ((va >> shift) & 511) * 8);
        let address = entry & 0x000F_FFFF_FFFF_F000;
        let is_page = match kind {
            Kind::X86_64 => level == 0 || entry & 0x80 != 0,
            Kind::Aarch64 => level == 0 || entry & 0x2 == 0,
        };
        if entry & 1 == 0 {
            return None;
        }
        if is_page {
            let size = 1 << shift;
            return Some(((address & !(size - 1)) + (va & (size - 1)), size));
        }
        table = address;
    }
    None
}
