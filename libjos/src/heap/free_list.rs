//! Lists of free blocks, linked through themselves.
//!
//! A free block holds a key made of its address and its link. It must be right when the block is
//! taken off its list, or somebody used the block. If it is right when a block is freed, that may be
//! free already: `suspect` then searches for it.

use core::ptr::NonNull;

/// What lies in a free block. With poison, all else of it is the pattern.
#[repr(C)]
pub(super) struct FreeBlock {
    /// The next one on its list.
    pub(super) next: Link,
    key: usize,
}

/// A list of free blocks, or the rest of one.
pub(super) type Link = Option<NonNull<FreeBlock>>;

/// Bytes at a free block's start that are the heap's.
pub(super) const FREE_BLOCK: usize = size_of::<FreeBlock>();

impl FreeBlock {
    /// For the free block at `addr`.
    #[inline]
    fn new(addr: usize, next: Link) -> Self {
        let next_addr = next.map_or(0, |next| next.addr().get());
        Self { next, key: addr ^ next_addr ^ 0x9E37_79B9_7F4A_7C15_u64 as usize }
    }

    /// Whether this may be what is in the free block at `addr`.
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

/// Takes the first block, which there is, off a list; if somebody used it, it is the error.
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
