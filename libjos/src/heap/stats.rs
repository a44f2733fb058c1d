//! [`HeapStats`]: what the heap holds, in numbers.
#![forbid(unsafe_code)]

use core::fmt;

use super::classes::{CLASSES, NR_CLASSES};

/// Blocks of one kind that are allocated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlockStats {
    /// Blocks.
    pub blocks: usize,
    /// Their bytes, rounding included.
    pub bytes: usize,
    /// Bytes of memory that are kept for them, those of free blocks included.
    pub held: usize,
}

/// What the heap holds; made by [`Heap::stats`](super::Heap::stats). All sizes are in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapStats {
    /// Asked for by the program, and not freed yet.
    pub asked: usize,
    /// Handed out for that: what was asked for, and what rounding adds.
    pub handed_out: usize,
    /// Memory that is mapped for the heap.
    pub held: usize,
    /// The most that was ever mapped.
    pub peak: usize,
    /// Small blocks, by size class, the smallest first.
    pub small: [BlockStats; NR_CLASSES],
    /// Blocks in shared segments that are not small.
    pub large: BlockStats,
    /// Blocks that have a segment each.
    pub huge: BlockStats,
}

impl HeapStats {
    /// Blocks that are allocated.
    #[must_use]
    pub fn blocks(&self) -> usize {
        let small: usize = self.small.iter().map(|class| class.blocks).sum();
        small + self.large.blocks + self.huge.blocks
    }
}

/// A few lines of at most 80 columns: the sums, then a line for each size in use.
impl fmt::Display for HeapStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, handed_out, held, peak, .. } = self;
        writeln!(f, "heap: {} blocks, {asked} bytes asked for", self.blocks())?;
        writeln!(f, "      {handed_out} handed out, {held} held, {peak} at most")?;
        let small = self.small.iter().zip(CLASSES).map(|(stats, class)| (Some(class.size), stats));
        let mut line = |name: fmt::Arguments<'_>, stats: &BlockStats| {
            if stats.held == 0 {
                return Ok(());
            }
            let BlockStats { blocks, bytes, held } = stats;
            writeln!(f, "{name} {blocks:>10} blocks {bytes:>15} bytes {held:>15} held")
        };
        for (size, stats) in small {
            line(format_args!("{:>7}", size.unwrap_or_default()), stats)?;
        }
        line(format_args!("{:>7}", "large"), &self.large)?;
        line(format_args!("{:>7}", "huge"), &self.huge)
    }
}
