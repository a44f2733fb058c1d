//! [`HeapError`]: why the heap refused a request.
#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::fmt;

use super::OutOfPages;

/// Why the heap refused a request. All but [`OutOfMemory`](Self::OutOfMemory) are bugs of the program
/// that uses the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeapError {
    /// There is no room for the block. The heap is as it was.
    OutOfMemory {
        /// Bytes asked for.
        asked: usize,
        /// Bytes that the heap could still grow by.
        left: u64,
    },
    /// The block is free already. Nothing has changed.
    DoubleFree {
        /// The block's address.
        at: usize,
        /// The size that the program gave.
        size: usize,
    },
    /// The block was allocated with another layout. Nothing has changed.
    WrongLayout {
        /// The block's address.
        at: usize,
        /// The block's layout; without poison, that of its size class.
        allocated: Layout,
        /// The layout that the program gave.
        given: Layout,
    },
    /// No block is allocated there: none ever was, or its memory has been given back, or the bytes
    /// that the heap keeps in front of it were overwritten. Nothing has changed.
    Foreign {
        /// The address that the program gave.
        at: usize,
        /// The size that the program gave.
        size: usize,
    },
    /// Bytes in front of the block or behind it were overwritten. The block is still allocated.
    Overrun {
        /// The block's address.
        at: usize,
        /// Its size in bytes.
        size: usize,
        /// The address of the first changed byte.
        changed: usize,
    },
    /// Memory was written after it had been freed. The heap will not use it again.
    UseAfterFree {
        /// The address of the freed memory.
        at: usize,
        /// Its size in bytes.
        size: usize,
        /// The address of the first changed byte.
        changed: usize,
    },
}

impl fmt::Display for HeapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutOfMemory { asked, left } => {
                write!(f, "out of memory: {asked} bytes asked for, {left} left")
            }
            Self::DoubleFree { at, size } => {
                write!(f, "block {at:#x} of {size} bytes is free already")
            }
            Self::WrongLayout { at, allocated, given } => {
                let [allocated, given] =
                    [allocated, given].map(|layout| (layout.size(), layout.align()));
                write!(
                    f,
                    "block {at:#x} was allocated with {} bytes aligned to {}, not {} to {}",
                    allocated.0, allocated.1, given.0, given.1
                )
            }
            Self::Foreign { at, size } => {
                write!(f, "no block of {size} bytes is allocated at {at:#x}")
            }
            Self::Overrun { at, size, changed } => {
                write!(f, "block {at:#x} of {size} bytes was overrun: {changed:#x} was written")
            }
            Self::UseAfterFree { at, size, changed } => {
                write!(f, "{size} bytes at {at:#x} were used after free: {changed:#x} was written")
            }
        }
    }
}

impl core::error::Error for HeapError {}

/// Why one part of the heap has no memory for another part.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There are no pages.
    OutOfPages,
    /// Somebody used the memory while it was free.
    Misused(HeapError),
}

impl From<OutOfPages> for Refusal {
    fn from(OutOfPages: OutOfPages) -> Self {
        Self::OutOfPages
    }
}

impl From<HeapError> for Refusal {
    fn from(error: HeapError) -> Self {
        Self::Misused(error)
    }
}
