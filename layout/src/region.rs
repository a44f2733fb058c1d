//! [`Region`]: a row of the map as data (xv6's `kmap` idea).
//!
//! The rows of a map tile the address space, so each address has a purpose. [`assert_tiles`] proves
//! it for each map at compile time.

use crate::PGSIZE;

/// The content of a region, which decides how `mem_init` maps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Physical memory from `PHYS_BASE` on, as far as the region goes.
    Window,
    /// The kernel stack of the first processor.
    KernelStack,
    /// Nothing at first: mapped as need arises (further stacks, devices, environments).
    Empty,
    /// All RAM, by large pages.
    PhysMap,
    /// The page tables themselves.
    PageTables,
    /// The array `pages`.
    Pages,
    /// The application's memory: mapped by `page_insert`, counted by `pp_ref`.
    Application,
    /// Never mapped: an access must fault.
    Invalid,
}

/// A row of the map: the addresses `[base, base + size)` and the rights there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// The name that users see.
    pub name: &'static str,
    /// The lowest address.
    pub base: u64,
    /// Bytes; 0 if this machine has no such region.
    pub size: u64,
    /// The content.
    pub content: Content,
    /// The most rights that kernel and user ever have there, as JOS writes them: `RW/--`.
    pub access: &'static str,
}

impl Region {
    /// The highest address. (The end may be 2^64, which no `u64` holds.) The region is not empty.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.base + (self.size - 1)
    }

    /// Whether `va` lies in the region.
    #[must_use]
    pub const fn contains(&self, va: u64) -> bool {
        va >= self.base && va - self.base < self.size
    }
}

/// Fails the build unless `regions` tile `[0, va_last]` from the top down.
pub(crate) const fn assert_tiles(regions: &[Region], va_last: u64) {
    let mut end = va_last.wrapping_add(1); // exclusive, modulo 2^64, of the next row
    let mut i = 0;
    while i < regions.len() {
        let region = &regions[i];
        assert!(region.base.wrapping_add(region.size) == end, "regions must touch");
        // A row whose base lies above its end would wrap to a size of nearly 2^64.
        assert!(region.size == 0 || region.last() <= va_last, "regions must be in order");
        assert!(region.base.is_multiple_of(PGSIZE), "regions are whole pages");
        end = region.base;
        i += 1;
    }
    assert!(end == 0, "the lowest region begins at 0");
}

#[cfg(test)]
mod tests;
