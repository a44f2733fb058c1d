//! Addresses that cannot be mixed up: [`PhysAddr`], [`VirtAddr`], and [`PhysRange`].
//!
//! Each is a `u64` on every machine, so that the 32-bit and RISC-V maps run in one host binary
//! with the 64-bit one. Holding an address proves nothing about it: a physical one may lie outside
//! RAM, a virtual one may be non-canonical or unmapped.

use core::fmt;
use core::ops::{Add, Sub};

use layout::{PGSIZE, page_round_down, page_round_up};

/// Panics for a sum of 2^64 or more. Out of line, so that a sum takes two instructions where it is used.
#[cold]
#[inline(never)]
fn overflow(address: u64, bytes: u64) -> ! {
    panic!("{address:#x} + {bytes:#x} is no address")
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The address with this number.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number of this address.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// Whether this is a multiple of `align` bytes.
            #[must_use]
            pub const fn is_aligned(self, align: u64) -> bool {
                self.0.is_multiple_of(align)
            }

            /// The start of the page that this address lies in.
            #[must_use]
            pub const fn page_start(self) -> Self {
                Self(page_round_down(self.0))
            }
        }

        /// Panics if the sum is 2^64 or more.
        impl Add<u64> for $name {
            type Output = Self;
            fn add(self, bytes: u64) -> Self {
                match self.0.checked_add(bytes) {
                    Some(sum) => Self(sum),
                    None => overflow(self.0, bytes),
                }
            }
        }

        /// The distance in bytes. Panics if `other` is the higher address.
        impl Sub for $name {
            type Output = u64;
            fn sub(self, other: Self) -> u64 {
                match self.0.checked_sub(other.0) {
                    Some(distance) => distance,
                    None => panic!("{self} - {other} is negative"),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}

address! {
    /// A physical address, which the processor puts on the bus.
    PhysAddr
}

address! {
    /// A virtual address, which a program names, before translation.
    VirtAddr
}

/// The physical addresses `[start, end)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PhysRange {
    /// The first address.
    pub start: PhysAddr,
    /// The first address after the range; not below `start`.
    pub end_exclusive: PhysAddr,
}

impl PhysRange {
    /// `[start, end_exclusive)`.
    ///
    /// # Panics
    ///
    /// If the end is below the start.
    #[must_use]
    pub const fn new(start: PhysAddr, end_exclusive: PhysAddr) -> Self {
        assert!(start.as_u64() <= end_exclusive.as_u64(), "a range ends before it starts");
        Self { start, end_exclusive }
    }

    /// The range of `size` bytes from `start`. A range that would wrap ends at 2^64 - 1, so that
    /// numbers can be handed in as firmware gives them.
    #[must_use]
    pub const fn from_size(start: PhysAddr, size: u64) -> Self {
        Self { start, end_exclusive: PhysAddr(start.0.saturating_add(size)) }
    }

    /// All addresses below `end_exclusive`.
    #[must_use]
    pub const fn below(end_exclusive: PhysAddr) -> Self {
        Self { start: PhysAddr(0), end_exclusive }
    }

    /// Bytes in the range.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.end_exclusive.0 - self.start.0
    }

    /// Whether there is no byte in the range.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// Whether `pa` lies in the range.
    #[must_use]
    pub const fn contains(&self, pa: PhysAddr) -> bool {
        self.start.0 <= pa.0 && pa.0 < self.end_exclusive.0
    }

    /// Whether the two have a byte in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.intersection(other).is_empty()
    }

    /// The range of bytes that lie in both; empty if they do not overlap.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let start = self.start.max(other.start);
        Self { start, end_exclusive: self.end_exclusive.min(other.end_exclusive).max(start) }
    }

    /// The largest run of whole pages inside.
    #[must_use]
    pub fn whole_pages(&self) -> Self {
        let end = self.end_exclusive.page_start();
        let start = page_round_up(self.start.0).map_or(end, PhysAddr);
        Self { start: start.min(end), end_exclusive: end }
    }

    /// The smallest run of whole pages that covers this; one that would end at 2^64 loses its
    /// last page. Empty stays empty.
    #[must_use]
    pub fn covering_pages(&self) -> Self {
        if self.is_empty() {
            return *self;
        }
        let last = PhysAddr(u64::MAX).page_start();
        let end = page_round_up(self.end_exclusive.0).map_or(last, PhysAddr);
        Self { start: self.start.page_start().min(end), end_exclusive: end }
    }

    /// The addresses of the pages in a range of whole pages, in order.
    pub fn pages(&self) -> impl Iterator<Item = PhysAddr> + use<> {
        let start = self.start;
        (0..self.size() / PGSIZE).map(move |i| start + i * PGSIZE)
    }
}

impl fmt::Display for PhysRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end_exclusive)
    }
}

#[cfg(test)]
mod tests;
