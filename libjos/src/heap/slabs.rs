//! Slabs: small blocks of one size class, cut from pieces of shared segments.
//!
//! A slab is aligned to its size, so a block's address and class lead to its start, and this to
//! its [`Slab`] in the segment's table. Free blocks are linked through themselves; those that were
//! never in use are cut off as need arises. Slabs that have room are on their class's list. At
//! most one of a class's slabs is empty.
//!
//! A free block holds a key made of its address and its link. It must be right when the block is
//! allocated, or somebody used the block. If it is right when a block is freed, the free list is
//! searched for it. So much use after free and every double free of a small block is found for the
//! price of two comparisons, as long as the slab is there.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::classes::{CLASSES, Class, GRAIN, MAX_SLAB, NR_CLASSES, class_of};
use super::error::Refusal;
use super::segments::{PAGE, SEGMENT, Segments};
use super::{BlockStats, HeapError, HeapPages, poison};

/// What is kept of a slab. One of zeros is no slab.
#[repr(C)]
pub(super) struct Slab {
    /// Neighbours on the class's list of slabs with room.
    prev: Option<NonNull<Slab>>,
    next: Option<NonNull<Slab>>,
    /// The first block's address, for whoever has the slab alone.
    start: Option<NonNull<u8>>,
    /// The number of its class, and 1; 0 where there is no slab.
    tag: u16,
    /// Blocks in use.
    used: u16,
    /// Offset of the first block on the free list, and where there is none [`NO_BLOCK`]. Offsets
    /// are in units of [`GRAIN`].
    free: u16,
    /// Offset of the first block that was never in use.
    fresh: u16,
}

impl Slab {
    const NONE: Self =
        Self { prev: None, next: None, start: None, tag: 0, used: 0, free: 0, fresh: 0 };
}

/// The end of a free list.
const NO_BLOCK: u16 = u16::MAX;

const _: () = assert!(size_of::<Slab>() <= 32 && MAX_SLAB / GRAIN < NO_BLOCK as usize);

/// What lies in a free block. With poison, all else of it is the pattern.
#[repr(C)]
struct FreeBlock {
    /// As [`Slab::free`].
    next: usize,
    key: usize,
}

impl FreeBlock {
    /// For the free block at `addr`.
    fn new(addr: usize, next: usize) -> Self {
        Self { next, key: addr ^ next ^ 0x9E37_79B9_7F4A_7C15_u64 as usize }
    }

    /// Whether this may be what is in the free block at `addr`.
    #[inline]
    fn fits(&self, addr: usize) -> bool {
        self.key == Self::new(addr, self.next).key
    }
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

