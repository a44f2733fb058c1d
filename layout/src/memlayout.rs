//! JOS's `inc/memlayout.h`: the constants of a memory map, each derived from its neighbour.
//!
//! Three regimes, as in JOS: `[ULIM, top]` is the kernel's alone; `[UTOP, ULIM)` is read-only to
//! kernel and user; `[0, UTOP)` is the application's. Above ULIM the addresses are fixed; below
//! it each region is one `PTSIZE` under the one before.

use crate::region::{self, Region};
use crate::{GB, KB, MB, PGSIZE, round_down};

/// A memory map: what each range of virtual addresses is for.
///
/// A machine gives its paging geometry and, where it differs, the window's physical base; all
/// else follows. All values are virtual addresses or sizes in bytes unless they say otherwise.
pub trait MemLayout: 'static {
    /// The map's name, as users say it.
    const NAME: &'static str;

    /// Bits of a virtual address that are translated: 32 on i386, 48 on x86-64, 39 on Sv39.
    const VA_BITS: u32;

    /// Bytes that one entry of the page directory, the root table, maps.
    const PTSIZE: u64;

    /// Whether a page table can be entered in itself, so that UVPT shows all tables.
    const SELF_MAP: bool;

    /// Where the window begins in physical memory: 0 on x86, the base of DRAM on RISC-V.
    const PHYS_BASE: u64;

    /// Most bytes of RAM that PHYSMAP may show; 0 where the machine has no room for it.
    const PHYSMAP_MAX: u64;

    /// The start of the hole in RAM that a PC's devices occupy (VGA at 0xA0000, ROMs up to 1 MB);
    /// a physical address. Empty where there is no such hole.
    const IOPHYSMEM: u64 = if Self::PHYS_BASE == 0 { 640 * KB } else { Self::PHYS_BASE };
    /// The end of that hole, where extended memory begins; a physical address.
    const EXTPHYSMEM: u64 = if Self::PHYS_BASE == 0 { MB } else { Self::PHYS_BASE };

    /// Whether addresses are sign-extended, so that a non-canonical hole parts two halves.
    const HALVES: bool = Self::VA_BITS > 32;

    /// The highest virtual address.
    const VA_LAST: u64 = if Self::HALVES { u64::MAX } else { u32::MAX as u64 };

    /// The first address after the lower half (Intel SDM vol. 1, 3.3.7.1: canonical addressing);
    /// where there are no halves, the start of UENVS, JOS's UTOP.
    const LOWER_END: u64 = if Self::HALVES { 1 << (Self::VA_BITS - 1) } else { Self::UENVS };

    /// The first address of the upper half; where there are no halves, the same as `LOWER_END`.
    const UPPER_START: u64 =
        if Self::HALVES { Self::LOWER_END.wrapping_neg() } else { Self::LOWER_END };

    /// Bytes of physical memory that the window at KERNBASE shows.
    const WINDOW_SIZE: u64 = 256 * MB;

    /// All of the window: physical `PHYS_BASE + x` is mapped at `KERNBASE + x`. JOS's number,
    /// 0xF000_0000, sign-extended where addresses are wider.
    const KERNBASE: u64 = Self::VA_LAST - (Self::WINDOW_SIZE - 1);

    /// The window's last frame, a physical address. It is shown where the address space ends, where
    /// no Rust object may end, so nobody has it.
    const WINDOW_LAST_FRAME: u64 = Self::PHYS_BASE + Self::WINDOW_SIZE - PGSIZE;

    /// The top of the first processor's kernel stack, which grows down from here.
    const KSTACKTOP: u64 = Self::KERNBASE;
    /// Bytes of a kernel stack.
    const KSTKSIZE: u64 = 8 * PGSIZE;
    /// Bytes below a kernel stack that are never mapped, so that an overflow faults.
    const KSTKGAP: u64 = 8 * PGSIZE;
    /// Bytes kept for the stacks of all processors, gaps included.
    const KSTKS_SIZE: u64 = 4 * MB;
    /// The lowest byte of the first processor's stack.
    const KSTACK: u64 = Self::KSTACKTOP - Self::KSTKSIZE;

    /// The end of the addresses for memory-mapped devices.
    const MMIOLIM: u64 = Self::KSTACKTOP - Self::KSTKS_SIZE;
    /// Bytes of addresses for memory-mapped devices.
    const MMIO_SIZE: u64 = 4 * MB;
    /// The start of the addresses for memory-mapped devices.
    const MMIOBASE: u64 = Self::MMIOLIM - Self::MMIO_SIZE;

    /// From here up the application has no access at all.
    const ULIM: u64 = round_down(Self::MMIOBASE, Self::PTSIZE);

    /// All RAM by large pages, for machines with more of it than the window shows.
    const PHYSMAP: u64 = Self::ULIM;

    /// The page tables themselves, user read-only: one `PTSIZE` that is a page table's own
    /// entry. Unused where a table cannot map itself.
    const UVPT: u64 = Self::ULIM - Self::PTSIZE;
    /// The array `pages`, user read-only.
    const UPAGES: u64 = Self::UVPT - Self::PTSIZE;
    /// Kept for the environments' array, user read-only.
    const UENVS: u64 = Self::UPAGES - Self::PTSIZE;

    /// Top of what the application may map. Where a non-canonical hole follows the lower half it
    /// is one page below that end, so that no address just after it is non-canonical.
    const UTOP: u64 = if Self::HALVES { Self::LOWER_END - PGSIZE } else { Self::UENVS };
    /// Top of the application's one-page exception stack.
    const UXSTACKTOP: u64 = Self::UTOP;
    /// Top of the application's stack; the page between the two is never mapped.
    const USTACKTOP: u64 = Self::UTOP - 2 * PGSIZE;
    /// Scratch addresses for temporary mappings.
    const UTEMP: u64 = 4 * MB;
    /// Where an application's program begins.
    const UTEXT: u64 = 2 * Self::UTEMP;
    /// Where an application's heap begins: above any program, and at a multiple of every machine's
    /// large pages.
    const UHEAP: u64 = GB;

    /// The whole map as data, from the top down. The regions tile the address space: each ends
    /// where the one before begins. Use [`regions`](crate::regions), which leaves out those that
    /// are empty on this machine.
    const REGIONS: &'static [Region] = &region::table::<Self>();
}

