//! JOS's algorithms in C (`c/pmap.c`) as a contestant.

use std::ffi::{c_int, c_void};

use layout::PGSIZE;

use crate::frames::{self, Frames};
use crate::memory::{ARRAY, FRAMES, Memory, NFRAMES, TABLES};
use crate::tables::{self, KERNEL_VA, PageSize, SinglePages, Tables, TearDown, Translate};

const ALLOC_ZERO: c_int = 1;
const PTE_W: c_int = 2;
const PTE_U: c_int = 4;

/// `struct PageInfo`, by its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Page(*mut c_void);

unsafe extern "C" {
    fn jos_init(memory: *mut c_void, array: *mut c_void, npages: usize);
    fn page_init(first: usize, end: usize);
    fn page_alloc(flags: c_int) -> Page;
    fn page_free(page: Page);
    fn page_incref(page: Page);
    fn page2pa(page: Page) -> u64;
    fn boot_map_region(pgdir: *mut u64, va: u64, size: usize, pa: u64, perm: c_int);
    fn page_insert(pgdir: *mut u64, page: Page, va: u64, perm: c_int) -> c_int;
    fn page_remove(pgdir: *mut u64, va: u64);
    fn va2pa(pgdir: *mut u64, va: u64) -> u64;
    fn tear_down(pgdir: *mut u64, va: u64, size: usize);
    fn loop_alloc_free(n: u64);
    fn loop_alloc_free_all(taken: *mut Page, order: *const usize, n: usize);
    fn loop_map_unmap(pgdir: *mut u64, mapped: *const [u64; 2], n: usize, perm: c_int);
    fn loop_chain(pgdir: *mut u64, va: u64, n: u64, base: u64, frames: u64) -> u64;
    fn loop_sum(pgdir: *mut u64, vas: *const u64, n: usize) -> u64;
}

/// JOS's lab 2. Its state is in C's globals, so there is one at a time. With `LOOPS` the measured loops are C too, and
/// the compiler can inline JOS's functions into them; without, each function is called.
#[derive(Debug)]
pub(crate) struct C<const LOOPS: bool = false> {
    memory: Memory,
    root: u64,
    /// A `struct PageInfo` for each of `FRAMES`, allocated.
    frames: Vec<Page>,
}

impl<const LOOPS: bool> C<LOOPS> {
    fn pgdir(&self) -> *mut u64 {
        self.memory.at(self.root)
    }
}

impl<const LOOPS: bool> Frames for C<LOOPS> {
    type Frame = Page;

    fn new(memory: Memory) -> Self {
        let c = <Self as Tables>::new(memory);
        // SAFETY: as in `reset`. No more tables are made, so FRAMES alone can be free.
        unsafe { page_init((FRAMES.start / PGSIZE) as usize, (FRAMES.end / PGSIZE) as usize) };
        c
    }

    #[inline]
    fn alloc(&mut self) -> Page {
        // SAFETY: `new` has called `jos_init`.
        unsafe { page_alloc(0) }
    }

    #[inline]
    fn free(&mut self, page: Page) {
        // SAFETY: the measured work frees what it got from `alloc`, once.
        unsafe { page_free(page) };
    }

    fn alloc_free(&mut self, n: u64) {
        if LOOPS {
            // SAFETY: as in `alloc` and `free`.
            unsafe { loop_alloc_free(n) };
        } else {
            frames::alloc_free(self, n);
        }
    }

    fn alloc_free_all(&mut self, taken: &mut Vec<Page>, order: &[usize]) {
        if LOOPS {
            taken.resize(order.len(), Page(std::ptr::null_mut()));
            // SAFETY: as in `alloc` and `free`; `taken` and `order` are equally long.
            unsafe { loop_alloc_free_all(taken.as_mut_ptr(), order.as_ptr(), order.len()) };
        } else {
            frames::alloc_free_all(self, taken, order);
        }
    }
}

impl<const LOOPS: bool> Tables for C<LOOPS> {
    fn new(memory: Memory) -> Self {
        let npages = (FRAMES.end / PGSIZE) as usize;
        assert!(npages as u64 * 16 <= ARRAY.end - ARRAY.start);
        // SAFETY: the memory is never freed, and its part for the array is used for nothing else.
        unsafe { jos_init(memory.at(0), memory.at(ARRAY.start), npages) };
        let mut c = Self { memory, root: 0, frames: Vec::new() };
        c.reset();
        c
    }

