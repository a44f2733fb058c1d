//! What is wrong with a small block that is freed, if a first look cannot say that all is well.

use core::alloc::Layout;

use super::classes::{CLASSES, GRAIN, MAX_SLAB, class_of};
use super::segments::{PAGE, SEGMENT, Segments};
use super::slabs::Slabs;
use super::{HeapError, HeapPages};

impl Slabs {
    /// Says what is wrong with freeing a small block at `addr`, if something is: it may just happen
    /// to hold its key. The segment that it lies in is mapped.
    #[cold]
    pub(super) fn suspect<P: HeapPages>(
        &self,
        addr: usize,
        given: Layout,
        segments: &Segments<P>,
    ) -> Result<(), HeapError> {
        let (at, size) = (addr, given.size());
        let foreign = HeapError::Foreign { at, size };
        // The slab that `addr` lies in begins in its page or one of those before.
        let pages = (addr - addr % SEGMENT..=addr).rev().step_by(PAGE).take(MAX_SLAB / PAGE);
        let slab = pages.map(|page| segments.slab(page)).find_map(|at| {
            // SAFETY: as in `free`; the reference ends with this function.
            let slab = unsafe { at.as_ref() };
            let class = usize::from(slab.tag).checked_sub(1)?;
            Some((slab, segments.slab_start(at).addr().get(), class))
        });
        let Some((slab, start, number)) = slab else { return Err(foreign) };
        let class = CLASSES[number];
        let offset = addr - start;
        if offset >= slab.cut() || !class.is_block(offset) {
            return Err(foreign);
        }
        if class_of(given) != Some(number) {
            let allocated = Layout::from_size_align(class.size, GRAIN);
            let allocated = allocated.expect("no class is too large");
            return Err(HeapError::WrongLayout { at, allocated, given });
        }
        for mut list in [self.0[number].stack, slab.free] {
            // A list that somebody wrote to ends there. No list is longer than this.
            for _ in 0..class.stack.max(class.blocks) {
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
