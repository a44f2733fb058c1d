//! [`HeapError`]: why the heap did not do what it was asked.
#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::fmt;

use super::OutOfPages;

/// Why the heap did not do what it was asked. All but [`OutOfMemory`](Self::OutOfMemory) are bugs
/// of the program that uses the heap; addresses are those that the program knows.
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
        /// Bytes that it is said to have.
        size: usize,
    },
    /// The block was allocated with another layout. Nothing has changed.
    WrongLayout {
        /// The block's address.
        at: usize,
        /// What it was allocated with; without poison, what its size class holds.
        allocated: Layout,
        /// What was given.
        given: Layout,
    },
    /// No block begins there: none ever did, or it is free and its memory given back, or what the
    /// heap keeps in front of it was overwritten. Nothing has changed.
    Foreign {
        /// The address.
        at: usize,
        /// Bytes that are said to be there.
        size: usize,
    },
    /// Bytes behind the block's end, or in front of it, were written. It is still allocated.
    Overrun {
        /// The block's address.
        at: usize,
        /// Its bytes.
        size: usize,
        /// The first byte that is not as it was.
        changed: usize,
    },
    /// Memory was written after it had been freed. The heap does not use it any more.
    UseAfterFree {
        /// The address of the freed memory.
        at: usize,
        /// Its bytes.
        size: usize,
        /// The first byte that is not as it was.
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

/// Why a part of the heap has no memory to give to another part.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is none.
    OutOfPages,
    /// There is, but somebody uses it.
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
