//! [`Globals`]: where a debugger finds the memory system.

use super::info::PageInfo;
use crate::mem::addr::PhysAddr;

/// Where JOS's globals are, for a debugger ([`Machine::tell_debugger`](crate::machine::Machine::tell_debugger)).
#[derive(Clone, Copy, Debug)]
pub struct Globals {
    /// Frames that `pages` describes.
    pub npages: usize,
    /// The kernel's page directory.
    pub kern_pgdir: PhysAddr,
    /// The page allocator, once there is one.
    pub pages: Option<PagesAt>,
}

/// Where a page allocator lies, for a debugger.
#[derive(Clone, Copy, Debug)]
pub struct PagesAt {
    /// The array `pages`.
    pub array: *const PageInfo,
    /// Where the first free frame's index is kept.
    pub page_free_list: *const u32,
    /// Where the number of free frames is kept.
    pub nfree: *const usize,
}
