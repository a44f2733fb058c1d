//! [`HeapPages`]: where a heap's memory comes from.

use core::fmt;

use crate::mem::addr::VirtAddr;

/// There are no pages to map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfPages;

impl fmt::Display for OutOfPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not enough free pages")
    }
}

impl core::error::Error for OutOfPages {}

/// Where a heap's memory comes from: the machine's pages, mapped at addresses that the heap
/// chooses.
///
/// # Safety
///
/// Where [`map`](Self::map) succeeds, these addresses are memory that can be read and written and
/// that nobody else uses, until they are unmapped.
pub unsafe trait HeapPages {
    /// Maps `[start, start + size)`, of which nothing is mapped yet. All of it are whole pages in
    /// the heap's region. What the memory holds does not matter. Where `start` is a multiple of
    /// 2 MB and `size` is as large, large pages can be used.
    ///
    /// # Errors
    ///
    /// [`OutOfPages`]; then nothing of it is mapped.
    fn map(&mut self, start: VirtAddr, size: u64) -> Result<(), OutOfPages>;

    /// Unmaps `[start, start + size)`, all of which is mapped: by several calls of
    /// [`map`](Self::map) perhaps, or as a part of what one mapped, but then so that no large page of
    /// 2 MB is divided.
    fn unmap(&mut self, start: VirtAddr, size: u64);

    /// Bytes of pages that could still be mapped.
    fn left(&self) -> u64;
}
