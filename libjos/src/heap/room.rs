//! The records of slabs ([`Slab`]) and classes ([`Room`]), and a class's list of slabs with room.

use core::ptr::NonNull;

use super::classes::{Class, GRAIN, MAX_SLAB};
use super::free_list::Link;

/// The record of a slab, an entry in its segment's table. Zeros are no slab.
#[repr(C)]
pub(super) struct Slab {
    /// Its neighbours on the class's list of slabs with room.
    pub(super) prev: Option<NonNull<Slab>>,
    pub(super) next: Option<NonNull<Slab>>,
    /// The first block on the slab's free list.
    pub(super) free: Link,
    /// The offset of the first block that was never in use, in units of [`GRAIN`].
    pub(super) fresh: u16,
    /// Blocks in use.
    pub(super) used: u16,
    /// The number of its class plus 1, or 0 if there is no slab.
    pub(super) tag: u16,
}

const _: () = assert!(size_of::<Slab>() <= 32 && MAX_SLAB / GRAIN < u16::MAX as usize);

impl Slab {
    pub(super) const NONE: Self =
        Self { prev: None, next: None, free: None, fresh: 0, used: 0, tag: 0 };

    /// Bytes of the blocks that were in use at any time.
    pub(super) fn cut(&self) -> usize {
        usize::from(self.fresh) * GRAIN
    }
}

/// The record of a class: where it has room.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// The stack of free blocks in front of the slabs, and their number.
    pub(super) stack: Link,
    pub(super) depth: usize,
    /// The number of blocks on a full stack.
    pub(super) limit: usize,
    /// The slabs that have room.
    pub(super) first: Option<NonNull<Slab>>,
    /// Blocks in use, including those on the stack.
    pub(super) used: usize,
    /// The number of slabs, and of empty ones.
    pub(super) slabs: usize,
    pub(super) empty: usize,
    /// Whether all slabs may be kept. Then all free blocks may be on the stack.
    pub(super) keeps_all: bool,
}

impl Room {
    /// A class without slabs.
    pub(super) const NONE: Self = Self {
        stack: None,
        depth: 0,
        limit: 0,
        first: None,
        used: 0,
        slabs: 0,
        empty: 0,
        keeps_all: false,
    };

    /// Sets how many blocks are in use, including those on the stack. Unless all slabs may be kept, about
    /// half of the blocks may be on the stack: a slab with a block on the stack is not given back.
    pub(super) fn set_used(&mut self, class: &Class, used: usize) {
        self.used = used;
        self.limit = match self.keeps_all {
            true => usize::MAX,
            false => class.stack.min(class.stack / 16 + used / 2),
        };
    }
}

/// Puts a slab with room at the front of its class's list.
pub(super) fn link(room: &mut Room, mut at: NonNull<Slab>) {
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

/// Takes a slab off its class's list.
pub(super) fn unlink(room: &mut Room, at: NonNull<Slab>) {
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
