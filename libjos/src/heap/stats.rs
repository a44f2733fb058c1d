//! [`HeapStats`]: the sizes of a heap and of its parts.
#![forbid(unsafe_code)]

use core::fmt;

use super::classes::{CLASSES, NR_CLASSES};

/// The allocated blocks of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlockStats {
    /// The number of blocks.
    pub blocks: usize,
    /// Their bytes, including rounding.
    pub bytes: usize,
    /// Bytes of memory that the heap holds for blocks of this kind, including free ones.
    pub held: usize,
}

/// The sizes of a heap in bytes, from [`Heap::stats`](super::Heap::stats).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapStats {
    /// Bytes that the program has allocated and not freed.
    pub asked: usize,
    /// Bytes of the same blocks, including rounding.
    pub handed_out: usize,
    /// Bytes that are mapped for the heap.
    pub held: usize,
    /// The most bytes that were ever mapped.
    pub peak: usize,
    /// Small blocks, by size class, the smallest first.
    pub small: [BlockStats; NR_CLASSES],
    /// Blocks in shared segments, other than small ones.
    pub large: BlockStats,
    /// Blocks that have a segment of their own.
    pub huge: BlockStats,
}

impl HeapStats {
    /// The number of allocated blocks.
    #[must_use]
    pub fn blocks(&self) -> usize {
        let small: usize = self.small.iter().map(|class| class.blocks).sum();
        small + self.large.blocks + self.huge.blocks
    }
}

/// Prints lines of at most 80 columns: the sums, then one line for each size in use.
impl fmt::Display for HeapStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, handed_out, held, peak, .. } = self;
        writeln!(f, "heap: {} blocks, {asked} bytes asked for", self.blocks())?;
        writeln!(f, "      {handed_out} handed out, {held} held, {peak} at most")?;
        let mut line = |name: fmt::Arguments<'_>, stats: &BlockStats| {
            if stats.held == 0 {
                return Ok(());
            }
            let BlockStats { blocks, bytes, held } = stats;
            writeln!(f, "{name} {blocks:>10} blocks {bytes:>15} bytes {held:>15} held")
        };
        for (stats, class) in self.small.iter().zip(&CLASSES) {
            line(format_args!("{:>7}", class.size), stats)?;
        }
        line(format_args!("{:>7}", "large"), &self.large)?;
        line(format_args!("{:>7}", "huge"), &self.huge)
    }
}
