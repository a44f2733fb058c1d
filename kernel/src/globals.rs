//! JOS's globals for gdb, by JOS's names: `p npages`, `p kern_pgdir`, `p pages[1]`, `p page_free_list`,
//! and the constants of the map, `p UPAGES`.
//!
//! The kernel has no such globals: they are fields of the one [`Pmap`](libjos::pmap::Pmap). So a
//! record says where they are ([`GlobalsRecord`]), and `globals.s` describes them to gdb, which finds
//! them at every stop and on every processor. gdb's `jos` commands (`tools/gdb`) read the record too.

use core::arch::global_asm;
use core::mem::offset_of;
use core::ptr::without_provenance_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages;
use libjos::mem::pages::PageInfo;

use crate::arch::{Layout, cpu};

/// The places of JOS's globals. Only a debugger reads this.
#[repr(C)]
struct GlobalsRecord {
    npages: AtomicUsize,
    kern_pgdir: AtomicUsize,
    pages: AtomicPtr<PageInfo>,
    page_free_list: AtomicPtr<u32>,
    nfree: AtomicPtr<usize>,
}

static GLOBALS: GlobalsRecord = GlobalsRecord {
    npages: AtomicUsize::new(0),
    kern_pgdir: AtomicUsize::new(0),
    // UPAGES is not mapped before there is an array, so gdb reports an error and shows no garbage.
    pages: AtomicPtr::new(without_provenance_mut(Layout::UPAGES as usize)),
    page_free_list: AtomicPtr::new(without_provenance_mut(Layout::UPAGES as usize)),
    nfree: AtomicPtr::new(without_provenance_mut(Layout::UPAGES as usize)),
};

/// Records where the globals are now.
pub(crate) fn note(globals: &pages::Globals) {
    GLOBALS.npages.store(globals.npages, Ordering::Relaxed);
    GLOBALS.kern_pgdir.store(globals.kern_pgdir.as_u64() as usize, Ordering::Relaxed);
    if let Some(pages) = globals.pages {
        GLOBALS.pages.store(pages.array.cast_mut(), Ordering::Relaxed);
        GLOBALS.page_free_list.store(pages.page_free_list.cast_mut(), Ordering::Relaxed);
        GLOBALS.nfree.store(pages.nfree.cast_mut(), Ordering::Relaxed);
    }
}

/// The root of `kern_pgdir`, as [`note`] has recorded it.
#[inline]
pub(crate) fn kern_pgdir() -> PhysAddr {
    PhysAddr::new(GLOBALS.kern_pgdir.load(Ordering::Relaxed) as u64)
}

/// Assembles `globals.s`, with a constant for each name.
macro_rules! unit {
    ($($type:ident: $($name:ident = $value:expr),*;)*) => {
        global_asm!(
            include_str!("globals.s"),
            $($(concat!(
                "constant ", stringify!($name), ", ", stringify!($type), ", {", stringify!($name), "}"
            ),)*)*
            "end_of_unit",
            WORD = const size_of::<usize>(),
            PLACE = const cpu::DWARF_PLACE,
            GLOBALS = sym GLOBALS,
            NPAGES = const offset_of!(GlobalsRecord, npages),
            KERN_PGDIR = const offset_of!(GlobalsRecord, kern_pgdir),
            PAGES = const offset_of!(GlobalsRecord, pages),
            PAGE_FREE_LIST = const offset_of!(GlobalsRecord, page_free_list),
            PAGE_INFO = const size_of::<PageInfo>(),
            PP_LINK = const offset_of!(PageInfo, pp_link),
            PP_REF_OR_PREV = const offset_of!(PageInfo, pp_ref_or_prev),
            $($($name = const $value,)*)*
        );
    };
}

macro_rules! constants {
    (address: $($address:ident)*; u64: $($number:ident)*;) => {
        unit! {
            address: $($address = Layout::$address),*;
            u64: PGSIZE = PGSIZE, $($number = Layout::$number),*;
        }
    };
}

constants! {
    address: KERNBASE KSTACKTOP KSTACK MMIOLIM MMIOBASE ULIM PHYSMAP UVPT UPAGES UENVS UTOP UXSTACKTOP
        USTACKTOP UHEAP UTEXT UTEMP PHYS_BASE IOPHYSMEM EXTPHYSMEM;
    u64: PTSIZE KSTKSIZE KSTKGAP WINDOW_SIZE PHYSMAP_MAX;
}

#[cfg(test)]
mod tests;
