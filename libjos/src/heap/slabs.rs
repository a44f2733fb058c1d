//! Slabs: small blocks of one size class, cut from pieces of shared segments.
//!
//! A slab is aligned to its size. So a block's address and class lead to the slab's start, and the
//! start to its [`Slab`] in the segment's table. Free blocks of a slab are on its free list. Blocks
//! that were never in use are cut off as they are needed. A class has a list of its slabs with room.
//!
//! In front of its slabs each class has a stack of free blocks, so that most blocks come and go without
//! a change to their slab. An empty stack takes all free blocks of one slab. A full stack gives half of
//! its blocks back to their slabs. A slab counts its blocks on the stack as in use.
//!
//! Each class keeps one empty slab. It keeps more only if giving slabs back was a mistake: as many
//! bytes as were given back and needed again later, but at most an eighth of the memory that was left
//! then. So a program that takes and frees the same memory again and again soon makes no more slabs,
//! and a single peak leaves little behind. (Making slabs anew takes a third of the time of the benchmark
//! `heap-stack`.) If a class may keep all of its slabs, its blocks need not go back to them, and its
//! stack is never full. (This saves another third of the time.)
//!
//! Two comparisons find each use after free that changes a block's links, and each double free of a
//! small block, as long as its slab is there (`free_list`, `misuse`).

use core::alloc::Layout;
use core::ptr::NonNull;

use super::classes::{CLASSES, Class, GRAIN, NR_CLASSES};
use super::error::Refusal;
use super::free_list::{FreeBlock, move_run, pop, push};
use super::room::{Room, Slab, link, unlink};
use super::segments::Segments;
use super::{BlockStats, HeapError, HeapPages, poison};

/// All slabs.
pub(super) struct Slabs {
    pub(super) rooms: [Room; NR_CLASSES],
    /// Bytes of slabs that were given back, less the bytes of slabs made since.
    given_back: usize,
    /// Bytes of empty slabs that may be kept beyond one for each class.
    may_keep: usize,
}

impl Slabs {
    pub(super) const fn new() -> Self {
        Self { rooms: [Room::NONE; NR_CLASSES], given_back: 0, may_keep: 0 }
    }

    /// Takes a block of `class` from its stack. `None` if [`fill`](Self::fill) must come first.
    #[inline]
    pub(super) fn alloc(&mut self, class: usize) -> Option<NonNull<u8>> {
        let room = &mut self.rooms[class];
        let block = room.stack?;
        // SAFETY: blocks on the stack are there.
        unsafe { pop(&mut room.stack, block) }.ok()?;
        room.depth -= 1;
        Some(block.cast())
    }

    /// Fills the stack of `class`, which [`alloc`](Self::alloc) could take no block from: with all free
    /// blocks of a slab, or with some that were never in use.
    ///
    /// # Errors
    ///
    /// There are no pages; or somebody used the first block on the stack, and all blocks on the stack
    /// are forgotten.
    #[cold]
    pub(super) fn fill<P: HeapPages>(
        &mut self,
        class: usize,
        segments: &mut Segments<P>,
    ) -> Result<(), Refusal> {
        let Class { size, blocks, .. } = CLASSES[class];
        if let Some(used) = self.rooms[class].stack {
            return Err(self.forget_stack(class, used.addr().get()).into());
        }
        let mut at = match self.rooms[class].first {
            Some(at) => at,
            None => self.add(class, segments)?,
        };
        let start = segments.slab_start(at);
        let room = &mut self.rooms[class];
        // SAFETY: slabs on the list are there, and this is the only reference to it.
        let slab = unsafe { at.as_mut() };
        room.empty -= usize::from(slab.used == 0);
        let cut = slab.cut();
        room.stack = slab.free.take();
        room.depth = cut / size - usize::from(slab.used);
        if room.stack.is_none() {
            let wanted = room.limit.min(CLASSES[class].stack).div_ceil(2);
            room.depth = wanted.clamp(1, blocks - cut / size);
            slab.fresh += (room.depth * size / GRAIN) as u16;
            // The block with the lowest address is taken first.
            for offset in (cut..slab.cut()).step_by(size).rev() {
                // SAFETY: within the slab, and never in use.
                unsafe { push(&mut room.stack, start.add(offset).cast()) };
            }
        }
        slab.used += room.depth as u16;
        if usize::from(slab.used) == blocks {
            unlink(room, at);
        }
        room.set_used(&CLASSES[class], room.used + room.depth);
        Ok(())
    }

