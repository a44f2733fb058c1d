//! The textbook's schemes of keeping books on free frames, over one trait, to be compared.
//!
//! | module | scheme |
//! |---|---|
//! | [`bitmap`] | a bit for each frame, first fit |
//! | [`lists`] | a list of holes in the order of their addresses: first fit, best fit |
//! | [`quick`] | quick fit: lists of the small sizes that come up often, before first fit |
//! | [`buddy`] | blocks of 2^n frames, split and joined |
//! | [`page_list`] | this kernel's own: `page_free_list`, from which runs are taken |
//!
//! The kernel uses the last one alone. All work on frames by number, from 0 on, and keep their
//! books in memory that the caller gives, so each says what it needs. See Knuth, *The Art of
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

/// A scheme of giving out frames that lie side by side.
pub trait FrameScheme {
    /// What it is called, in a word or three.
    fn name(&self) -> &'static str;

    /// Takes `count` free frames that lie side by side, and returns the first. `None` where the
    /// scheme finds no place, and where `count` is 0.
    fn alloc(&mut self, count: usize) -> Option<usize>;

    /// Gives back the `count` frames from `first` on.
    ///
    /// # Errors
    ///
    /// [`WrongFree`] where not all of these are in use, and for a scheme that
    /// [keeps lengths](Self::keeps_lengths) also where `alloc` did not give out just these.
    /// Nothing has changed then.
    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree>;

    /// Whether it knows how many frames it gave out together. One that does not takes them back
    /// in parts.
    fn keeps_lengths(&self) -> bool;

    /// How it stands.
    fn report(&self) -> Report;
}

/// What was to be freed was not given out so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongFree {
    /// The first frame.
    pub first: usize,
    /// How many frames.
    pub count: usize,
}

impl fmt::Display for WrongFree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames from number {} on were not given out so", self.count, self.first)
    }
}

impl core::error::Error for WrongFree {}

/// How a scheme stands: how well it uses its frames, and what that took.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// Frames that it manages.
    pub frames: usize,
    /// Those that are free.
    pub free: usize,
    /// The most frames that one request can have now.
    pub largest: usize,
    /// Frames given out beyond those that were asked for.
    pub internal_waste: usize,
    /// Bytes of memory that its books take.
    pub metadata_bytes: usize,
    /// Entries of its books that it has looked at to find a place, to take from or to put back
    /// to, since the beginning.
    pub search_steps: u64,
}

impl Report {
    /// External fragmentation: what part of the free frames the largest request cannot have, from
    /// 0 (all lie together) to nearly 1.
    #[must_use]
    pub fn external_fragmentation(&self) -> f64 {
        if self.free == 0 { 0.0 } else { 1.0 - self.largest as f64 / self.free as f64 }
    }
}
