//! A heap beside a model of it: what is allocated, where, and what it holds.

use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ptr::NonNull;

use libjos::heap::{Heap, HeapError};
use libjos::sim::arena::Arena;
use proptest::sample::Index;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Allocates so many bytes with this alignment.
    Alloc(usize, usize),
    /// Frees one of the blocks.
    Free(Index),
    /// Changes one block's size.
    Realloc(Index, usize),
    /// Gives back what is kept.
    Trim,
}

/// An allocated block.
#[derive(Clone, Copy, Debug)]
struct Block {
    at: NonNull<u8>,
    layout: Layout,
    /// The value of its bytes.
    byte: u8,
}

/// The heap and its blocks.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) heap: Heap<Arena>,
    blocks: Vec<Block>,
    /// The end of each block with bytes, by its start.
    places: BTreeMap<usize, usize>,
    nallocs: u8,
}

impl Blocks {
    /// No blocks.
    pub(crate) fn new(poison: bool) -> Self {
        let arena = Arena::new(if cfg!(miri) { 16 << 20 } else { 64 << 20 }, true);
        // SAFETY: the heap owns the arena, and nobody else knows its memory.
        let heap = unsafe { Heap::new(arena.region(), arena, poison) };
        Self { heap, blocks: Vec::new(), places: BTreeMap::new(), nallocs: 0 }
    }

    /// Does it, and asserts what must hold then. Out of memory is no fault if it is true.
    pub(crate) fn step(&mut self, step: &Step) {
        match *step {
            Step::Alloc(size, align) => {
                let layout = Layout::from_size_align(size, align).unwrap();
                match self.heap.alloc(layout) {
                    Ok(at) => self.add(at, layout),
                    Err(error) => self.assert_no_memory(error, size),
                }
            }
            Step::Free(index) => {
                if !self.blocks.is_empty() {
                    let block = self.remove(index.index(self.blocks.len()));
                    block.assert_holds(block.layout.size());
                    // SAFETY: it is one of the blocks, and now forgotten.
                    unsafe { self.heap.dealloc(block.at, block.layout) }.unwrap();
                }
            }
            Step::Realloc(index, size) => {
                if !self.blocks.is_empty() {
                    self.realloc(index.index(self.blocks.len()), size);
                }
            }
            Step::Trim => {
                let before = self.heap.stats().held;
                let trimmed = self.heap.trim().unwrap();
                assert_eq!(self.heap.stats().held, before - trimmed);
            }
        }
        self.assert_counted();
    }

    /// Frees all blocks; all pages are back then.
    pub(crate) fn finish(mut self) {
        while let Some(block) = self.blocks.pop() {
            block.assert_holds(block.layout.size());
            // SAFETY: it is one of the blocks, and now forgotten.
            unsafe { self.heap.dealloc(block.at, block.layout) }.unwrap();
        }
        self.heap.trim().unwrap();
        let stats = self.heap.stats();
        assert_eq!((stats.blocks(), stats.asked, stats.handed_out, stats.held), (0, 0, 0, 0));
        assert_eq!(self.heap.pages().mapped(), 0, "pages were lost");
    }

    fn realloc(&mut self, i: usize, size: usize) {
        let block = self.remove(i);
        // SAFETY: it is one of the blocks, and forgotten if it is another one then.
        match unsafe { self.heap.realloc(block.at, block.layout, size) } {
            Ok(at) => {
                let moved = Block { at, ..block };
                moved.assert_holds(size.min(block.layout.size()));
                self.add(at, Layout::from_size_align(size, block.layout.align()).unwrap());
            }
            Err(error) => {
                self.assert_no_memory(error, size);
                block.assert_holds(block.layout.size());
                self.add(block.at, block.layout);
            }
        }
    }

    /// A new block, which overlaps no other.
    fn add(&mut self, at: NonNull<u8>, layout: Layout) {
        let (addr, size) = (at.addr().get(), layout.size());
        assert!(addr.is_multiple_of(layout.align()), "{addr:#x} is not aligned as {layout:?}");
        self.nallocs = self.nallocs.wrapping_add(1);
        let block = Block { at, layout, byte: self.nallocs };
        if size > 0 {
            assert!(self.heap.pages().is_mapped(addr, size), "{size} bytes at {addr:#x}");
            let before = self.places.range(..addr + size).next_back();
            assert!(before.is_none_or(|(_, end)| *end <= addr), "{layout:?} at {addr:#x} overlaps");
            self.places.insert(addr, addr + size);
            // SAFETY: these are the block's bytes.
            unsafe { at.write_bytes(block.byte, size) };
        }
        self.blocks.push(block);
    }

    fn remove(&mut self, i: usize) -> Block {
        let block = self.blocks.swap_remove(i);
        if block.layout.size() > 0 {
            self.places.remove(&block.at.addr().get());
        }
        block
    }

    fn assert_no_memory(&self, error: HeapError, asked: usize) {
        let HeapError::OutOfMemory { asked: said, .. } = error else { panic!("{error}") };
        assert_eq!(said, asked);
    }

    fn assert_counted(&self) {
        let stats = self.heap.stats();
        assert_eq!(stats.asked, self.blocks.iter().map(|block| block.layout.size()).sum());
        assert_eq!(
            stats.blocks(),
            self.blocks.iter().filter(|block| block.layout.size() > 0).count()
        );
        assert!(stats.asked <= stats.handed_out && stats.handed_out <= stats.held);
        assert!(stats.held <= stats.peak && stats.held == self.heap.pages().mapped());
        assert!(stats.to_string().lines().all(|line| line.len() <= 80), "{stats}");
    }
}

impl Block {
    /// Asserts that the first `size` bytes are as they were written. Under Miri, of large blocks
    /// only both ends.
    fn assert_holds(&self, size: usize) {
        let most = if cfg!(miri) { 64 } else { size };
        for start in [0, size.saturating_sub(most)] {
            let end = size.min(start + most);
            for i in start..end {
                // SAFETY: a byte of the block.
                let byte = unsafe { self.at.add(i).read() };
                assert_eq!(byte, self.byte, "byte {i} of {size} at {:?}", self.at);
            }
        }
    }
}
