//! [`MemLayout`], JOS's `inc/memlayout.h`: the constants of a memory map, each derived from its
//! neighbour, and the table of regions that is made of them.
//!
//! There are three regimes, as in JOS: `[ULIM, top]` is the kernel's alone; `[UTOP, ULIM)` is read-only
//! to kernel and user; `[0, UTOP)` is the application's. Above ULIM the addresses are fixed; from there
//! down to UENVS each region begins one `PTSIZE` below the one above it.

use crate::region::{Content, Region, assert_tiles};
use crate::{GB, KB, MB, PGSIZE, round_down};

/// A memory map: the purpose of each range of virtual addresses.
///
/// A machine gives the few constants without a default value; the others follow from them. Values
/// are virtual addresses or sizes in bytes unless their description says otherwise.
pub trait MemLayout: 'static {
    /// The map's name, as users see it.
    const NAME: &'static str;

    /// Bits of a virtual address that are translated: 32 on i386, 48 on x86-64, 39 on Sv39.
    const VA_BITS: u32;

    /// Bytes that one entry of the page directory, the root table, maps.
    const PTSIZE: u64;

    /// Whether a page table can be entered in itself, so that UVPT shows all tables.
    const SELF_MAP: bool;

    /// The physical address where the window begins: 0 on x86, the base of DRAM on RISC-V.
    const PHYS_BASE: u64;

    /// The most bytes of RAM that PHYSMAP may show; 0 if the machine has no room for it.
    const PHYSMAP_MAX: u64;

    /// The start of the hole in RAM that a PC's devices occupy (VGA at 0xA0000, ROMs up to 1 MB);
    /// a physical address. The hole is empty on other machines.
    const IOPHYSMEM: u64 = if Self::PHYS_BASE == 0 { 640 * KB } else { Self::PHYS_BASE };
    /// The end of that hole, where extended memory begins; a physical address.
    const EXTPHYSMEM: u64 = if Self::PHYS_BASE == 0 { MB } else { Self::PHYS_BASE };

    /// The physical address where the kernel's image begins: on a PC extended memory, as JOS's.
    const LOAD_ADDR: u64 = Self::EXTPHYSMEM;

    /// Whether addresses are sign-extended, so that a non-canonical hole parts two halves.
    const HALVES: bool = Self::VA_BITS > 32;

    /// The highest virtual address.
    const VA_LAST: u64 = if Self::HALVES { u64::MAX } else { u32::MAX as u64 };

    /// The first address after the lower half (Intel SDM vol. 1, 3.3.7.1: canonical addressing). If
    /// there are no halves, the start of UENVS, which is JOS's UTOP.
    const LOWER_END: u64 = if Self::HALVES { 1 << (Self::VA_BITS - 1) } else { Self::UENVS };

    /// The first address of the upper half. If there are no halves, it equals `LOWER_END`.
    const UPPER_START: u64 =
        if Self::HALVES { Self::LOWER_END.wrapping_neg() } else { Self::LOWER_END };

    /// Bytes of physical memory that the window at KERNBASE shows.
    const WINDOW_SIZE: u64 = 256 * MB;

    /// The start of the window: physical `PHYS_BASE + x` is mapped at `KERNBASE + x`. JOS's number,
    /// 0xF000_0000, sign-extended if addresses are wider.
    const KERNBASE: u64 = Self::VA_LAST - (Self::WINDOW_SIZE - 1);

    /// The window's last frame, a physical address. It is never handed out: it is mapped at the end of
    /// the address space, where no Rust object may end.
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

    /// The first address that the application has no access to at all: where a root entry begins, with room
    /// for PHYSMAP below the devices.
    const ULIM: u64 = round_down(Self::MMIOBASE - Self::PHYSMAP_MAX, Self::PTSIZE);

    /// The start of PHYSMAP: all RAM by large pages, for machines with more RAM than the window shows.
    const PHYSMAP: u64 = Self::ULIM;

    /// The start of the page tables, user read-only: the `PTSIZE` bytes of the root table's entry for
    /// itself. Unused if a table cannot map itself.
    const UVPT: u64 = Self::ULIM - Self::PTSIZE;
    /// The start of the array `pages`, user read-only.
    const UPAGES: u64 = Self::UVPT - Self::PTSIZE;
    /// The start of the part kept for the environments' array, user read-only.
    const UENVS: u64 = Self::UPAGES - Self::PTSIZE;

    /// Top of the addresses that the application may map. If a non-canonical hole follows the lower
    /// half, one page below that hole, so that no address just after UTOP is non-canonical.
    const UTOP: u64 = if Self::HALVES { Self::LOWER_END - PGSIZE } else { Self::UENVS };
    /// Top of the application's one-page exception stack.
    const UXSTACKTOP: u64 = Self::UTOP;
    /// Top of the application's stack; the page between the two is never mapped.
    const USTACKTOP: u64 = Self::UTOP - 2 * PGSIZE;
    /// Scratch addresses for temporary mappings.
    const UTEMP: u64 = 4 * MB;
    /// The start of an application's program.
    const UTEXT: u64 = 2 * Self::UTEMP;
    /// The start of an application's heap: above any program, and a multiple of every machine's large
    /// pages.
    const UHEAP: u64 = GB;

    /// The whole map as data, from the top down. The regions tile the address space: each ends where
    /// the previous one begins. Use [`regions`], which leaves out those that are empty on this
    /// machine.
    const REGIONS: &'static [Region] = &table::<Self>();
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
const fn table<L: MemLayout + ?Sized>() -> [Region; 19] {
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
    let mut last = L::VA_LAST; // of the next row
    let mut i = 0;
    while i < rows.len() {
        let (name, base, content, access) = rows[i];
        // Base and end are the same if this machine has no such region.
        let size = last.wrapping_sub(base).wrapping_add(1);
        table[i] = Region { name, base, size, content, access };
        last = base.wrapping_sub(1);
        i += 1;
    }
    table
}

