//! Slabs: small blocks of one size class, cut from pieces of shared segments.
//!
//! A slab is aligned to its size, so a block's address and class lead to its [`Slab`]. Free
//! blocks are linked through themselves, by offsets, so that a link that was overwritten cannot
//! lead out of the slab; blocks that were never in use are cut off as need arises. Slabs that
//! have room are on their class's list. At most one of a class's slabs is empty.
//!
//! A free block holds a key made of its address. If a block that is freed holds it, the list is
//! searched: so every second free of a block is found, for the price of a comparison.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::classes::{CLASSES, Class, GRAIN, NR_CLASSES, SLAB_HEADER};
use super::error::Refusal;
use super::segments::Segments;
use super::{BlockStats, HeapError, HeapPages, poison};

/// What [`Slab::tag`] is, with the class's number added.
const TAG: u32 = 0x51AB_0000;

/// What the key in a free block is, but for the block's address.
const KEY: usize = 0x9E37_79B9_7F4A_7C15_u64 as usize;

/// What lies at a slab's start.
#[repr(C)]
struct Slab {
    /// Says that this is a slab, and of which class.
    tag: u32,
    /// Blocks in use.
    used: u32,
    /// Offset of the first block on the free list; 0 where there is none.
    free: u32,
    /// Offset of the first block that was never in use.
    fresh: u32,
    /// Neighbours on the class's list of slabs with room.
    prev: Option<NonNull<Slab>>,
    next: Option<NonNull<Slab>>,
}

const _: () = assert!(size_of::<Slab>() <= SLAB_HEADER);

/// What lies in a free block. With poison, all else of it is the pattern.
#[repr(C)]
struct FreeBlock {
    /// Offset of the next one; 0 where there is none.
    next: usize,
    key: usize,
}

/// Bytes at a free block's start that are the heap's.
pub(super) const FREE_BLOCK: usize = size_of::<FreeBlock>();

/// What the heap keeps of a class.
#[derive(Clone, Copy)]
struct Room {
    /// The slabs that have room.
    first: Option<NonNull<Slab>>,
    /// Blocks in use.
    blocks: usize,
    slabs: usize,
    /// The slab that is empty, if one is.
    empty: Option<NonNull<Slab>>,
}

/// All slabs.
pub(super) struct Slabs([Room; NR_CLASSES]);

impl Slabs {
    pub(super) const fn new() -> Self {
        Self([Room { first: None, blocks: 0, slabs: 0, empty: None }; NR_CLASSES])
    }

    /// A block of `class`; `None` where no slab has room.
    #[inline]
    pub(super) fn alloc(&mut self, class: usize) -> Option<NonNull<u8>> {
        let room = &mut self.0[class];
        let mut at = room.first?;
        // SAFETY: slabs on the list are there, and this is the only reference to it.
        let slab = unsafe { at.as_mut() };
        let free = slab.free as usize;
        let offset = if free != 0 { free } else { slab.fresh as usize };
        // SAFETY: offsets on the list and below a slab's end lead to blocks of this slab, all of
        // whose memory the pointer is good for. `slab` covers the header alone.
        let block = unsafe { at.cast::<u8>().add(offset) };
        if free != 0 {
            let mut links = block.cast::<FreeBlock>();
            // SAFETY: the block is free, so it holds its links, which nobody else refers to.
            let links = unsafe { links.as_mut() };
            slab.free = links.next as u32;
            links.key = 0;
        } else {
            slab.fresh += CLASSES[class].size as u32;
        }
        slab.used += 1;
        room.blocks += 1;
        if slab.used == 1 {
            room.empty = None;
        }
        if slab.used as usize == CLASSES[class].blocks {
            unlink(room, at);
        }
        Some(block)
    }

    /// Makes a slab for `class`.
    #[cold]
    pub(super) fn add<P: HeapPages>(
        &mut self,
        class: usize,
        segments: &mut Segments<P>,
    ) -> Result<(), Refusal> {
        let bytes = CLASSES[class].slab;
        let layout = Layout::from_size_align(bytes, bytes).expect("slabs are powers of two");
        let at = segments.alloc_shared(layout)?.cast::<Slab>();
        let (tag, fresh) = (TAG + class as u32, CLASSES[class].first as u32);
        // SAFETY: the slab's memory is nobody's yet, and aligned to more than a `Slab`.
        unsafe { at.write(Slab { tag, used: 0, free: 0, fresh, prev: None, next: None }) };
        let room = &mut self.0[class];
        room.slabs += 1;
        room.empty = Some(at);
        link(room, at);
        Ok(())
    }

