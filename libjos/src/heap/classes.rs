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

/// For each multiple of [`GRAIN`], its class.
static CLASS_OF: [u8; MAX_SMALL / GRAIN + 1] = {
    let mut numbers = [0; MAX_SMALL / GRAIN + 1];
    let mut i = 1;
    while i < numbers.len() {
        numbers[i] = class_number(i * GRAIN) as u8;
        i += 1;
    }
    numbers
};

/// The class for a block of `layout`; `None` where it is not small, or has no bytes.
#[inline]
pub(super) fn class_of(layout: Layout) -> Option<usize> {
    let (size, align) = (layout.size(), layout.align());
    if size.wrapping_sub(1) >= MAX_SMALL || align > MAX_SMALL {
        return None;
    }
    // Both are at most a page, so the sums are small.
    let size = if align <= GRAIN { size } else { (size + align - 1) & !(align - 1) };
    Some(usize::from(CLASS_OF[size.div_ceil(GRAIN)]))
}
