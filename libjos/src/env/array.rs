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

/// A type for which every pattern of bits is a value.
///
/// # Safety
///
/// Every pattern of bits is a value.
pub(super) unsafe trait Plain {}

// SAFETY: integers, and a frame, which promises the same.
unsafe impl<F: TrapFrame> Plain for Env<F, F::Word> {}

// SAFETY: integers.
unsafe impl Plain for Slot {}

/// [`NENV`] elements of type `T`. The memory is RAM, to which anyone who holds the machine can write: so no
/// reference to an element leaves [`env`](super), and each value is one that `T` can have.
pub(super) struct EnvArray<T> {
    memory: PageArray,
    at: PhysAddr,
    types: PhantomData<T>,
}

impl<T: Plain> EnvArray<T> {
    /// Bytes of the frames that the array takes.
    const SIZE: u64 = ((NENV * size_of::<T>()) as u64).next_multiple_of(PGSIZE);
    /// 2^this frames side by side have room for it.
    const ORDER: u32 = (Self::SIZE / PGSIZE).next_power_of_two().trailing_zeros();

    /// An array of zeros in new frames, each in use once. `None` if there are not so many side by side.
    pub(super) fn new<M: Machine>(vm: &mut Vm<M>) -> Option<Self> {
        const { assert!(align_of::<T>() <= align_of::<PageInfo>()) };
        let first = vm.page_alloc_run(ALLOC_ZERO, Self::ORDER)?;
        let taken = (Self::SIZE / PGSIZE) as usize;
        for number in 0..1_usize << Self::ORDER {
            let frame = Frame::new((first.index() + number) as u32);
            if number >= taken {
                vm.pages_mut().page_free(frame);
            } else if let Err(error) = vm.pages_mut().page_incref(frame) {
                unreachable!("a frame that was just allocated can be counted: {error}");
            }
        }
        let at = vm.pages().page2pa(first);
        let len = Self::SIZE as usize / size_of::<PageInfo>();
        // SAFETY: the frames are the array's own, so no object of Rust's lies there. They are given up by
        // `free`, which consumes the array.
        let memory = unsafe { vm.machine().page_array(at, len) };
        Some(Self { memory, at, types: PhantomData })
    }

    /// Gives the frames back.
    pub(super) fn free<M: Machine>(self, vm: &mut Vm<M>) {
        for pa in self.range().pages() {
            vm.pages_mut().page_decref_at(pa);
        }
    }

    /// The frames.
    pub(super) fn range(&self) -> PhysRange {
        PhysRange::from_size(self.at, Self::SIZE)
    }

    /// The physical address of an element.
    pub(super) fn pa(&self, index: EnvIndex) -> PhysAddr {
        self.at + (index.number() * size_of::<T>()) as u64
    }

    /// The address of an element.
    #[inline]
    pub(super) fn at(&self, index: EnvIndex) -> NonNull<T> {
        let first: NonNull<T> = self.memory.as_ptr().cast();
        // SAFETY: the memory has room for NENV elements, and an index is below that.
        unsafe { first.add(index.number()) }
    }

    /// An element. No machine writes to it while the borrow lives, as in `Pages::array`.
    #[inline]
    pub(super) fn get(&self, index: EnvIndex) -> &T {
        // SAFETY: aligned and in valid memory that is initialised, and any bits are a value (`Plain`). On other
        // threads nobody accesses it (`PageArray`), and on this one the machine does not meanwhile.
        unsafe { self.at(index).as_ref() }
    }

    /// An element, mutable.
    #[inline]
    pub(super) fn get_mut(&mut self, index: EnvIndex) -> &mut T {
        // SAFETY: as in `get`, and `self` is borrowed mutably, so there is no other borrow.
        unsafe { self.at(index).as_mut() }
    }
}
