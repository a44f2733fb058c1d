//! The operations of page-table contestants, and the check that they were done.

use std::hint::black_box;

use layout::{MB, PGSIZE};

use crate::memory::{FRAMES, Memory};

/// The address of mapped ranges, in the kernel's part of the address space, where mappings are not counted.
pub(crate) const KERNEL_VA: u64 = 0xFFFF_FF80_4000_0000;
/// The address of mapped pages, in the application's part, where mappings are counted.
pub(crate) const USER_VA: u64 = 0x4000_0000;

/// The size of the pages that map a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PageSize {
    /// 4 KB, although larger pages would fit.
    Small,
    /// 2 MB.
    Large,
}

/// The format of entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Intel SDM vol. 3A, 4.5.
    X86_64,
    /// Arm ARM, D8.3.
    Aarch64,
}

/// Page tables of four levels.
pub(crate) trait Tables {
    /// The format of the entries.
    const KIND: Kind = Kind::X86_64;
    /// Makes empty tables; all frames of `TABLES` but the root's are free.
    fn new(memory: Memory) -> Self;
    /// Makes the tables empty again.
    fn reset(&mut self);
    /// The physical address of the root.
    fn root(&self) -> u64;
    /// Maps `size` bytes.
    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize);
}

/// Mapping of single pages.
pub(crate) trait SinglePages: Tables {
    /// Gives each of `FRAMES` a use besides mappings, if uses are counted.
    fn keep_frames(&mut self) {}
    /// Maps a page.
    fn map_page(&mut self, va: u64, pa: u64);
    /// Unmaps a page. Its frame, which has other uses, is not freed.
    fn unmap_page(&mut self, va: u64);
    /// Maps and unmaps pages, one after the other, each given by its address and its frame's.
    #[inline]
    fn map_unmap(&mut self, pages: &[[u64; 2]]) {
        map_unmap(self, pages);
    }
}

/// Translation of addresses.
pub(crate) trait Translate: Tables {
    /// Translates a mapped address.
    fn translate(&self, va: u64) -> u64;
    /// Follows pages of `KERNEL_VA` from `va` on, `n` times: each one's frame of `FRAMES` names the next.
    #[inline]
    fn chain(&self, va: u64, n: u64) -> u64 {
        chain(self, va, n)
    }
    /// The sum of the translations of addresses.
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
        // The compiler must assume that the entry is read before it is removed.
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
    /// Maps the frames at `pas`, which are all of `FRAMES`, at successive pages from `va` on. Untimed.
    fn fill(&mut self, va: u64, pas: &[u64]);
    /// Unmaps all, and frees every frame and every table.
    fn tear_down(&mut self, va: u64, size: u64);
    /// Frames that are free now.
    fn nfree(&self) -> usize;
}

/// The pages from `va` on and the frames at `pas` that they map.
pub(crate) fn pages(va: u64, pas: &[u64]) -> impl Iterator<Item = (u64, u64)> {
    (va..).step_by(PGSIZE as usize).zip(pas.iter().copied())
}

/// Asserts that the tables map `size` bytes at `va` to `pa` by pages of the given size, reading them as
/// the processor would.
pub(crate) fn verify<T: Tables>(tables: &T, va: u64, pa: u64, size: u64, pages: PageSize) {
    let expected = if pages == PageSize::Large { 2 * MB } else { PGSIZE };
    for offset in (0..size).step_by(PGSIZE as usize) {
        let found = walk(T::KIND, Memory::get(), tables.root(), va + offset);
        assert_eq!(found, Some((pa + offset, expected)), "at {:#x}", va + offset);
    }
}

/// The physical address of `va`, and the size of the page that maps it.
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
