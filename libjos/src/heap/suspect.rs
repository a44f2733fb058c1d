//! Freeing a small block where a glance does not say that all is well, and what is wrong if it is not.

use core::alloc::Layout;

use super::classes::{CLASSES, GRAIN, MAX_SLAB, class_of};
use super::free_list::{FreeBlock, push};
use super::segments::{PAGE, SEGMENT, Segments};
use super::slabs::Slabs;
use super::{HeapError, HeapPages};

impl Slabs {
    /// Frees the block of `class` at `addr`, and then some of the stack's blocks if that is full.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`HeapError::WrongLayout`] and [`HeapError::Foreign`] as far as
    /// they can be found, for a block that was said to have `layout`; nothing has changed then.
    /// [`HeapError::UseAfterFree`], of another block.
    ///
    /// # Safety
    ///
    /// As for [`free`](Self::free).
    pub(super) unsafe fn free_slowly<P: HeapPages>(
        &mut self,
        class: usize,
        addr: usize,
        layout: Layout,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let block = segments.at(addr).cast::<FreeBlock>();
        // SAFETY: a block that begins there has room for links, and is the heap's now.
        let room = unsafe {
            if !Self::is_block(class, addr, segments) || block.read().fits(addr) {
                self.suspect(addr, layout, segments)?;
            }
            let room = &mut self.rooms[class];
            push(&mut room.stack, block);
            room
        };
        room.depth += 1;
        if room.depth > room.limit {
            let half = room.depth / 2;
            self.drain(class, half, segments)?;
        }
        Ok(())
    }

    /// Says what is wrong with freeing a small block at `addr`, if something is: it may just happen
    /// to hold its key. The segment that it lies in is mapped.
    fn suspect<P: HeapPages>(
        &self,
        addr: usize,
        given: Layout,
        segments: &Segments<P>,
    ) -> Result<(), HeapError> {
        let (at, size) = (addr, given.size());
        // The slab that `addr` lies in begins in its page or one of those before.
        let pages = (addr - addr % SEGMENT..=addr).rev().step_by(PAGE).take(MAX_SLAB / PAGE);
        let mut slabs = pages.map(|page| segments.slab(page));
        // SAFETY: as in `is_block`; no reference outlives its statement.
        let class = slabs.find_map(|at| usize::from(unsafe { at.as_ref() }.tag).checked_sub(1));
        // SAFETY: the caller's promise.
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
