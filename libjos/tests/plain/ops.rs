//! The operations: at few addresses, so that they meet, near the boundaries of tables and of the
//! address space, so that they go wrong where they can.
//!
//! Sequences of them are made by proptest (`strategies`, for `model.rs`) and out of a fuzzer's
//! bytes (`inputs`, for `corpus.rs` and the fuzz target).

use layout::{MemLayout, PGSIZE};
use libjos::paging::format::{Format, Perm};

use super::page_size;

/// Where in the address space. Numbers count pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Around the end of the first table of the last level; -2 and up.
    Low(i64),
    /// At the start of one of the first large pages.
    Large(u64),
    /// Around the end of the first table of the level above; -2 and up.
    Far(i64),
    /// Just below UTOP.
    Top(i64),
    /// In the kernel's half, in the part for devices.
    Mmio(u64),
    /// Beyond all addresses of the user's.
    Beyond(u64),
    /// At the very start.
    Start(u64),
    /// Where page tables are shown.
    Uvpt(u64),
}

impl Place {
    pub(crate) fn va<L: MemLayout, F: Format>(self) -> u64 {
        let pages = |base: u64, n: i64| base.wrapping_add_signed(n * PGSIZE.cast_signed());
        match self {
            Self::Low(n) => pages(page_size::<F>(1), n),
            Self::Large(n) => n * page_size::<F>(1),
            Self::Far(n) => pages(page_size::<F>(2.min(F::LEVELS - 1)) * 2, n),
            Self::Top(n) => pages(L::UTOP, n),
            Self::Mmio(n) => L::MMIOBASE + n * PGSIZE,
            // With 32-bit addresses, those that need more.
            Self::Beyond(n) if !L::HALVES => L::VA_LAST + 1 + n * PGSIZE,
            Self::Beyond(n) => L::LOWER_END + n * PGSIZE,
            Self::Start(n) => n * PGSIZE,
            Self::Uvpt(n) => L::UVPT + n * PGSIZE,
        }
    }
}

/// How many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    Pages(u64),
    /// So many large pages, and some small ones.
    Large(u64, u64),
    /// A page of the next larger size, where there is one.
    Huge,
}

/// A range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) place: Place,
    pub(crate) length: Length,
    /// Bytes that make a mistake of it.
    pub(crate) skew: u64,
}

impl Span {
    /// The first address and the size.
    pub(crate) fn range<L: MemLayout, F: Format>(self) -> (u64, u64) {
        let va = self.place.va::<L, F>();
        let size = match self.length {
            Length::Pages(n) => n * PGSIZE,
            Length::Large(large, n) => large * page_size::<F>(1) + n * PGSIZE,
            Length::Huge => page_size::<F>(2.min(F::LEVELS - 1)),
        };
        // Ranges that begin in the devices' part stay there. Where there are no halves, those of
        // the user may reach into the kernel's part, but not to UPAGES, which is in use.
        let size = match self.place {
            Place::Mmio(_) => size.min(L::MMIOLIM - va),
            _ if !L::HALVES && va < L::UPAGES => size.min(L::UPAGES - va),
            _ => size,
        };
        (va + self.skew / 8, size + self.skew % 8)
    }
}

/// A size of user memory: all below a place, but so many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    pub(crate) place: Place,
    pub(crate) less: u64,
}

impl Size {
    pub(crate) fn bytes<L: MemLayout, F: Format>(self) -> u64 {
        self.place.va::<L, F>().saturating_sub(self.less)
    }
}

/// Bytes to be copied: so many, around the start of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bytes {
    pub(crate) place: Place,
    pub(crate) offset: i64,
    pub(crate) len: u64,
}

impl Bytes {
    pub(crate) fn va<L: MemLayout, F: Format>(self) -> u64 {
        self.place.va::<L, F>().saturating_add_signed(self.offset)
    }
}

/// The memory that an operation maps. Numbers count pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A frame of the pool: in use or free.
    Pool(u64),
    /// RAM that the test holds, from the start of a large page on.
    Held(u64),
    /// A device, from the start of a large page on.
    Device(u64),
    /// A device, from the start of a page of the next larger size on.
    HugeDevice(u64),
    /// The last page that an entry can name.
    Last,
}

/// An operation. `space` is one of two address spaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Alloc,
    Free {
        frame: u64,
    },
    Insert {
        space: usize,
        place: Place,
        frame: u64,
        perm: Perm,
    },
    Remove {
        space: usize,
        place: Place,
    },
    Map {
        space: usize,
        span: Span,
        target: Target,
        perm: Perm,
        largest: bool,
    },
    Unmap {
        space: usize,
        span: Span,
    },
    Protect {
        space: usize,
        span: Span,
        perm: Perm,
    },
    Merge {
        space: usize,
        place: Place,
        level: u32,
    },
    Prune {
        space: usize,
        place: Place,
    },
    CowFault {
        space: usize,
        place: Place,
    },
    Switch {
        space: usize,
    },
    /// Allocates until so many frames are left.
    Drain {
        leave: usize,
    },
    /// Frees what was allocated and has no use.
    FreeUnused,
    /// Takes the address space down. The next operation that names it makes it anew.
    Uvmfree {
        space: usize,
    },
    Uvmalloc {
        space: usize,
        old: Size,
        new: Size,
        xperm: Perm,
    },
    Uvmdealloc {
        space: usize,
        old: Size,
        new: Size,
    },
    Sbrk {
        space: usize,
        n: i64,
    },
    /// From one address space to the other.
    Uvmcopy {
        from: usize,
        size: Size,
    },
    /// From one address space to the other.
    Uvmcow {
        from: usize,
        size: Size,
    },
    /// Bytes and, from the same place, a string.
    Copyin {
        space: usize,
        bytes: Bytes,
    },
    Copyout {
        space: usize,
        bytes: Bytes,
    },
    Clearpteu {
        space: usize,
        place: Place,
    },
    Walk {
        space: usize,
        place: Place,
        create: bool,
    },
    AllocRun {
        order: u32,
    },
    FreeRun {
        frame: u64,
        order: u32,
    },
}

impl Op {
    /// The address spaces that it is about.
    pub(crate) fn spaces(&self) -> Vec<usize> {
        match *self {
            Self::Insert { space, .. }
            | Self::Remove { space, .. }
            | Self::Map { space, .. }
            | Self::Unmap { space, .. }
            | Self::Protect { space, .. }
            | Self::Merge { space, .. }
            | Self::Prune { space, .. }
            | Self::CowFault { space, .. }
            | Self::Switch { space }
            | Self::Uvmfree { space }
            | Self::Uvmalloc { space, .. }
            | Self::Uvmdealloc { space, .. }
            | Self::Sbrk { space, .. }
            | Self::Copyin { space, .. }
            | Self::Copyout { space, .. }
            | Self::Clearpteu { space, .. }
            | Self::Walk { space, .. } => vec![space],
            Self::Uvmcopy { from, .. } | Self::Uvmcow { from, .. } => vec![from, 1 - from],
            Self::Alloc
            | Self::Free { .. }
            | Self::Drain { .. }
            | Self::FreeUnused
            | Self::AllocRun { .. }
            | Self::FreeRun { .. } => vec![],
        }
    }
}

/// An operation, and which of the pages around it are used before and after, by bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) touch: u16,
}
