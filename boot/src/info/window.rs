//! [`PhysWindow`]: the physical memory that the entry page tables show, read with every bound checked.

use core::marker::PhantomData;
use core::slice;

use super::BootInfoError;

/// Physical memory `[0, size)`, readable from `base` on.
///
/// Holding one does not prove that there is RAM behind an address: where there is none, reads
/// give whatever the bus gives.
#[derive(Clone, Copy, Debug)]
pub struct PhysWindow<'a> {
    base: *const u8,
    size: u64,
    memory: PhantomData<&'a [u8]>,
}

impl<'a> PhysWindow<'a> {
    /// A window whose first byte is at `base`.
    ///
    /// # Safety
    ///
    /// For all of `'a`, the `size` bytes from `base` can be read without fault, and those that
    /// boot information lies in are not written. (The caller keeps them out of every allocator.)
    /// They end below the last address that there is.
    #[must_use]
    pub const unsafe fn new(base: *const u8, size: u64) -> Self {
        Self { base, size, memory: PhantomData }
    }

    /// A window on `bytes`, as if they were all of physical memory from 0 on.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self { base: bytes.as_ptr(), size: bytes.len() as u64, memory: PhantomData }
    }

    /// The `size` bytes at `at`, which are called `what` if they cannot be had.
    ///
    /// # Errors
    ///
    /// [`BootInfoError::OutsideWindow`].
    pub fn bytes(&self, what: &'static str, at: u64, size: u64) -> Result<&'a [u8], BootInfoError> {
        match at.checked_add(size) {
            // SAFETY: the range lies in the window, of which `new`'s caller, or the slice given to
            // `from_bytes`, promises that it can be read and stays as it is for 'a. Neither
            // number is above the window's size, which fits in memory, so no cast loses bits.
            Some(end) if end <= self.size => Ok(unsafe {
                slice::from_raw_parts(self.base.wrapping_add(at as usize), size as usize)
            }),
            _ => Err(BootInfoError::OutsideWindow { what, at, size, window: self.size }),
        }
    }

    /// As [`bytes`](Self::bytes), for what the protocol aligns to 8 bytes.
    ///
    /// # Errors
    ///
    /// [`BootInfoError::Misaligned`] too.
    pub fn aligned(
        &self,
        what: &'static str,
        at: u64,
        size: u64,
    ) -> Result<&'a [u8], BootInfoError> {
        if !at.is_multiple_of(8) {
            return Err(BootInfoError::Misaligned { what, at });
        }
        self.bytes(what, at, size)
    }

    /// The bytes from `at` up to a NUL, which is not part of them.
    ///
    /// # Errors
    ///
    /// [`BootInfoError::Truncated`] where there is no NUL in the window;
    /// [`BootInfoError::OutsideWindow`] where not even the first byte is in it.
    pub fn string(&self, what: &'static str, at: u64) -> Result<&'a [u8], BootInfoError> {
        self.bytes(what, at, 1)?;
        let bytes = self.bytes(what, at, self.size - at)?;
        let end = bytes.iter().position(|&byte| byte == 0);
        end.map(|end| &bytes[..end]).ok_or(BootInfoError::Truncated { what, at })
    }
}
