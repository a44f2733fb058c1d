//! The map as data: a row a region (xv6's `kmap` idea), from the top of the address space down.
//!
//! The rows tile the address space, which [`assert_tiles`] proves at compile time for each map:
//! there is no address of which the table does not say what it is for.

use crate::PGSIZE;
use crate::memlayout::MemLayout;

/// What a region holds, and so what `mem_init` maps there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Physical memory from `PHYS_BASE` on, as far as the region goes.
    Window,
    /// The kernel stack of the first processor.
    KernelStack,
    /// Nothing yet: mapped as need arises (further stacks, devices, environments).
    Empty,
    /// All RAM, by large pages.
    PhysMap,
    /// The page tables themselves.
    PageTables,
    /// The array `pages`.
    Pages,
    /// The application's: mapped by `page_insert`, counted by `pp_ref`.
    Application,
    /// Never mapped: an access must fault.
    Invalid,
}

/// One row of the map: `[base, base + size)` and who may do what there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// What users call it.
    pub name: &'static str,
    /// The lowest address.
    pub base: u64,
    /// Bytes; 0 where this machine has no such region.
    pub size: u64,
    /// What the region holds.
    pub content: Content,
    /// Most that kernel and user may ever do there, as JOS writes it: `RW/--`.
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

/// The regions of `L` from the top of the address space down, without those that are empty on
/// this machine.
#[must_use]
pub fn regions<L: MemLayout + ?Sized>() -> impl DoubleEndedIterator<Item = &'static Region> {
    L::REGIONS.iter().filter(|region| region.size != 0)
}

/// The region of `L` that `va` lies in; `None` only for an address that the machine cannot form
/// (above 32 bits on i386).
#[must_use]
pub fn region_of<L: MemLayout + ?Sized>(va: u64) -> Option<&'static Region> {
    regions::<L>().find(|region| region.contains(va))
}

/// Builds the table of `L`: each row is given by its lowest address and reaches up to the row
/// above it.
pub(crate) const fn table<L: MemLayout + ?Sized>() -> [Region; 19] {
    use Content::{Application, Empty, Invalid, KernelStack, PageTables, Pages, PhysMap, Window};
    let physmap_end = L::PHYSMAP + L::PHYSMAP_MAX;
    let kstack_gap = L::KSTACK - L::KSTKGAP;
    let (uvpt, uvpt_access) = if L::SELF_MAP { (PageTables, "R-/R-") } else { (Invalid, "--/--") };
    let rows: [(&'static str, u64, Content, &'static str); 19] = [
        ("window on physical memory", L::KERNBASE, Window, "RW/--"),
        ("kernel stack", L::KSTACK, KernelStack, "RW/--"),
        ("guard gap", kstack_gap, Invalid, "--/--"),
        ("further kernel stacks", L::MMIOLIM, Empty, "RW/--"),
        ("memory-mapped devices", L::MMIOBASE, Empty, "RW/--"),
        ("unused", physmap_end, Invalid, "--/--"),
        ("all physical memory", L::PHYSMAP, PhysMap, "RW/--"),
        (if L::SELF_MAP { "page tables" } else { "unused" }, L::UVPT, uvpt, uvpt_access),
        ("pages array", L::UPAGES, Pages, "R-/R-"),
        ("environments", L::UENVS, Empty, "R-/R-"),
        ("unused", L::UPPER_START, Invalid, "--/--"),
        ("non-canonical", L::LOWER_END, Invalid, "--/--"),
        ("unused", L::UTOP, Invalid, "--/--"),
        ("exception stack", L::UXSTACKTOP - PGSIZE, Application, "RW/RW"),
        ("guard page", L::USTACKTOP, Invalid, "--/--"),
        ("heap and stack", L::UHEAP, Application, "RW/RW"),
        ("program", L::UTEXT, Application, "RW/RW"),
        ("temporary mappings", L::UTEMP, Application, "RW/RW"),
        ("low addresses", 0, Application, "RW/RW"),
    ];
    let mut table = [Region { name: "", base: 0, size: 0, content: Invalid, access: "" }; 19];
    let mut last = L::VA_LAST; // of the row at hand
    let mut i = 0;
    while i < rows.len() {
        let (name, base, content, access) = rows[i];
        // Base and end fall together where this machine has no such region.
        let size = last.wrapping_sub(base).wrapping_add(1);
        table[i] = Region { name, base, size, content, access };
        last = base.wrapping_sub(1);
        i += 1;
    }
    table
}

/// Fails the build unless `regions` tile `[0, va_last]` from the top down.
pub(crate) const fn assert_tiles(regions: &[Region], va_last: u64) {
    let mut below = va_last.wrapping_add(1); // the end (exclusive, modulo 2^64) of the next row
    let mut i = 0;
    while i < regions.len() {
        let region = &regions[i];
        assert!(region.base.wrapping_add(region.size) == below, "regions must touch");
        // A row whose base lies above its end would wrap to a size of nearly 2^64.
        assert!(region.size == 0 || region.last() <= va_last, "regions must be in order");
        assert!(region.base.is_multiple_of(PGSIZE), "regions are whole pages");
        below = region.base;
        i += 1;
    }
    assert!(below == 0, "the lowest region begins at 0");
}

#[cfg(test)]
mod tests;
