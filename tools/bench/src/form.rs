//! The two forms of an operation: [`called`], as in a kernel, and [`inlined`] into the loop that measures it.
//!
//! A loop that inlines an operation may keep half of its work in registers from one round to the next; no kernel
//! has such a loop. So the targets are for the called form.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::frames::{Frames, Runs};
use crate::heaps::Blocks;
use crate::memory::Memory;
use crate::tables::{Kind, PageSize, SinglePages, Tables, Translate};

/// The called form, for the macros of `rows.rs`: of `Of<T>`, and of JOS's C. (Rust cannot inline C: in the inlined
/// form the loop itself is C.)
pub(crate) mod called {
    pub(crate) type Of<T> = super::Called<T>;
    #[cfg(has_c)]
    pub(crate) type C = crate::c::C<false>;
}

/// The inlined form; see [`called`].
pub(crate) mod inlined {
    pub(crate) type Of<T> = T;
    #[cfg(has_c)]
    pub(crate) type C = crate::c::C<true>;
}

/// `T`, with each single operation as a call.
#[derive(Debug)]
pub(crate) struct Called<T>(T);

impl<T: Tables> Tables for Called<T> {
    const KIND: Kind = T::KIND;

    fn new(memory: Memory) -> Self {
        Self(T::new(memory))
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn root(&self) -> u64 {
        self.0.root()
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        self.0.map(va, pa, size, pages);
    }
}

impl<T: SinglePages> SinglePages for Called<T> {
    fn keep_frames(&mut self) {
        self.0.keep_frames();
    }

    #[inline(never)]
    fn map_page(&mut self, va: u64, pa: u64) {
        self.0.map_page(va, pa);
    }

    #[inline(never)]
    fn unmap_page(&mut self, va: u64) {
        self.0.unmap_page(va);
    }
}

impl<T: Translate> Translate for Called<T> {
    #[inline(never)]
    fn translate(&self, va: u64) -> u64 {
        self.0.translate(va)
    }
}

impl<T: Frames> Frames for Called<T> {
    type Frame = T::Frame;

    fn new(memory: Memory) -> Self {
        Self(T::new(memory))
    }

    #[inline(never)]
    fn alloc(&mut self) -> Self::Frame {
        self.0.alloc()
    }

    #[inline(never)]
    fn free(&mut self, frame: Self::Frame) {
        self.0.free(frame);
    }
}

impl<T: Runs> Runs for Called<T> {
    #[inline(never)]
    fn alloc_run(&mut self, order: u32) -> Self::Frame {
        self.0.alloc_run(order)
    }

    #[inline(never)]
    fn free_run(&mut self, first: Self::Frame, order: u32) {
        self.0.free_run(first, order);
    }

    fn number(frame: Self::Frame) -> usize {
        T::number(frame)
    }
}

impl<T: Blocks> Blocks for Called<T> {
    fn new() -> Self {
        Self(T::new())
    }

    #[inline(never)]
    fn alloc(&mut self, layout: Layout) -> NonNull<u8> {
        self.0.alloc(layout)
    }

    #[inline(never)]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.free(block, layout) };
    }

    fn in_use(&self, alive: &[Layout]) -> (Option<usize>, Option<usize>) {
        self.0.in_use(alive)
    }

    fn trim(&mut self) {
        self.0.trim();
    }
}
