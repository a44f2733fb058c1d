//! Size classes: what a small block's size is rounded up to, and how its slabs are cut.
//!
//! Up to 128 bytes a class every 16; from there four a power of two, so that rounding adds a
//! quarter at worst and a twelfth on average. A class's blocks lie at multiples of the largest
//! power of two that divides its size, so that alignment costs no room: a size that is a multiple
//! of an alignment has a class that is.
#![forbid(unsafe_code)]

use core::alloc::Layout;

use layout::PGSIZE;

/// The most that is small, in bytes. An alignment counts like a size.
pub(super) const MAX_SMALL: usize = PGSIZE as usize;

/// What every block's address and size is a multiple of, in bytes.
pub(super) const GRAIN: usize = 16;

/// A slab has room for at least so many blocks, so that what its end loses is less than a
/// sixteenth.
const MIN_BLOCKS: usize = 16;

/// The largest slab, in bytes.
pub(super) const MAX_SLAB: usize = MIN_BLOCKS * MAX_SMALL;

/// How many classes there are.
pub(super) const NR_CLASSES: usize = class_number(MAX_SMALL) + 1;

/// One size class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    /// Bytes of a block.
    pub(super) size: usize,
    /// Bytes of a slab, and its alignment.
    pub(super) slab: usize,
    /// Blocks of a slab.
    pub(super) blocks: usize,
    /// Free blocks that are kept in front of the slabs at most.
    pub(super) stack: usize,
    /// 2^32 / `size`, rounded up: a multiplication in place of a division.
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

    /// Whether a block begins at this offset, which lies in what was cut off a slab.
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

/// The class of blocks of 1 grain, of 2 grains, and so on.
static CLASS_OF: [u8; MAX_SMALL / GRAIN] = {
    let mut numbers = [0; MAX_SMALL / GRAIN];
    let mut i = 0;
    while i < numbers.len() {
        numbers[i] = class_number((i + 1) * GRAIN) as u8;
        i += 1;
    }
    numbers
};

/// The class for a block of `layout`; `None` if it is not small, or has no bytes.
#[inline]
pub(super) fn class_of(layout: Layout) -> Option<usize> {
    // No layout is so large that this overflows. 0 grains wrap to more than there are.
    let round = layout.align().max(GRAIN) - 1;
    let grains = ((layout.size() + round) & !round) / GRAIN;
    CLASS_OF.get(grains.wrapping_sub(1)).map(|class| usize::from(*class))
}
