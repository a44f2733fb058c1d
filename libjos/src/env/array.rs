//! [`EnvArray`]: an array with an element for each environment, in frames of `pages`.

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::abi::{Env, NENV};
use super::frame::TrapFrame;
use super::slot::Slot;
use super::table::EnvIndex;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::pages::{ALLOC_ZERO, Frame, PageAllocator, PageArray, PageInfo};
use crate::paging::vm::Vm;
use layout::PGSIZE;

/// A type that can lie in an [`EnvArray`].
///
/// # Safety
///
/// Every pattern of bits is a value of the type.
pub(super) unsafe trait Plain {}

// SAFETY: its fields are integers and a frame, and `TrapFrame` promises this of frames.
unsafe impl<F: TrapFrame> Plain for Env<F, F::Word> {}

// SAFETY: its fields are made of integers: the numbers, the address space and the bytes of the name.
unsafe impl Plain for Slot {}

/// An array of [`NENV`] elements of type `T`, in RAM.
///
/// Whoever holds the machine can write any bits there. So every pattern of bits must be a `T` ([`Plain`]), and no
/// reference to an element leaves [`env`](super).
pub(super) struct EnvArray<T> {
    memory: PageArray,
    start: PhysAddr,
    types: PhantomData<T>,
}

impl<T: Plain> EnvArray<T> {
    /// The size of the array in bytes, rounded up to whole frames.
    const SIZE: u64 = ((NENV * size_of::<T>()) as u64).next_multiple_of(PGSIZE);
    /// The array is allocated as a run of 2^`ORDER` frames.
    const ORDER: u32 = (Self::SIZE / PGSIZE).next_power_of_two().trailing_zeros();

    /// Allocates an array of zeros, and counts each of its frames as used once. `None` if no run of free frames is
    /// long enough.
    pub(super) fn new<M: Machine>(vm: &mut Vm<M>) -> Option<Self> {
        const { assert!(align_of::<T>() <= align_of::<PageInfo>()) };
        let first = vm.page_alloc_run(ALLOC_ZERO, Self::ORDER)?;
        let taken = (Self::SIZE / PGSIZE) as usize;
        for number in 0..1_usize << Self::ORDER {
            let frame = Frame::new((first.index() + number) as u32);
            if number >= taken {
                // The array does not reach the end of the run.
                vm.pages_mut().page_free(frame);
            } else if let Err(error) = vm.pages_mut().page_incref(frame) {
                unreachable!("a frame that was just allocated can be counted: {error}");
            }
        }
        let start = vm.pages().page2pa(first);
        let len = Self::SIZE as usize / size_of::<PageInfo>();
        // SAFETY: the frames are the array's own, so no object of Rust's lies there. They are given up by
        // `free`, which consumes the array.
        let memory = unsafe { vm.machine().page_array(start, len) };
        Some(Self { memory, start, types: PhantomData })
    }

    /// Gives the frames back.
    pub(super) fn free<M: Machine>(self, vm: &mut Vm<M>) {
        for pa in self.range().pages() {
            vm.pages_mut().page_decref_at(pa);
        }
    }

    /// The frames of the array.
    pub(super) fn range(&self) -> PhysRange {
        PhysRange::from_size(self.start, Self::SIZE)
    }

    /// The physical address of an element.
    pub(super) fn pa(&self, index: EnvIndex) -> PhysAddr {
        self.start + (index.number() * size_of::<T>()) as u64
    }

    /// A pointer to an element.
    #[inline]
    pub(super) fn at(&self, index: EnvIndex) -> NonNull<T> {
        let first: NonNull<T> = self.memory.as_ptr().cast();
        // SAFETY: the memory has room for NENV elements, and an index is below that.
        unsafe { first.add(index.number()) }
    }

    /// An element. No machine writes to it while the borrow lives, as in `Pages::array`.
    #[inline]
    pub(super) fn get(&self, index: EnvIndex) -> &T {
        // SAFETY: the pointer is aligned and points into valid, initialised memory, and any bits are a value
        // (`Plain`). No other thread accesses that memory (`PageArray::new`). On this thread only the machine could,
        // and it does not while the borrow lives.
        unsafe { self.at(index).as_ref() }
    }

    /// An element, mutable.
    #[inline]
    pub(super) fn get_mut(&mut self, index: EnvIndex) -> &mut T {
        // SAFETY: as in `get`, and `self` is borrowed mutably, so there is no other borrow.
        unsafe { self.at(index).as_mut() }
    }
}