    /// Forgets the blocks on the stack, because somebody used the one at `at`. They count as in use
    /// forever.
    fn forget_stack(&mut self, class: usize, at: usize) -> HeapError {
        let room = &mut self.rooms[class];
        (room.stack, room.depth) = (None, 0);
        HeapError::UseAfterFree { at, size: CLASSES[class].size, changed: at }
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
        // SAFETY: the start of the slab leads to its entry in the segment's table, which no other
        // slab has, and to which nothing refers.
        unsafe { at.write(Slab { tag: class as u16 + 1, ..Slab::NONE }) };
        if self.given_back >= bytes {
            self.given_back -= bytes;
            self.may_keep = (self.may_keep + bytes).min(segments.left() as usize / 8);
        }
        let room = &mut self.rooms[class];
        room.slabs += 1;
        room.empty += 1;
        room.keeps_all = false;
        link(room, at);
        Ok(at)
    }

    /// Whether a block of `class`, free or not, begins at `addr`.
    ///
    /// # Safety
    ///
    /// The address lies in a shared segment.
    #[inline]
    pub(super) unsafe fn is_block<P: HeapPages>(
        class: usize,
        addr: usize,
        segments: &Segments<P>,
    ) -> bool {
        let start = addr & !(CLASSES[class].slab - 1);
        // SAFETY: an entry in the table of the segment that `addr` lies in: a slab or zeros.
        let slab = unsafe { segments.slab(start).as_ref() };
        let offset = addr - start;
        usize::from(slab.tag) == class + 1 && offset < slab.cut() && CLASSES[class].is_block(offset)
    }

    /// Whether a glance shows that a block of `class` is in use at `addr`.
    ///
    /// # Safety
    ///
    /// The address lies in a shared segment, and nobody writes to the block.
    #[inline]
    unsafe fn is_in_use<P: HeapPages>(class: usize, addr: usize, segments: &Segments<P>) -> bool {
        // SAFETY: the caller's promise; a block that begins there has room for links.
        unsafe {
            Self::is_block(class, addr, segments)
                && !segments.at(addr).cast::<FreeBlock>().read().fits(addr)
        }
    }

    /// Frees the block of `class` at `addr` onto the stack, if the stack has room and a glance shows
    /// that the block is in use. If not, nothing has changed: see [`free_slowly`](Self::free_slowly).
    ///
    /// # Safety
    ///
    /// The address lies in a shared segment, and nobody uses the block.
    #[inline]
    pub(super) unsafe fn free<P: HeapPages>(
        &mut self,
        class: usize,
        addr: usize,
        segments: &Segments<P>,
    ) -> bool {
        let room = &mut self.rooms[class];
        // SAFETY: the caller's promise; a block in use is the heap's now.
        unsafe {
            if !Self::is_in_use(class, addr, segments) || room.depth >= room.limit {
                return false;
            }
            push(&mut room.stack, segments.at(addr).cast());
        }
        room.depth += 1;
        true
    }

