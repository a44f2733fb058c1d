//! A frame and its state: [`Frame`], [`PageInfo`], and the errors of a state that forbids an operation.

use core::fmt;

use crate::mem::addr::PhysAddr;

/// A frame of physical memory, by its index in `pages`.
///
/// Holding one does not prove that the frame is in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Frame(pub(super) u32);

impl Frame {
    /// The frame at `index` in `pages`.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The frame's index in `pages`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x}", self.0)
    }
}

/// The state of a frame (JOS's `struct PageInfo`).
///
/// The free list is linked both ways, so that a frame can leave it from anywhere. A free frame
/// has no uses to count, so its second link takes the count's place: [`pp_ref`](Self::pp_ref)
/// tells the two apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(8))]
pub struct PageInfo {
    /// On the free list: the index of the next free frame, or [`PageInfo::END`]. Off it: one of
    /// the constants above that.
    pub pp_link: u32,
    /// On the free list: the index of the previous free frame, which is not kept for the first one.
    /// Off it: the number of mappings of the frame below UTOP, plus 1 if it is a page table (and 1
    /// for each further address space that shares it), plus 1 if it is reserved.
    pub pp_ref_or_prev: u32,
}

const _: () = assert!(size_of::<PageInfo>() == 8);

impl PageInfo {
    /// `pp_link` of a frame that was allocated.
    pub const IN_USE: u32 = u32::MAX;
    /// `pp_link` of a frame that is never allocated: no RAM, or the loader's or the kernel's own.
    pub const RESERVED: u32 = u32::MAX - 1;
    /// `pp_link` of the last frame on the free list.
    pub const END: u32 = u32::MAX - 2;
    /// The largest number of frames that links can name.
    pub const MAX_FRAMES: usize = Self::END as usize;

    /// A frame that is allocated and has `pp_ref` uses.
    #[must_use]
    pub const fn in_use(pp_ref: u32) -> Self {
        Self { pp_link: Self::IN_USE, pp_ref_or_prev: pp_ref }
    }

    /// A frame that is never allocated.
    #[must_use]
    pub const fn reserved() -> Self {
        Self { pp_link: Self::RESERVED, pp_ref_or_prev: 1 }
    }

    /// Both halves as one word, as they lie in memory.
    pub(crate) const fn word(&self) -> u64 {
        self.pp_link as u64 | (self.pp_ref_or_prev as u64) << 32
    }

    /// The state with these halves, `pp_link` in the lower 32 bits, as they lie in memory.
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self { pp_link: word as u32, pp_ref_or_prev: (word >> 32) as u32 }
    }

    /// Whether the frame is on the free list.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.pp_link <= Self::END
    }

    /// Whether one use more of the frame can be counted.
    #[inline]
    pub(super) const fn can_count(&self) -> bool {
        !self.is_free() && self.pp_ref_or_prev != u32::MAX
    }

    /// Counts one use more if that can be, and returns whether it did.
    #[inline]
    pub(super) fn count_further_use(&mut self) -> bool {
        match self.pp_ref_or_prev.checked_add(1) {
            Some(pp_ref) if !self.is_free() => {
                self.pp_ref_or_prev = pp_ref;
                true
            }
            _ => false,
        }
    }

    /// Counts one use less if another one is left then, and returns whether it has.
    #[inline]
    pub(super) const fn drop_further_use(&mut self) -> bool {
        let has_further = !self.is_free() && self.pp_ref_or_prev > 1;
        if has_further {
            self.pp_ref_or_prev -= 1;
        }
        has_further
    }

    /// How many mappings and tables use the frame; 0 if it is free. A use that is gone from the
    /// tables but not yet from the TLB still counts.
    #[must_use]
    pub const fn pp_ref(&self) -> u32 {
        if self.is_free() { 0 } else { self.pp_ref_or_prev }
    }
}

impl fmt::Display for PageInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.pp_ref_or_prev;
        match self.pp_link {
            Self::IN_USE => write!(f, "in use, pp_ref {count}"),
            Self::RESERVED => write!(f, "reserved, pp_ref {count}"),
            Self::END => write!(f, "free, between frame {count:#x} and the end"),
            next => write!(f, "free, between frames {count:#x} and {next:#x}"),
        }
    }
}

bitflags::bitflags! {
    /// How [`page_alloc`](super::PageAllocator::page_alloc) is to prepare the frame.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct AllocFlags: u8 {
        /// Filled with zeros.
        const ZERO = 1 << 0;
    }
}

/// Asks [`page_alloc`](super::PageAllocator::page_alloc) for a frame of zeros (JOS's name).
pub const ALLOC_ZERO: AllocFlags = AllocFlags::ZERO;

/// Why no use of a frame can be counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CountError {
    /// The frame is on the free list.
    Free {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// The frame's `pp_ref` would overflow.
    Overflow {
        /// The frame's address.
        pa: PhysAddr,
    },
}

impl fmt::Display for CountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Free { pa } => write!(f, "page {pa} is free already"),
            Self::Overflow { pa } => write!(f, "pp_ref of page {pa} would overflow"),
        }
    }
}

impl core::error::Error for CountError {}

/// Why a frame cannot be freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageError {
    /// The frame is on the free list already.
    Free {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// The frame is never allocated, and so never freed.
    Reserved {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// The frame is still in use.
    Referenced {
        /// The frame's address.
        pa: PhysAddr,
        /// Its number of uses.
        pp_ref: u32,
    },
    /// The frame's `pp_ref` is 0 and cannot be lowered.
    Unreferenced {
        /// The frame's address.
        pa: PhysAddr,
    },
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Free { pa } => write!(f, "page {pa} is free already"),
            Self::Reserved { pa } => write!(f, "page {pa} is reserved"),
            Self::Referenced { pa, pp_ref } => {
                write!(f, "page {pa} is still in use: pp_ref is {pp_ref}")
            }
            Self::Unreferenced { pa } => write!(f, "pp_ref of page {pa} is 0"),
        }
    }
}

impl core::error::Error for PageError {}