/// Fails the build if a map breaks a promise that its users rely on. Call it beside each map;
/// `libjos` calls it for the map that it sets up.
///
/// It asserts that
///
/// - the constants are in order, as the picture of [`Jos64`](crate::Jos64) has them;
/// - ULIM, and so each region below it down to UENVS, begins where the part of a root entry begins,
///   in the upper half if there is one;
/// - the window ends with the address space, shows a power of two of bytes, and begins at a multiple
///   of that and of 1 GB in physical memory;
/// - a stack with its gap fits in the addresses kept for stacks, PHYSMAP below the devices, and the
///   array `pages` for all RAM in UPAGES;
/// - the regions tile the address space, in whole pages.
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
/// A map whose RAM does not begin at a large page does not compile:
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
    // The regimes are in order, and a root entry ends at each boundary.
    assert!(L::UTEMP < L::UTEXT && L::UTEXT < L::UHEAP);
    assert!(L::UHEAP < L::USTACKTOP && L::USTACKTOP < L::UXSTACKTOP);
    assert!(L::UTOP <= L::UENVS && L::UENVS < L::UPAGES && L::UPAGES < L::UVPT);
    assert!(L::UVPT < L::ULIM && L::ULIM <= L::MMIOBASE && L::MMIOBASE < L::MMIOLIM);
    assert!(L::PTSIZE.is_power_of_two() && L::ULIM.is_multiple_of(L::PTSIZE));
    assert!(L::UENVS >= L::UPPER_START || !L::HALVES);
    // The window ends with the address space, and every part of the map is whole pages.
    assert!(L::KERNBASE == L::VA_LAST - L::WINDOW_SIZE + 1);
    assert!(L::KERNBASE.is_multiple_of(2 * MB) && L::PHYS_BASE.is_multiple_of(GB));
    // Upper bits of a physical address tell whether the window shows it.
    assert!(L::WINDOW_SIZE.is_power_of_two() && L::PHYS_BASE.is_multiple_of(L::WINDOW_SIZE));
    // The first stack and its gap fit in the addresses kept for stacks; PHYSMAP ends below MMIO.
    assert!(L::KSTKSIZE + L::KSTKGAP <= L::KSTKS_SIZE);
    assert!(L::PHYSMAP_MAX <= L::MMIOBASE - L::PHYSMAP);
    // The array `pages` has room for as many frames as can be shown, at 8 bytes a frame.
    assert!((L::WINDOW_SIZE + L::PHYSMAP_MAX) / PGSIZE * 8 <= L::PTSIZE);
    assert_tiles(L::REGIONS, L::VA_LAST);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JOS's map, with RAM that does not begin at a large page.
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
