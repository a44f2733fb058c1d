//! Size classes: the sizes that small blocks are rounded up to, and the slabs they are cut from.
//!
//! Up to 128 bytes there is a class every 16 bytes, and beyond that there are four for each power of
//! two. So rounding adds a quarter at worst, and a twelfth on average. A class's blocks lie at multiples
//! of the largest power of two that divides the class's size. So alignment costs no room: a size that is
//! a multiple of an alignment has a class whose size is one too.
#![forbid(unsafe_code)]

use core::alloc::Layout;

use layout::PGSIZE;

/// The largest size of a small block, and its largest alignment.
pub(super) const MAX_SMALL: usize = PGSIZE as usize;

/// Each block's address and size are multiples of this, in bytes.
pub(super) const GRAIN: usize = 16;

/// The least number of blocks in a slab. So the rest at a slab's end, where no block fits, is less than
/// a sixteenth.
const MIN_BLOCKS: usize = 16;

/// The size of the largest slab, in bytes.
pub(super) const MAX_SLAB: usize = MIN_BLOCKS * MAX_SMALL;

/// The number of classes.
pub(super) const NR_CLASSES: usize = class_number(MAX_SMALL) + 1;

/// One size class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    /// Bytes of a block.
    pub(super) size: usize,
    /// Bytes of a slab, which is also its alignment.
    pub(super) slab: usize,
    /// Blocks of a slab.
    pub(super) blocks: usize,
    /// The most free blocks on the stack in front of the slabs, if the class may not keep all slabs. (Some
    /// more save instructions in the benchmark `heap-stack`, but no time.)
    pub(super) stack: usize,
    /// 2^32 / `size`, rounded up, to divide by multiplying.
    inverse: u64,
}

impl Class {
    const fn new(size: usize) -> Self {
        let least = (MIN_BLOCKS * size).next_power_of_two();
        let slab = if least < PGSIZE as usize { PGSIZE as usize } else { least };
        let stack = match MAX_SLAB / size {
            64.. => 64,
            n => n,
        };
        let inverse = (1_u64 << 32).div_ceil(size as u64);
        Self { size, slab, blocks: slab / size, stack, inverse }
    }

    /// Whether a block begins at `offset` in a slab, where blocks have been cut off.
    #[inline]
    pub(super) const fn is_block(&self, offset: usize) -> bool {
        let block = ((offset as u64 * self.inverse) >> 32) as usize;
        block * self.size == offset
    }
}

/// The number of the smallest class with blocks of `size` bytes, 1 to [`MAX_SMALL`].
const fn class_number(size: usize) -> usize {
    let last = size - 1;
    if last < 128 {
        return last / GRAIN;
    }
    let log2 = last.ilog2() as usize;
    8 + (log2 - 7) * 4 + ((last >> (log2 - 2)) & 3)
}

/// All classes, the smallest first.
pub(super) static CLASSES: [Class; NR_CLASSES] = {
    let mut classes = [Class::new(GRAIN); NR_CLASSES];
    let mut i = 0;
    while i < NR_CLASSES {
        let size = if i < 8 {
            (i + 1) * GRAIN
        } else {
            let (power, step) = (128 << ((i - 8) / 4), (i - 8) % 4 + 1);
            power + step * power / 4
        };
        classes[i] = Class::new(size);
        assert!(class_number(size) == i && classes[i].slab <= MAX_SLAB);
        i += 1;
    }
    classes
};

/// The class of blocks of 1 [`GRAIN`], of 2, and so on.
static CLASS_OF: [u8; MAX_SMALL / GRAIN] = {
    let mut numbers = [0; MAX_SMALL / GRAIN];
    let mut i = 0;
    while i < numbers.len() {
        numbers[i] = class_number((i + 1) * GRAIN) as u8;
        i += 1;
    }
    numbers
};

/// The class for a block of `layout`. `None` if the block is not small, or has no bytes.
#[inline]
pub(super) fn class_of(layout: Layout) -> Option<usize> {
    // No layout is so large that the sum overflows. 0 grains wrap to an index beyond the last.
    let round = layout.align().max(GRAIN) - 1;
    let grains = ((layout.size() + round) & !round) / GRAIN;
    CLASS_OF.get(grains.wrapping_sub(1)).map(|class| usize::from(*class))
}
