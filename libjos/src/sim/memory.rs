//! The RAM of a simulated machine.

use core::cell::OnceCell;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::alloc::{self, Layout};
use std::rc::Rc;
use std::sync::Arc;

use layout::PGSIZE;

use super::mmu::Ram;
use crate::mem::addr::PhysAddr;
use crate::mem::pages::{Fill, POISON, PageArray, PageInfo};
use crate::paging::word::Word;

/// The most bytes that are asked of the host at once. It may refuse more, though it would provide
/// pages only as they are touched.
const BLOCK_SIZE: u64 = layout::GB;

/// Zeroed memory with physical addresses. The host provides it as it is touched: blocks of 1 GB, and
/// each of them page by page.
#[derive(Debug)]
pub struct SimMemory {
    /// The physical address of the first byte.
    base: u64,
    /// The number of bytes.
    size: u64,
    /// Blocks of `BLOCK_SIZE`, the last one shorter; shared with the [`filler`](Self::filler).
    blocks: Rc<[OnceCell<Arc<Block>>]>,
    /// Keeps this memory on the thread of its `PageArray`s.
    _stays: PhantomData<*const Block>,
}

/// Zeroed memory of the host.
#[derive(Debug)]
struct Block {
    /// Allocated with `layout`.
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: whoever drops it has the last share in it, and may deallocate its memory on any thread.
unsafe impl Send for Block {}

// SAFETY: only `SimMemory`, in this file, and the `PageArray`s that share it reach the memory by a
// `&Block`. All of them stay on one thread.
unsafe impl Sync for Block {}

impl Block {
    fn new(size: u64) -> Self {
        let layout = usize::try_from(size)
            .ok()
            .and_then(|size| Layout::from_size_align(size, PGSIZE as usize).ok());
        let Some(layout) = layout.filter(|layout| layout.size() > 0) else {
            panic!("{size:#x} bytes of RAM cannot be simulated")
        };
        // SAFETY: the layout's size is not 0.
        let start = unsafe { alloc::alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { alloc::handle_alloc_error(layout) };
        Self { start, layout }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with this layout, and this is the last that uses it.
        unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Panics if the address is not RAM, or not aligned.
impl Ram for SimMemory {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        assert!(pa.is_aligned(W::BYTES), "unaligned read at {pa}");
        // SAFETY: `at` gives memory of a block, aligned as asserted since the block and RAM begin
        // with a frame, and a word may have any value. This type and the arrays stay on one thread, so
        // no other access happens at the same time; and the owner of an array keeps no reference into it.
        unsafe { self.at(pa, size_of::<W>()).cast().read() }
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        assert!(pa.is_aligned(W::BYTES), "unaligned write at {pa}");
        // SAFETY: as in `load`.
        unsafe { self.at(pa, size_of::<W>()).cast().write(word) }
    }
}

impl SimMemory {
    /// Makes `size` bytes of zeros from `base` on.
    ///
    /// # Panics
    ///
    /// If `base` is not the address of a frame.
    #[must_use]
    pub fn new(base: u64, size: u64) -> Self {
        assert!(base.is_multiple_of(PGSIZE), "RAM begins at {base:#x}, amid a frame");
        let blocks = (0..size.div_ceil(BLOCK_SIZE)).map(|_| OnceCell::new()).collect();
        Self { base, size, blocks, _stays: PhantomData }
    }

    /// The host's address of the `size` bytes at `pa`.
    fn at(&self, pa: PhysAddr, size: usize) -> NonNull<u8> {
        let (block, offset) = self.block(pa, size);
        // SAFETY: all the bytes lie within the block, as `block` asserts.
        unsafe { block.start.add(offset) }
    }

    /// The block that the `size` bytes at `pa` lie in, and their offset in it.
    fn block(&self, pa: PhysAddr, size: usize) -> (&Arc<Block>, usize) {
        let offset = pa.as_u64().wrapping_sub(self.base);
        let end = offset.checked_add(size as u64);
        let (number, offset_in_block) = (offset / BLOCK_SIZE, offset % BLOCK_SIZE);
        assert!(
            end.is_some_and(|end| end <= self.size)
                && offset_in_block + size as u64 <= BLOCK_SIZE
                && pa.is_aligned(4),
            "bus error: {size} bytes at {pa}"
        );
        let block_size = (self.size - number * BLOCK_SIZE).min(BLOCK_SIZE);
        let block = self.blocks[number as usize].get_or_init(|| Arc::new(Block::new(block_size)));
        (block, offset_in_block as usize)
    }

    /// Fills a frame with zeros.
    ///
    /// # Panics
    ///
    /// If `pa` is not the address of a frame of RAM.
    pub fn zero_frame(&self, pa: PhysAddr) {
        assert!(pa.is_aligned(PGSIZE), "{pa} is no frame");
        // SAFETY: `at` gives PGSIZE bytes of the block. Otherwise as in `load`.
        unsafe { self.at(pa, PGSIZE as usize).as_ptr().write_bytes(0, PGSIZE as usize) }
    }

    /// The argument for [`Vm::poison_pages`](crate::paging::vm::Vm::poison_pages). It keeps the memory
    /// alive.
    #[must_use]
    pub fn filler(&self) -> Fill {
        let memory = Self { blocks: Rc::clone(&self.blocks), ..*self };
        Rc::new(move |pa| {
            (0..PGSIZE).step_by(8).for_each(|offset| memory.store(pa + offset, POISON));
        })
    }

    /// The memory at `pa` as `pages`. The array keeps it alive.
    ///
    /// # Safety
    ///
    /// As for [`PhysMem::page_array`](crate::machine::PhysMem::page_array).
    ///
    /// # Panics
    ///
    /// If the array is not all RAM, or does not begin with a frame.
    #[must_use]
    pub unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        assert!(pa.is_aligned(PGSIZE), "{pa} is no place for pages");
        let size = npages * size_of::<PageInfo>();
        let array = NonNull::slice_from_raw_parts(self.at(pa, size).cast(), npages);
        let block = Arc::clone(self.block(pa, size).0);
        // SAFETY: initialised with zeros, aligned to a page, and valid as long as the block. Nobody
        // else has references into it (the caller has promised that, and this file makes none), and
        // all who can access it stay on this thread.
        unsafe { PageArray::of(array, block) }
    }

    /// The host's address of the byte at `pa`. The bytes behind it follow up to the next multiple of
    /// 1 GB in RAM. Valid as long as this memory lives.
    ///
    /// # Panics
    ///
    /// If `pa` is not RAM.
    #[must_use]
    pub fn host_address(&self, pa: PhysAddr) -> NonNull<u8> {
        self.at(pa, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise an aligned word of RAM would not be aligned on the host.
    #[test]
    #[should_panic(expected = "RAM begins at 0x1, amid a frame")]
    fn ram_begins_with_a_frame() {
        let _ = SimMemory::new(1, 2 * PGSIZE);
    }
}
