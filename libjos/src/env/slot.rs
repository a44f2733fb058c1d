//! [`Slot`]: the kernel's own half of an environment.

use core::mem::{ManuallyDrop, replace};

use super::record::Name;
use super::table::EnvIndex;
use crate::mem::pages::Frame;
use crate::space::AddressSpace;

/// The part of an environment that only the kernel may know. A slot of zeros is free, and no free slot follows it.
pub(super) struct Slot {
    /// The address space; of a free slot, none that may be used.
    space: ManuallyDrop<AddressSpace>,
    /// 1 if the slot has an environment, 0 if it is free: no `bool`, since a slot may hold any bits.
    used: u32,
    /// The index of the free slot after this one, plus 1; 0 if there is none.
    next_free: u32,
    /// The index of the frame of [`machine_frame`](Self::machine_frame), plus 1; 0 if there is none.
    machine_frame: u32,
    /// The name of its program.
    pub(super) name: Name,
    /// A call of `cputs` that it makes again, since it is not done.
    pub(super) cputs: Cputs,
}

/// How far a call of `cputs` has come: which text it prints, and how many bytes it has checked and printed.
#[derive(Clone, Copy, Default)]
pub(super) struct Cputs {
    pub(super) va: u64,
    pub(super) len: u64,
    pub(super) checked: u64,
    pub(super) printed: u64,
}

impl Slot {
    /// The address space.
    ///
    /// # Panics
    ///
    /// If the slot is free: a bug.
    #[inline]
    pub(super) fn space(&self) -> &AddressSpace {
        assert!(self.used != 0, "a free slot has no address space");
        &self.space
    }

    /// The address space, mutable.
    ///
    /// # Panics
    ///
    /// If the slot is free: a bug.
    #[inline]
    pub(super) fn space_mut(&mut self) -> &mut AddressSpace {
        assert!(self.used != 0, "a free slot has no address space");
        &mut self.space
    }

    /// Whether the slot has an environment.
    pub(super) fn is_used(&self) -> bool {
        self.used != 0
    }

    /// The frame in which the machine keeps the environment's further registers, if there is one.
    pub(super) fn machine_frame(&self) -> Option<Frame> {
        self.machine_frame.checked_sub(1).map(Frame::new)
    }

    /// Sets the frame of [`machine_frame`](Self::machine_frame).
    pub(super) fn set_machine_frame(&mut self, frame: Option<Frame>) {
        self.machine_frame = frame.map_or(0, |frame| frame.index() as u32 + 1);
    }

    /// Gives the slot to an environment with this address space. Returns the next free slot.
    pub(super) fn occupy(&mut self, space: AddressSpace) -> Option<EnvIndex> {
        self.space = ManuallyDrop::new(space);
        self.used = 1;
        self.name = Name::default();
        self.cputs = Cputs::default();
        self.next_free()
    }

    /// Frees the slot: `next` is the free slot after it. Returns the address space of the environment that had it.
    pub(super) fn vacate(&mut self, next: Option<EnvIndex>) -> AddressSpace {
        assert!(self.used != 0, "a free slot has no address space");
        self.used = 0;
        self.link(next);
        let none = ManuallyDrop::new(AddressSpace::none());
        ManuallyDrop::into_inner(replace(&mut self.space, none))
    }

    /// The free slot after this one, which must be free.
    pub(super) fn next_free(&self) -> Option<EnvIndex> {
        self.next_free.checked_sub(1).map(|index| EnvIndex::new(index as usize))
    }

    /// Makes `next` the free slot after this one, which must be free.
    pub(super) fn link(&mut self, next: Option<EnvIndex>) {
        self.next_free = next.map_or(0, |index| index.number() as u32 + 1);
    }
}
