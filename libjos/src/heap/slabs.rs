//! Slabs: small blocks of one size class, cut from pieces of shared segments.
//!
//! A slab is aligned to its size, so a block's address and class lead to its start, and this to
//! its [`Slab`] in the segment's table. Free blocks are linked through themselves; those that were
//! never in use are cut off as need arises. Slabs that have room are on their class's list. At
//! most one of a class's slabs is empty.
//!
//! In front of its slabs each class has a stack of free blocks, so that blocks come and go without
//! a look at where they are from; it is filled from the slabs and emptied into them by halves. To
//! its slab, a block on the stack is in use.
//!
//! So much use after free and every double free of a small block is found for the price of two
//! comparisons, as long as the slab is there (`free_list`, `suspect`).

use core::alloc::Layout;
use core::ptr::NonNull;

use super::classes::{CLASSES, Class, GRAIN, NR_CLASSES};
use super::error::Refusal;
use super::free_list::{FreeBlock, pop, push};
use super::room::{Room, Slab, link, unlink};
use super::segments::Segments;
use super::{BlockStats, HeapError, HeapPages, poison};

/// All slabs.
pub(super) struct Slabs(pub(super) [Room; NR_CLASSES]);

impl Slabs {
    pub(super) const fn new() -> Self {
        let room = Room { stack: None, depth: 0, first: None, empty: None, used: 0, slabs: 0 };
        Self([room; NR_CLASSES])
    }

    /// A block of `class` from its stack; `None` where [`fill`](Self::fill) must be asked.
    #[inline]
    pub(super) fn alloc(&mut self, class: usize) -> Option<NonNull<u8>> {
        let room = &mut self.0[class];
        let block = room.stack?;
        // SAFETY: blocks on the stack are there.
        unsafe { pop(&mut room.stack, block) }.ok()?;
        room.depth -= 1;
        Some(block.cast())
    }

    /// Fills the stack of `class`, from which nothing could be taken, by up to a half.
    ///
    /// # Errors
    ///
    /// That there are no pages, or that somebody used a free block. All on its list are forgotten.
    #[cold]
    pub(super) fn fill<P: HeapPages>(
        &mut self,
        class: usize,
        segments: &mut Segments<P>,
    ) -> Result<(), Refusal> {
        let Class { size, blocks, .. } = CLASSES[class];
        let used_after_free = |at| HeapError::UseAfterFree { at, size, changed: at };
        let room = &mut self.0[class];
        if let Some(used) = room.stack.take() {
            room.depth = 0;
            return Err(used_after_free(used.addr().get()).into());
        }
        let mut at = match room.first {
            Some(at) => at,
            None => self.add(class, segments)?,
        };
        let start = segments.slab_start(at);
        let room = &mut self.0[class];
        // SAFETY: slabs on the list are there, and this is the only reference to it.
        let slab = unsafe { at.as_mut() };
        let wanted = room.max_depth(&CLASSES[class]).div_ceil(2);
        let count = wanted.min(blocks - usize::from(slab.used));
        if room.empty == Some(at) {
            room.empty = None;
        }
        for _ in 0..count {
            let block = if let Some(block) = slab.free {
                // SAFETY: blocks of a slab that is on the list are there.
                if let Err(used) = unsafe { pop(&mut slab.free, block) } {
                    // What is left counts as in use for ever.
                    room.used += blocks - usize::from(slab.used);
                    (slab.free, slab.used) = (None, blocks as u16);
                    unlink(room, at);
                    return Err(used_after_free(used).into());
                }
                block
            } else {
                let fresh = slab.cut();
                slab.fresh += (size / GRAIN) as u16;
                // SAFETY: not all blocks are in use and none is free, so one was never used, and
                // lies within the slab.
                unsafe { start.add(fresh) }.cast()
            };
            // SAFETY: it is free, and on no list now.
            unsafe { push(&mut room.stack, block) };
            room.depth += 1;
            room.used += 1;
            slab.used += 1;
        }
        if usize::from(slab.used) == blocks {
            unlink(room, at);
        }
        Ok(())
    }

    /// Makes a slab for `class`.
    fn add<P: HeapPages>(
        &mut self,
        class: usize,
        segments: &mut Segments<P>,
    ) -> Result<NonNull<Slab>, Refusal> {
        let bytes = CLASSES[class].slab;
        let layout = Layout::from_size_align(bytes, bytes).expect("slabs are powers of two");
        let start = segments.alloc_shared(layout)?.addr().get();
        let at = segments.slab(start);
        // SAFETY: the start of the slab leads to its place in the segment's table, where no other
        // slab is, and to which nothing refers.
        unsafe { at.write(Slab { tag: class as u16 + 1, ..Slab::NONE }) };
        let room = &mut self.0[class];
        room.slabs += 1;
        room.empty = Some(at);
        link(room, at);
        Ok(at)
    }

