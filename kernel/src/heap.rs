//! The heap: [`libjos::heap`] as Rust's global allocator, in pages mapped from UHEAP up.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use layout::{MemLayout, PGSIZE};
use libjos::app::area::area_addresses;
use libjos::app::backing::Backing;
use libjos::heap::{Heap, HeapError, HeapPages, HeapStats, OutOfPages};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::PageAllocator;
use spin::{Mutex, Once};

use crate::arch;
use crate::lock::{Lock, LockGuard};
use crate::pmap;

static HEAP: Once<Lock<Heap<KernelPages>>> = Once::new();
/// The last allocation's error, if it failed.
static REFUSED: Mutex<Option<HeapError>> = Mutex::new(None);

#[cfg_attr(jos_machine, global_allocator)]
static ALLOCATOR: Allocator = Allocator;

/// Makes the heap, which has no page yet. With `poison` it detects misuse, and is slower.
pub(crate) fn init(poison: bool) {
    let start = ptr::with_exposed_provenance_mut(arch::Layout::UHEAP as usize);
    let Some(start) = NonNull::new(start) else { unreachable!("UHEAP is not 0") };
    let size = area_addresses::<arch::Layout>().start - arch::Layout::UHEAP;
    let region = NonNull::slice_from_raw_parts(start, size as usize);
    HEAP.call_once(|| {
        let pages = KernelPages(Backing::new());
        // SAFETY: only this heap maps pages between UHEAP and the areas, and this runs once.
        Lock::new(unsafe { Heap::new(region, pages, poison) })
    });
}

/// The heap. `None` before [`init`].
///
/// # Panics
///
/// If it is locked: with one processor, waiting would never end. And unless `kern_pgdir` is loaded.
fn lock() -> Option<LockGuard<'static, Heap<KernelPages>>> {
    let heap = HEAP.get()?;
    pmap::assert_application_half();
    Some(heap.try_lock().expect("the heap is asked for memory while it works"))
}

/// Gives back the pages that no block uses.
///
/// # Panics
///
/// If the heap finds misuse.
pub(crate) fn trim() {
    if let Some(Err(error)) = lock().map(|mut heap| heap.trim()) {
        panic!("heap: {error}");
    }
}

/// The heap's statistics. `None` before [`init`].
#[must_use]
pub(crate) fn stats() -> Option<HeapStats> {
    lock().map(|heap| heap.stats())
}

/// The last allocation's error, if it failed; for the report of a panic, which it may explain.
pub(crate) fn refused() -> Option<HeapError> {
    *REFUSED.try_lock()?
}

/// The source of the heap's pages: the memory system's free pages.
struct KernelPages(Backing);

// SAFETY: nobody else uses a page that was free, and nothing else is mapped at the heap's addresses.
unsafe impl HeapPages for KernelPages {
    fn map(&mut self, start: VirtAddr, size: u64) -> Result<(), OutOfPages> {
        self.0.map(&mut *pmap::lock(), start, size)
    }

    fn unmap(&mut self, start: VirtAddr, size: u64) {
        self.0.unmap(&mut *pmap::lock(), start, size);
    }

    fn left(&self) -> u64 {
        pmap::lock().pages().nfree() as u64 * PGSIZE
    }
}

/// The heap as Rust's global allocator. Misuse of the heap by the program is a panic that names it.
struct Allocator;

impl Allocator {
    /// Turns the heap's result into a pointer: null if memory ran out.
    fn answer(result: Option<Result<NonNull<u8>, HeapError>>) -> *mut u8 {
        let (block, refused) = match result {
            Some(Ok(block)) => (block.as_ptr(), None),
            Some(Err(error @ HeapError::OutOfMemory { .. })) => (ptr::null_mut(), Some(error)),
            Some(Err(error)) => panic!("heap: {error}"),
            None => (ptr::null_mut(), None),
        };
        *REFUSED.lock() = refused;
        block
    }
}

// SAFETY: the heap documents and keeps the promises of this trait; a panic ends the machine, so
// nothing unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::answer(lock().map(|mut heap| heap.alloc(layout)))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let (Some(mut heap), Some(block)) = (lock(), NonNull::new(block)) {
            // SAFETY: the caller's promise, which is the same.
            if let Err(error) = unsafe { heap.dealloc(block, layout) } {
                panic!("heap: {error}");
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let block = NonNull::new(block);
        // SAFETY: the caller's promise, which is the same.
        let realloc = |(mut heap, block): (LockGuard<'_, Heap<_>>, _)| unsafe {
            heap.realloc(block, layout, new_size)
        };
        Self::answer(lock().zip(block).map(realloc))
    }
}

#[cfg(test)]
pub(crate) mod tests;
