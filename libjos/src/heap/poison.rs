//! Poison.

use core::ptr::NonNull;

/// What every free byte is.
const FREE: u8 = 0xDF;

/// Fills memory that is free now.
///
/// # Safety
///
/// The `size` bytes are mapped, and nobody's.
pub(super) unsafe fn fill(at: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { at.write_bytes(FREE, size) };
}
