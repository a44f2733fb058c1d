//! The textbook's schemes of recording free frames, behind one trait, for comparison.
//!
//! | module | scheme |
//! |---|---|
//! | [`bitmap`] | a bit for each frame, first fit |
//! | [`lists`] | a list of holes in the order of their addresses: first fit, best fit |
//! | [`quick`] | quick fit: lists of the frequent small sizes, before first fit |
//! | [`buddy`] | blocks of 2^n frames, split and joined |
//! | [`page_list`] | this kernel's own: `page_free_list`, from which runs are taken |
//!
//! The kernel uses only the last one. All work on frames by number, from 0 on, and keep their records
//! in memory that the caller gives, so that each states its needs. See Knuth, *The Art of
//! Computer Programming*, vol. 1, 2.5 "Dynamic Storage Allocation"; quick fit is from Weinstock
//! and Wulf, "QuickFit: An Efficient Algorithm for Heap Storage Allocation", 1988.
//!
//! ```
//! use schemes::{FrameScheme, buddy::Buddy};
//!
//! let mut books = [Default::default(); 16];
//! let mut buddy = Buddy::new(&mut books);
//! let first = buddy.alloc(3).expect("16 frames are free");
//! let report = buddy.report();
//! assert_eq!((report.free, report.internal_waste), (12, 1));
//! assert!(buddy.free(first, 2).is_err());
//! assert_eq!(buddy.free(first, 3), Ok(()));
//! assert_eq!(buddy.report().largest, 16);
//! ```

use core::fmt;

pub mod bitmap;
pub mod buddy;
pub mod lists;
pub mod page_list;
pub mod quick;

/// A scheme of allocating runs of adjacent frames.
pub trait FrameScheme {
    /// The scheme's name, in one to three words.
    fn name(&self) -> &'static str;

    /// Allocates `count` adjacent frames, and returns the first. `None` if the scheme finds no such run,
    /// and if `count` is 0.
    fn alloc(&mut self, count: usize) -> Option<usize>;

    /// Frees the `count` frames from `first` on.
    ///
    /// # Errors
    ///
    /// [`WrongFree`] if not all of these are in use; for a scheme that
    /// [keeps lengths](Self::keeps_lengths) also if `alloc` did not give out exactly these. An error
    /// changes nothing.
    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree>;

    /// Whether the scheme records the number of frames in each allocation. A scheme that does not also
    /// accepts parts of an allocation.
    fn keeps_lengths(&self) -> bool;

    /// The scheme's current state.
    fn report(&self) -> Report;
}

/// The error of freeing frames that were not given out so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongFree {
    /// The first frame.
    pub first: usize,
    /// The number of frames.
    pub count: usize,
}

impl fmt::Display for WrongFree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames from number {} on were not given out so", self.count, self.first)
    }
}

impl core::error::Error for WrongFree {}

/// The state of a scheme: how well it uses its frames, and the cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// Frames that it manages.
    pub frames: usize,
    /// Free frames.
    pub free: usize,
    /// The most frames that one request can have now.
    pub largest: usize,
    /// Frames given out in excess of the requests.
    pub internal_waste: usize,
    /// Bytes of its records.
    pub metadata_bytes: usize,
    /// Records read so far in searches for frames to allocate and for places to free to.
    pub search_steps: u64,
}

impl Report {
    /// External fragmentation: the part of the free frames that the largest request cannot have, from
    /// 0 (all are adjacent) to nearly 1.
    #[must_use]
    pub fn external_fragmentation(&self) -> f64 {
        if self.free == 0 { 0.0 } else { 1.0 - self.largest as f64 / self.free as f64 }
    }
}
