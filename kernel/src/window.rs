//! The window at KERNBASE, which shows physical memory.

use core::cell::UnsafeCell;

use layout::{MemLayout, PGSIZE};

use crate::arch::Layout;

unsafe extern "C" {
    /// The window at KERNBASE except its last frame, by the symbol that the linker knows. Since the address is a
    /// symbol, one instruction can add window, table and entry (`pgdir_walk`: 37 instructions, 46 with a
    /// number).
    ///
    /// No Rust object may end where the address space ends, as one in the last frame would. Nothing uses that
    /// frame ([`MemLayout::WINDOW_LAST_FRAME`]).
    #[link_name = "KERNBASE"]
    static WINDOW: UnsafeCell<[u8; (Layout::WINDOW_SIZE - PGSIZE) as usize]>;
}

/// The pointer to the byte that is `offset` bytes into the window.
#[inline(always)]
pub(crate) fn at<T>(offset: u64) -> *mut T {
    // A pointer plus a distance, not a sum of numbers, so that an access can use both as operands.
    (&raw const WINDOW).cast_mut().cast::<T>().wrapping_byte_add(offset as usize)
}