    /// Frees the block of `class` at `addr`. If the stack is full then, gives half of its blocks back to
    /// their slabs, unless the class may keep all slabs.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`HeapError::WrongLayout`] and [`HeapError::Foreign`] as far as
    /// they can be found, for a block that was said to have `layout`; nothing has changed then.
    /// [`HeapError::UseAfterFree`] of another block.
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
        // SAFETY: the caller's promise; a block in use is the heap's now.
        unsafe {
            if !Self::is_in_use(class, addr, segments) {
                self.check_in_use(addr, layout, segments)?;
            }
            push(&mut self.rooms[class].stack, segments.at(addr).cast());
        }
        let room = &mut self.rooms[class];
        room.depth += 1;
        let depth = room.depth;
        if depth > room.limit {
            room.keeps_all = true;
            if self.kept() > self.may_keep {
                self.rooms[class].keeps_all = false;
                return self.drain(class, depth / 2, segments);
            }
            self.rooms[class].limit = usize::MAX;
        }
        Ok(())
    }

    /// Gives blocks on the stack of `class` back to their slabs, until `depth` are left.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`]; all blocks on the stack are forgotten then.
    fn drain<P: HeapPages>(
        &mut self,
        class: usize,
        depth: usize,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let Class { blocks, slab: bytes, .. } = CLASSES[class];
        while self.rooms[class].depth > depth {
            let room = &mut self.rooms[class];
            let Some(first) = room.stack else { break };
            let start = first.addr().get() & !(bytes - 1);
            let in_slab = |block: NonNull<FreeBlock>| block.addr().get() & !(bytes - 1) == start;
            let mut at = segments.slab(start);
            // SAFETY: the slab of a block on the stack is there, and nothing else refers to it.
            let slab = unsafe { at.as_mut() };
            // SAFETY: blocks on both lists are there.
            let run =
                unsafe { move_run(&mut room.stack, &mut slab.free, room.depth - depth, in_slab) };
            let moved = match run {
                Ok(moved) => moved,
                Err(at) => return Err(self.forget_stack(class, at)),
            };
            room.depth -= moved;
            room.set_used(&CLASSES[class], room.used - moved);
            let was_full = usize::from(slab.used) == blocks;
            slab.used -= moved as u16;
            let is_empty = slab.used == 0;
            if was_full {
                link(room, at);
            }
            if is_empty {
                room.empty += 1;
                if room.empty > 1 && self.kept() > self.may_keep {
                    self.given_back += bytes;
                    self.remove(class, at, segments)?;
                }
            }
        }
        Ok(())
    }

    /// Gives back all empty slabs, and returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`].
    pub(super) fn trim<P: HeapPages>(
        &mut self,
        segments: &mut Segments<P>,
    ) -> Result<bool, HeapError> {
        let mut trimmed = false;
        for class in 0..NR_CLASSES {
            self.drain(class, 0, segments)?;
            let mut next = self.rooms[class].first;
            while let Some(at) = next {
                // SAFETY: slabs on the list are there; the reference ends with this statement.
                let (used, behind) = unsafe { (at.as_ref().used, at.as_ref().next) };
                if used == 0 {
                    self.remove(class, at, segments)?;
                    trimmed = true;
                }
                next = behind;
            }
        }
        Ok(trimmed)
    }

    /// Bytes of slabs that are kept: of a class that keeps all, all slabs but one; of another, its empty slabs.
    fn kept(&self) -> usize {
        let slabs = |room: &Room| match room.keeps_all {
            true => room.slabs.saturating_sub(1),
            false => room.empty,
        };
        self.rooms.iter().zip(&CLASSES).map(|(room, class)| slabs(room) * class.slab).sum()
    }

    /// Blocks in use, by class.
    pub(super) fn stats(&self) -> [BlockStats; NR_CLASSES] {
        core::array::from_fn(|i| {
            let (Room { used, depth, slabs, .. }, class) = (self.rooms[i], CLASSES[i]);
            let blocks = used - depth;
            BlockStats { blocks, bytes: blocks * class.size, held: slabs * class.slab }
        })
    }

    /// Gives back an empty slab. If somebody used freed memory in it, forgets it instead.
    #[cold]
    fn remove<P: HeapPages>(
        &mut self,
        class: usize,
        at: NonNull<Slab>,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let Class { size, slab: bytes, .. } = CLASSES[class];
        let room = &mut self.rooms[class];
        unlink(room, at);
        room.slabs -= 1;
        room.empty -= 1;
        // SAFETY: it is in a segment's table, and nothing refers to it. The entry is free now.
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