/// Fails the build where a map breaks what everything that uses it relies on. To be called beside
/// each map; `libjos` calls it for the one that it sets up.
///
/// It asserts that the constants are in order, as the picture of [`Jos64`](crate::Jos64) has them;
/// that ULIM, and so each region below it down to UENVS, begins where a root entry's part begins, in
/// the upper half where there is one; that the window ends with the address space, shows a power of
/// two of bytes, and begins at a multiple of that and of 1 GB in physical memory; that a stack
/// with its gap fits in what is kept for stacks, PHYSMAP below the devices, and the array `pages` for
/// all RAM in UPAGES; and that the regions tile the address space, in whole pages.
///
/// A map of one's own is a few numbers:
///
/// ```
/// use layout::{GB, MemLayout, assert_layout};
///
/// enum Board {}
///
/// impl MemLayout for Board {
///     const NAME: &'static str = "Board";
///     const VA_BITS: u32 = 39;
///     const PTSIZE: u64 = GB;
///     const SELF_MAP: bool = false;
///     const PHYS_BASE: u64 = 4 * GB;
///     const PHYSMAP_MAX: u64 = 0;
/// }
///
/// const _: () = assert_layout::<Board>();
/// ```
///
/// With RAM that begins where no large page does, it does not compile:
///
/// ```compile_fail,E0080
/// # use layout::{GB, MB, MemLayout, assert_layout};
/// # enum Board {}
/// impl MemLayout for Board {
/// #    const NAME: &'static str = "Board";
/// #    const VA_BITS: u32 = 39;
/// #    const PTSIZE: u64 = GB;
/// #    const SELF_MAP: bool = false;
/// #    const PHYSMAP_MAX: u64 = 0;
///     // ...
///     const PHYS_BASE: u64 = 4 * GB + MB;
/// }
///
/// const _: () = assert_layout::<Board>();
/// ```
///
/// # Panics
///
/// At compile time, by the assertion that does not hold.
pub const fn assert_layout<L: MemLayout + ?Sized>() {
    // The regimes are in order, and each boundary is where one root entry ends.
    assert!(L::UTEMP < L::UTEXT && L::UTEXT < L::UHEAP);
    assert!(L::UHEAP < L::USTACKTOP && L::USTACKTOP < L::UXSTACKTOP);
    assert!(L::UTOP <= L::UENVS && L::UENVS < L::UPAGES && L::UPAGES < L::UVPT);
    assert!(L::UVPT < L::ULIM && L::ULIM <= L::MMIOBASE && L::MMIOBASE < L::MMIOLIM);
    assert!(L::PTSIZE.is_power_of_two() && L::ULIM.is_multiple_of(L::PTSIZE));
    assert!(L::UENVS >= L::UPPER_START || !L::HALVES);
    // The window ends with the address space, and every part of the map is whole pages.
    assert!(L::KERNBASE == L::VA_LAST - L::WINDOW_SIZE + 1);
    assert!(L::KERNBASE.is_multiple_of(2 * MB) && L::PHYS_BASE.is_multiple_of(GB));
    // Upper bits of a physical address say whether the window shows it.
    assert!(L::WINDOW_SIZE.is_power_of_two() && L::PHYS_BASE.is_multiple_of(L::WINDOW_SIZE));
    // The first stack and its gap fit in what is kept for stacks; PHYSMAP ends below MMIO.
    assert!(L::KSTKSIZE + L::KSTKGAP <= L::KSTKS_SIZE);
    assert!(L::PHYSMAP_MAX <= L::MMIOBASE - L::PHYSMAP);
    // The array `pages` has room for as many frames as can be shown, at 8 bytes a frame.
    assert!((L::WINDOW_SIZE + L::PHYSMAP_MAX) / PGSIZE * 8 <= L::PTSIZE);
    region::assert_tiles(L::REGIONS, L::VA_LAST);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JOS's map, with RAM that begins where no large page does.
    enum OddBase {}

    impl MemLayout for OddBase {
        const NAME: &'static str = "OddBase";
        const VA_BITS: u32 = 32;
        const PTSIZE: u64 = 4 * MB;
        const SELF_MAP: bool = true;
        const PHYS_BASE: u64 = MB;
        const PHYSMAP_MAX: u64 = 0;
    }

    /// At compile time this is an error, which no test can show.
    #[test]
    #[should_panic(expected = "PHYS_BASE.is_multiple_of(GB)")]
    fn a_map_must_keep_its_promises() {
        assert_layout::<OddBase>();
    }
}