    fn reset(&mut self) {
        // SAFETY: the array of `jos_init` describes these frames. Those of FRAMES are allocated before
        // any frame with memory is free, and are never accessed.
        unsafe {
            if self.frames.is_empty() {
                page_init((FRAMES.start / PGSIZE) as usize, (FRAMES.end / PGSIZE) as usize);
                self.frames = (0..NFRAMES).map(|_| page_alloc(0)).collect();
            }
            page_init((TABLES.start / PGSIZE) as usize, (TABLES.end / PGSIZE) as usize);
            self.root = page2pa(page_alloc(ALLOC_ZERO));
        }
    }

    fn root(&self) -> u64 {
        self.root
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        assert!(pages == PageSize::Small, "JOS has no large pages");
        // SAFETY: the directory is the one that `reset` made.
        unsafe { boot_map_region(self.pgdir(), va, size as usize, pa, PTE_W) };
    }
}

impl<const LOOPS: bool> SinglePages for C<LOOPS> {
    fn keep_frames(&mut self) {
        // SAFETY: as in `map`.
        self.frames.iter().for_each(|page| unsafe { page_incref(*page) });
    }

    #[inline]
    fn map_page(&mut self, va: u64, pa: u64) {
        let page = self.frames[((pa - FRAMES.start) / PGSIZE) as usize];
        // SAFETY: as in `map`.
        let status = unsafe { page_insert(self.pgdir(), page, va, PTE_W | PTE_U) };
        assert!(status == 0, "there is no page for a table");
    }

    #[inline]
    fn unmap_page(&mut self, va: u64) {
        // SAFETY: as in `map`.
        unsafe { page_remove(self.pgdir(), va) };
    }

    fn map_unmap(&mut self, pages: &[[u64; 2]]) {
        if LOOPS {
            // SAFETY: as in `map`; the length is the slice's.
            unsafe { loop_map_unmap(self.pgdir(), pages.as_ptr(), pages.len(), PTE_W | PTE_U) };
        } else {
            tables::map_unmap(self, pages);
        }
    }
}

impl<const LOOPS: bool> Translate for C<LOOPS> {
    #[inline]
    fn translate(&self, va: u64) -> u64 {
        // SAFETY: as in `map`.
        unsafe { va2pa(self.pgdir(), va) }
    }

    fn chain(&self, va: u64, n: u64) -> u64 {
        if LOOPS {
            // SAFETY: as in `map`.
            unsafe { loop_chain(self.pgdir(), va, n, KERNEL_VA, FRAMES.start) }
        } else {
            tables::chain(self, va, n)
        }
    }

    fn sum(&self, addresses: &[u64]) -> u64 {
        if LOOPS {
            // SAFETY: as in `map`; the length is the slice's.
            unsafe { loop_sum(self.pgdir(), addresses.as_ptr(), addresses.len()) }
        } else {
            tables::sum(self, addresses)
        }
    }
}

impl<const LOOPS: bool> TearDown for C<LOOPS> {
    fn fill(&mut self, va: u64, pas: &[u64]) {
        // Start anew, since the frames of the last tear-down are free.
        self.frames.clear();
        self.reset();
        tables::pages(va, pas).for_each(|(va, pa)| self.map_page(va, pa));
    }

    fn tear_down(&mut self, va: u64, size: u64) {
        // SAFETY: as in `map`.
        unsafe { tear_down(self.pgdir(), va, size as usize) };
    }

    fn nfree(&self) -> usize {
        // C's free list keeps no count, so count the pages that it gives.
        // SAFETY: as in `new`; the pages are not accessed.
        let pages: Vec<Page> = std::iter::repeat_with(|| unsafe { page_alloc(0) })
            .take_while(|page| !page.0.is_null())
            .collect();
        let nfree = pages.len();
        for page in pages.into_iter().rev() {
            // SAFETY: it was just allocated.
            unsafe { page_free(page) };
        }
        nfree
    }
}