    /// Frees the block of `class` at `addr`.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`HeapError::WrongLayout`] and [`HeapError::Foreign`] as far as
    /// they can be found, for a block that was said to have `layout`; nothing has changed then.
    /// With poison [`HeapError::UseAfterFree`], of another block.
    ///
    /// # Safety
    ///
    /// The address lies in the heap's region, where memory is mapped, and nobody uses the block.
    #[inline]
    pub(super) unsafe fn free<P: HeapPages>(
        &mut self,
        class: usize,
        addr: usize,
        layout: Layout,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        let mut at = segments.at(addr & !(CLASSES[class].slab - 1)).cast::<Slab>();
        let block = segments.at(addr).cast::<FreeBlock>();
        let room = &mut self.0[class];
        // SAFETY: mapped, the caller says, and aligned, so that there are numbers to be read; if
        // they are a slab's, this is the only reference to it.
        let slab = unsafe { at.as_mut() };
        let offset = addr - at.addr().get();
        let known = slab.tag == TAG + class as u32
            && offset < slab.fresh as usize
            && CLASSES[class].is_block(offset);
        // SAFETY: a block of this slab, which has room for the links. Nobody else uses it.
        if !known || slab.used == 0 || unsafe { block.read() }.key == KEY ^ addr {
            // SAFETY: nobody uses the slab until this returns.
            unsafe { suspect(at, addr, known, layout)? };
        }
        let links = FreeBlock { next: slab.free as usize, key: KEY ^ addr };
        // SAFETY: as above, and the caller gives the block to the heap.
        unsafe { block.write(links) };
        slab.free = offset as u32;
        slab.used -= 1;
        room.blocks -= 1;
        let used = slab.used as usize;
        if used + 1 == CLASSES[class].blocks {
            link(room, at);
        }
        if used == 0 {
            if room.empty.is_some() {
                return self.remove(class, at, segments);
            }
            room.empty = Some(at);
        }
        Ok(())
    }

    /// Gives back all empty slabs.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`], with poison.
    pub(super) fn trim<P: HeapPages>(
        &mut self,
        segments: &mut Segments<P>,
    ) -> Result<(), HeapError> {
        for class in 0..NR_CLASSES {
            if let Some(empty) = self.0[class].empty.take() {
                self.remove(class, empty, segments)?;
            }
        }
        Ok(())
    }

    /// What is in use, by class.
    pub(super) fn stats(&self) -> [BlockStats; NR_CLASSES] {
        core::array::from_fn(|i| {
            let (Room { blocks, slabs, .. }, class) = (self.0[i], CLASSES[i]);
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
        let Class { first, size, slab, .. } = CLASSES[class];
        if segments.poison {
            // SAFETY: no block is in use, so all of the slab is the heap's.
            unsafe {
                for offset in (first..at.as_ref().fresh as usize).step_by(size) {
                    poison::check_free(at.cast::<u8>().add(offset), size, size)?;
                }
            }
        }
        // SAFETY: it came from there, with this size; no block of it is in use, and its class's
        // list does not lead to it any more.
        unsafe { segments.free_shared(at.addr().get(), slab) };
        Ok(())
    }
}

/// Puts a slab that has room in front of the list.
fn link(room: &mut Room, mut at: NonNull<Slab>) {
    // SAFETY: the slab and the list's first one are there; each reference ends with its statement.
    unsafe {
        at.as_mut().prev = None;
        at.as_mut().next = room.first;
        if let Some(mut next) = room.first {
            next.as_mut().prev = Some(at);
        }
    }
    room.first = Some(at);
}

/// Takes a slab off the list.
fn unlink(room: &mut Room, at: NonNull<Slab>) {
    // SAFETY: the slab and its neighbours are on the list, so they are there; each reference ends
    // with its statement.
    unsafe {
        let Slab { prev, next, .. } = *at.as_ref();
        if let Some(mut next) = next {
            next.as_mut().prev = prev;
        }
        match prev {
            Some(mut prev) => prev.as_mut().next = next,
            None => room.first = next,
        }
    }
}

/// Says what is wrong with freeing a block at `addr`, if something is: it may just happen to hold
/// its key. `known` says that it is a block of the slab at `at`, in use or not.
///
/// # Safety
///
/// `at` is mapped, and if it is a slab, nobody else uses it.
#[cold]
unsafe fn suspect(
    at: NonNull<Slab>,
    addr: usize,
    known: bool,
    given: Layout,
) -> Result<(), HeapError> {
    let size = given.size();
    // SAFETY: mapped and aligned, says the caller, so there are numbers to be read.
    let Slab { tag, used, mut free, fresh, .. } = *unsafe { at.as_ref() };
    if !known {
        let class = CLASSES.get(tag.wrapping_sub(TAG) as usize);
        let offset = addr - at.addr().get();
        return Err(match class {
            Some(class) if offset < fresh as usize && class.is_block(offset) => {
                let allocated = Layout::from_size_align(class.size, GRAIN);
                let allocated = allocated.expect("no class is too large");
                HeapError::WrongLayout { at: addr, allocated, given }
            }
            _ => HeapError::Foreign { at: addr, size },
        });
    }
    let double_free = HeapError::DoubleFree { at: addr, size };
    if used == 0 {
        return Err(double_free);
    }
    // As many steps as there are blocks: what was used after it was freed may lead in a circle.
    for _ in 0..CLASSES[(tag - TAG) as usize].blocks {
        if free == 0 || free >= fresh {
            break;
        }
        if at.addr().get() + free as usize == addr {
            return Err(double_free);
        }
        // SAFETY: below `fresh` and so in the slab; integers may be read from anywhere in it.
        free = unsafe { at.cast::<u8>().add(free as usize).cast::<FreeBlock>().read_unaligned() }
            .next as u32;
    }
    Ok(())
}
