//! [`HeapPages`]: the source of a heap's memory.

use core::fmt;

use crate::mem::addr::VirtAddr;

/// There are not enough free pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfPages;

impl fmt::Display for OutOfPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not enough free pages")
    }
}

impl core::error::Error for OutOfPages {}

/// The source of a heap's memory: pages of the machine, mapped at addresses that the heap chooses.
///
/// # Safety
///
/// After [`map`](Self::map) succeeds, the addresses are memory that can be read and written and that
/// nobody else uses, until they are unmapped.
pub unsafe trait HeapPages {
    /// Maps `[start, start + size)`: whole pages in the heap's region, none of which is mapped. The
    /// memory may hold any bytes. Aligned parts of 2 MB can be mapped by large pages.
    ///
    /// # Errors
    ///
    /// [`OutOfPages`]; no page has been mapped then.
    fn map(&mut self, start: VirtAddr, size: u64) -> Result<(), OutOfPages>;

    /// Unmaps `[start, start + size)`, all of which is mapped. Several calls of [`map`](Self::map) may
    /// have mapped it, or one call that mapped more; but no large page of 2 MB is divided.
    fn unmap(&mut self, start: VirtAddr, size: u64);

    /// Bytes that could still be mapped.
    fn left(&self) -> u64;
}
