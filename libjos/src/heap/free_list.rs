//! Lists of free blocks, linked through the blocks themselves.
//!
//! A free block holds a key made of its address and its link. If the key is wrong when the block is
//! taken off its list, somebody used the block. If a key is right when a block is freed, the block may
//! be free already: `misuse` then searches the lists for it.

use core::ptr::NonNull;

/// The first bytes of a free block. With poison, its other bytes are the pattern.
#[repr(C)]
pub(super) struct FreeBlock {
    /// The next block on the list.
    pub(super) next: Link,
    key: usize,
}

/// The first block of a list of free blocks, or of the rest of one.
pub(super) type Link = Option<NonNull<FreeBlock>>;

/// Bytes at a free block's start that are the heap's.
pub(super) const FREE_BLOCK: usize = size_of::<FreeBlock>();

impl FreeBlock {
    /// The links of the free block at `addr`.
    #[inline]
    fn new(addr: usize, next: Link) -> Self {
        let next_addr = next.map_or(0, |next| next.addr().get());
        Self { next, key: addr ^ next_addr ^ 0x9E37_79B9_7F4A_7C15_u64 as usize }
    }

    /// Whether these may be the links of a free block at `addr`.
    #[inline]
    pub(super) fn fits(&self, addr: usize) -> bool {
        self.key == Self::new(addr, self.next).key
    }
}

/// Puts a block on a list.
///
/// # Safety
///
/// The block is free, and nobody uses it.
#[inline]
pub(super) unsafe fn push(list: &mut Link, block: NonNull<FreeBlock>) {
    // SAFETY: a free block has room for its links, and is aligned; the caller's promise.
    unsafe { block.write(FreeBlock::new(block.addr().get(), *list)) };
    *list = Some(block);
}

/// Takes `block`, the first one, off a list. If somebody used it, its address is the error.
///
/// # Safety
///
/// The blocks of the list are there.
#[inline]
pub(super) unsafe fn pop(list: &mut Link, mut block: NonNull<FreeBlock>) -> Result<(), usize> {
    // SAFETY: it is there, the caller says; while it is free nobody refers to it.
    let links = unsafe { block.as_mut() };
    if !links.fits(block.addr().get()) {
        return Err(block.addr().get());
    }
    links.key = 0;
    *list = links.next;
    Ok(())
}

/// Moves the first blocks of `from`, up to `most`, to the start of `to`, as long as they
/// `belong` there. Returns how many. If somebody used one of them, nothing moves, and its address is
/// the error.
///
/// They stay linked to one another, and only the last one is written to. (Moving each by itself took
/// a tenth of the time of the benchmark `heap-stack`.)
///
/// # Safety
///
/// The blocks of both lists are there.
#[inline]
pub(super) unsafe fn move_run(
    from: &mut Link,
    to: &mut Link,
    most: usize,
    belong: impl Fn(NonNull<FreeBlock>) -> bool,
) -> Result<usize, usize> {
    let (mut next, mut last, mut moved) = (*from, None, 0);
    while let Some(block) = next
        && moved < most
        && belong(block)
    {
        // SAFETY: it is there, the caller says; while it is free nobody refers to it.
        let links = unsafe { block.as_ref() };
        if !links.fits(block.addr().get()) {
            return Err(block.addr().get());
        }
        (last, next) = (Some(block), links.next);
        moved += 1;
    }
    if let Some(last) = last {
        // SAFETY: as above; no reference is left.
        unsafe { last.write(FreeBlock::new(last.addr().get(), *to)) };
        *to = *from;
        *from = next;
    }
    Ok(moved)
}