    /// A block of `class`; `None` where no slab has room, or [`check`](Self::check) finds it used.
    #[inline]
    pub(super) fn alloc(&mut self, class: usize) -> Option<NonNull<u8>> {
        let room = &mut self.0[class];
        let mut at = room.first?;
        // SAFETY: slabs on the list are there, and this is the only reference to it.
        let slab = unsafe { at.as_mut() };
        let free = slab.free;
        let offset = if free == NO_BLOCK { slab.fresh } else { free };
        // SAFETY: offsets on the list and below a slab's end lead to blocks of this slab, for all
        // of which the pointer is good.
        let block = unsafe { slab.start?.add(usize::from(offset) * GRAIN) };
        if free == NO_BLOCK {
            slab.fresh += (CLASSES[class].size / GRAIN) as u16;
        } else {
            // SAFETY: the block is free, so it holds its links, which nobody else refers to.
            let links = unsafe { block.cast::<FreeBlock>().as_mut() };
            if !links.fits(block.addr().get()) {
                return None;
            }
            slab.free = links.next as u16;
            links.key = 0;
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

    /// Why there is no block of `class`, if it is not that no slab has room.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`].
    pub(super) fn check(&self, class: usize) -> Result<(), HeapError> {
        let Some(at) = self.0[class].first else { return Ok(()) };
        // SAFETY: on the list; the reference ends with this function.
        let slab = unsafe { at.as_ref() };
        let start = slab.start.map_or(0, |start| start.addr().get());
        let at = start + usize::from(slab.free) * GRAIN;
        Err(HeapError::UseAfterFree { at, size: CLASSES[class].size, changed: at })
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
        let start = segments.alloc_shared(layout)?;
        let at = segments.slab(start.addr().get());
        let (start, tag) = (Some(start), class as u16 + 1);
        // SAFETY: the start of the slab leads to its place in the segment's table, where no other
        // slab is, and to which nothing refers.
        unsafe {
            at.write(Slab {
                prev: None,
                next: None,
                start,
                tag,
                used: 0,
                free: NO_BLOCK,
                fresh: 0,
            });
        }
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
        let start = addr & !(CLASSES[class].slab - 1);
        let mut at = segments.slab(start);
        let block = segments.at(addr).cast::<FreeBlock>();
        let room = &mut self.0[class];
        // SAFETY: the table of the segment that `addr` lies in; what is read from it are slabs or
        // zeros. This is the only reference to it.
        let mut slab = unsafe { at.as_mut() };
        let offset = addr - start;
        let known = usize::from(slab.tag) == class + 1
            && offset < usize::from(slab.fresh) * GRAIN
            && CLASSES[class].is_block(offset);
        // SAFETY: a block of this slab, which has room for the links. Nobody else uses it.
        if !known || slab.used == 0 || unsafe { block.read() }.fits(addr) {
            suspect(addr, layout, segments)?;
            // SAFETY: as above; `suspect` has no reference left.
            slab = unsafe { at.as_mut() };
        }
        let links = FreeBlock::new(addr, slab.free.into());
        // SAFETY: as above, and the caller gives the block to the heap.
        unsafe { block.write(links) };
        slab.free = (offset / GRAIN) as u16;
        slab.used -= 1;
        room.blocks -= 1;
        let used = slab.used;
        if usize::from(used) + 1 == CLASSES[class].blocks {
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
        let Class { size, slab: bytes, .. } = CLASSES[class];
        // SAFETY: it is in a segment's table, and nothing refers to it. No slab is there now.
        let slab = unsafe { at.replace(Slab::NONE) };
        let start = slab.start.expect("every slab has one");
        if segments.poison {
            for offset in (0..usize::from(slab.fresh) * GRAIN).step_by(size) {
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

/// Says what is wrong with freeing a small block at `addr`, if something is: it may just happen to
/// hold its key. The segment that it lies in is mapped.
#[cold]
fn suspect<P: HeapPages>(
    addr: usize,
    given: Layout,
    segments: &Segments<P>,
) -> Result<(), HeapError> {
    let (at, size) = (addr, given.size());
    let foreign = HeapError::Foreign { at, size };
    // The slab that `addr` lies in begins in its page or one of those before.
    let mut slabs = (addr - addr % SEGMENT..=addr).rev().step_by(PAGE).take(MAX_SLAB / PAGE);
    let slab = slabs.find_map(|page| {
        // SAFETY: as in `free`, which does not use its own reference while there is this one.
        let slab = unsafe { segments.slab(page).as_ref() };
        Some((slab, slab.start?.addr().get(), CLASSES.get(usize::from(slab.tag).wrapping_sub(1))?))
    });
    let Some((slab, start, class)) = slab else { return Err(foreign) };
    let (offset, fresh) = (addr - start, usize::from(slab.fresh) * GRAIN);
    if offset >= fresh || !class.is_block(offset) {
        return Err(foreign);
    }
    if class_of(given).is_none_or(|given| CLASSES[given].size != class.size) {
        let allocated = Layout::from_size_align(class.size, GRAIN);
        let allocated = allocated.expect("no class is too large");
        return Err(HeapError::WrongLayout { at, allocated, given });
    }
    // As many steps as there are blocks: what was used after it was freed may lead in a circle.
    let mut free = usize::from(slab.free) * GRAIN;
    for _ in 0..class.blocks {
        if slab.used == 0 || free == offset {
            return Err(HeapError::DoubleFree { at, size });
        }
        if free >= fresh {
            break;
        }
        // SAFETY: in the slab, at a multiple of `GRAIN`, and so before its end.
        free = unsafe { segments.at(start + free).cast::<FreeBlock>().read() }
            .next
            .wrapping_mul(GRAIN);
    }
    Ok(())
}
