//! Finding out which misuse the freeing of a small block is. Freeing comes here only if a glance at the
//! block does not show that it is in use.

use core::alloc::Layout;

use super::classes::{CLASSES, GRAIN, MAX_SLAB, class_of};
use super::segments::{PAGE, SEGMENT, Segments};
use super::slabs::Slabs;
use super::{HeapError, HeapPages};

impl Slabs {
    /// Checks that a small block with the layout `given` is in use at `addr`, in a mapped segment. It
    /// may be, although it looks free: the program may have written a free block's links to it.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`HeapError::WrongLayout`] and [`HeapError::Foreign`].
    #[cold]
    pub(super) fn check_in_use<P: HeapPages>(
        &self,
        addr: usize,
        given: Layout,
        segments: &Segments<P>,
    ) -> Result<(), HeapError> {
        let (at, size) = (addr, given.size());
        // The slab of `addr` begins in the same page, or in one of those before it.
        let pages = (addr - addr % SEGMENT..=addr).rev().step_by(PAGE).take(MAX_SLAB / PAGE);
        let mut slabs = pages.map(|page| segments.slab(page));
        // SAFETY: entries of a mapped segment's table; no reference outlives its statement.
        let class = slabs.find_map(|at| usize::from(unsafe { at.as_ref() }.tag).checked_sub(1));
        // SAFETY: the segment is mapped, says the caller.
        let class = class.filter(|class| unsafe { Self::is_block(*class, addr, segments) });
        let Some(number) = class else { return Err(HeapError::Foreign { at, size }) };
        let class = CLASSES[number];
        if class_of(given) != Some(number) {
            let allocated = Layout::from_size_align(class.size, GRAIN);
            let allocated = allocated.expect("no class is too large");
            return Err(HeapError::WrongLayout { at, allocated, given });
        }
        // SAFETY: a block of this class begins at `addr`, so its slab is there.
        let in_slab = unsafe { segments.slab(addr & !(class.slab - 1)).as_ref() }.free;
        for mut list in [self.rooms[number].stack, in_slab] {
            // The search ends at a block that somebody wrote to. No list is longer than this.
            for _ in 0..self.rooms[number].depth.max(class.blocks) {
                let Some(block) = list else { break };
                if block.addr().get() == addr {
                    return Err(HeapError::DoubleFree { at, size });
                }
                // SAFETY: blocks on a list are there; the reference ends with this turn.
                let links = unsafe { block.as_ref() };
                list = if links.fits(block.addr().get()) { links.next } else { None };
            }
        }
        Ok(())
    }
}