    /// Frees the block of `class` at `addr`.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`HeapError::WrongLayout`] and [`HeapError::Foreign`] as far as
    /// they can be found, for a block that was said to have `layout`; nothing has changed then.
    /// [`HeapError::UseAfterFree`], of another block.
    ///
    /// # Safety
    ///
    /// The address lies in a segment, and nobody uses the block.
    #[inline]
    pub(super) unsafe fn free<P: HeapPages>(
        &mut self,
        class: usize,
        addr: usize,
        layout: Layout,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let start = addr & !(CLASSES[class].slab - 1);
        // SAFETY: the table of the segment that `addr` lies in: there are slabs or zeros in it.
        // The reference ends with this statement.
        let (tag, cut) = unsafe {
            let slab = segments.slab(start).as_ref();
            (usize::from(slab.tag), slab.cut())
        };
        let offset = addr - start;
        let known = tag == class + 1 && offset < cut && CLASSES[class].is_block(offset);
        let block = segments.at(addr).cast::<FreeBlock>();
        // SAFETY: a block of this slab, which has room for links. Nobody else uses it.
        if !known || unsafe { block.read() }.fits(addr) {
            self.suspect(addr, layout, segments)?;
        }
        let room = &mut self.0[class];
        // SAFETY: as above, and the caller gives the block to the heap.
        unsafe { push(&mut room.stack, block) };
        room.depth += 1;
        if room.depth > room.max_depth(&CLASSES[class]) {
            let depth = room.depth / 2;
            self.drain(class, depth, segments)?;
        }
        Ok(())
    }

    /// Gives blocks on the stack of `class` back to their slabs, until `depth` are left.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`]; all on the stack are forgotten then.
    #[cold]
    #[inline(never)]
    fn drain<P: HeapPages>(
        &mut self,
        class: usize,
        depth: usize,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let Class { size, blocks, slab: bytes, .. } = CLASSES[class];
        while self.0[class].depth > depth {
            let room = &mut self.0[class];
            let Some(block) = room.stack else { break };
            // SAFETY: blocks on the stack are there.
            if let Err(at) = unsafe { pop(&mut room.stack, block) } {
                (room.stack, room.depth) = (None, 0);
                return Err(HeapError::UseAfterFree { at, size, changed: at });
            }
            room.depth -= 1;
            room.used -= 1;
            let mut at = segments.slab(block.addr().get() & !(bytes - 1));
            // SAFETY: its slab, to which nothing else refers; and the block is free.
            let used = unsafe {
                let slab = at.as_mut();
                push(&mut slab.free, block);
                slab.used -= 1;
                usize::from(slab.used)
            };
            if used + 1 == blocks {
                link(room, at);
            }
            if used == 0 {
                if room.empty.is_some() {
                    self.remove(class, at, segments)?;
                } else {
                    room.empty = Some(at);
                }
            }
        }
        Ok(())
    }

    /// Gives back all empty slabs.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`].
    pub(super) fn trim<P: HeapPages>(
        &mut self,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        for class in 0..NR_CLASSES {
            self.drain(class, 0, segments)?;
            if let Some(empty) = self.0[class].empty.take() {
                self.remove(class, empty, segments)?;
            }
        }
        Ok(())
    }

    /// What is in use, by class.
    pub(super) fn stats(&self) -> [BlockStats; NR_CLASSES] {
        core::array::from_fn(|i| {
            let (Room { used, depth, slabs, .. }, class) = (self.0[i], CLASSES[i]);
            let blocks = used - depth;
            BlockStats { blocks, bytes: blocks * class.size, held: slabs * class.slab }
        })
    }

    /// Gives back a slab that is empty, or, if freed memory in it was used, forgets it.
    #[cold]
    fn remove<P: HeapPages>(
        &mut self,
        class: usize,
        at: NonNull<Slab>,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let room = &mut self.0[class];
        unlink(room, at);
        room.slabs -= 1;
        let Class { size, slab: bytes, .. } = CLASSES[class];
        // SAFETY: it is in a segment's table, and nothing refers to it. No slab is there now.
        let slab = unsafe { at.replace(Slab::NONE) };
        let start = segments.slab_start(at);
        if segments.poison {
            for offset in (0..slab.cut()).step_by(size) {
                // SAFETY: no block is in use, so all of the slab is the heap's.
                unsafe { poison::check_free(start.add(offset), size, size)? };
            }
        }
        // SAFETY: it came from there, with this size; no block of it is in use, and its class's
        // list does not lead to it any more.
        unsafe { segments.free_shared(start.addr().get(), bytes) };
        Ok(())
    }
}
