//! [`PhysWindow`]: the physical memory that the entry page tables show, read with every bound checked.
//!
//! A reference covers only bytes that a loader wrote: never memory that the kernel writes to (its own, and
//! the screen's), and never the bytes behind a text.

use core::marker::PhantomData;
use core::slice;

use libjos::mem::addr::{PhysAddr, PhysRange};

use super::BootInfoError;

/// Physical memory `[first, first + size)`, which the kernel reads at `base`.
///
/// Holding one does not prove that there is RAM at an address: reads elsewhere return whatever the
/// bus returns.
#[derive(Clone, Copy, Debug)]
pub struct PhysWindow<'a> {
    base: *const u8,
    first: u64,
    size: u64,
    /// Where the kernel writes. No boot information may lie there.
    written: [PhysRange; 2],
    memory: PhantomData<&'a [u8]>,
}

impl<'a> PhysWindow<'a> {
    /// A window on the physical memory from `first` on, whose first byte is at `base`, and in which the
    /// kernel writes to the ranges `written`: its own memory, and the screen's if there is one.
    ///
    /// # Safety
    ///
    /// During `'a`, the `size` bytes from `base`, except for those in `written`, can be read without a
    /// fault, and nothing writes to the boot information in them. (The caller keeps it out of every
    /// allocator.) They end below the last address.
    #[must_use]
    pub const unsafe fn new(
        base: *const u8,
        first: PhysAddr,
        size: u64,
        written: [PhysRange; 2],
    ) -> Self {
        Self { base, first: first.as_u64(), size, written, memory: PhantomData }
    }

    /// A window on `bytes`, as if they were all of physical memory from 0 on.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self {
            base: bytes.as_ptr(),
            first: 0,
            size: bytes.len() as u64,
            written: Default::default(),
            memory: PhantomData,
        }
    }

    /// The `size` bytes at `at`. Errors call them `what`.
    ///
    /// # Errors
    ///
    /// [`BootInfoError::OutsideWindow`] and [`BootInfoError::Written`].
    pub fn bytes(&self, what: &'static str, at: u64, size: u64) -> Result<&'a [u8], BootInfoError> {
        match at.checked_add(size) {
            Some(end) if at >= self.first && end <= self.end() => {
                let range = PhysRange::new(PhysAddr::new(at), PhysAddr::new(end));
                if self.written.iter().any(|written| written.overlaps(&range)) {
                    return Err(BootInfoError::Written { what, at, size });
                }
                // SAFETY: the range lies in the window, and not where the kernel writes. `new`'s caller, or
                // the slice given to `from_bytes`, promises that it can be read and does not change
                // during 'a. Neither number is above the window's size, which fits in memory, so no
                // cast loses bits.
                Ok(unsafe { slice::from_raw_parts(self.address(at), size as usize) })
            }
            _ => Err(BootInfoError::OutsideWindow { what, at, size, window: self.size }),
        }
    }

    /// The first physical address behind the window.
    const fn end(&self) -> u64 {
        self.first + self.size
    }

    /// The address at which the kernel reads the byte at `at`, in the window.
    fn address(&self, at: u64) -> *const u8 {
        self.base.wrapping_add((at - self.first) as usize)
    }

    /// The `size` bytes at `at`, which the protocol aligns to 8 bytes.
    ///
    /// # Errors
    ///
    /// [`BootInfoError::Misaligned`], and those of [`bytes`](Self::bytes).
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
    /// [`BootInfoError::Truncated`] if there is no NUL before memory that the kernel writes to, or the window's end;
    /// those of [`bytes`](Self::bytes) if the first byte cannot be read.
    pub fn string(&self, what: &'static str, at: u64) -> Result<&'a [u8], BootInfoError> {
        self.bytes(what, at, 1)?;
        let written = self.written.iter().filter(|written| !written.is_empty());
        let ends = written.map(|written| written.start.as_u64()).filter(|start| at < *start);
        let end = ends.fold(self.end(), u64::min);
        // SAFETY: in the window and not where the kernel writes, as in `bytes`. The bytes behind the text may
        // belong to somebody else, so this reads through a pointer and makes no reference to them.
        let is_nul = |at: &u64| unsafe { self.address(*at).read() } == 0;
        match (at..end).find(is_nul) {
            Some(nul) => self.bytes(what, at, nul - at),
            None => Err(BootInfoError::Truncated { what, at }),
        }
    }
}
