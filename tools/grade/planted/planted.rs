//! Faults planted in a copy of the sources, to see whether the grader's reader finds them: `plant.py` puts this file
//! into `libjos/src` and the code of each fault where a line below says so.
//!
//! The grader picks one fault by its number, which it writes into [`PLANTED`] before the kernel starts.
#![allow(dead_code, unused_imports, clippy::all, reason = "not all faults need all helpers")]

use core::sync::atomic::{AtomicU32, Ordering};

use layout::{MB, MemLayout, PGSIZE};

use crate::machine::{Machine, PhysMem};
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageInfo};
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::word::Word;
use crate::pmap::Pmap;

/// The number of the fault that this machine has.
pub static PLANTED: AtomicU32 = AtomicU32::new(NUMBER);
const NUMBER: u32 = 0; // plant.py: the fault of every machine

/// Whether this machine has fault `number`.
#[inline(never)]
pub fn is(number: u32) -> bool {
    PLANTED.load(Ordering::Relaxed) == number
}

/// Plants the faults of a memory system that is otherwise sound, at the end of `mem_init`.
#[inline(never)]
pub(crate) fn plant<M: Machine>(pmap: &mut Pmap<M>) {
    match PLANTED.load(Ordering::Relaxed) {
        // plant.py: the faults
        _ => {}
    }
}

fn change_leaf<M: Machine>(pmap: &mut Pmap<M>, va: u64, change: impl FnOnce(&mut Leaf)) {
    let stop = pmap.walk(pmap.kern_pgdir().address(), VirtAddr::new(va));
    let Entry::Leaf(mut leaf) = stop.entry else { panic!("{va:#x} is not mapped") };
    change(&mut leaf);
    pmap.machine().store(stop.at, M::Format::leaf(stop.level, leaf.pa, leaf.perm));
}

fn allow<M: Machine>(pmap: &mut Pmap<M>, va: u64, perm: Perm) {
    change_leaf(pmap, va, |leaf| leaf.perm |= perm);
}

fn forbid<M: Machine>(pmap: &mut Pmap<M>, va: u64, perm: Perm) {
    change_leaf(pmap, va, |leaf| leaf.perm -= perm);
}

fn unmap<M: Machine>(pmap: &mut Pmap<M>, va: u64) {
    let stop = pmap.walk(pmap.kern_pgdir().address(), VirtAddr::new(va));
    pmap.machine().store(stop.at, WordOf::<M>::ZERO);
}

fn map_page<M: Machine>(pmap: &mut Pmap<M>, va: u64, perm: Perm) {
    let pa = pmap.boot().image.text.start;
    let (vm, pgdir) = pmap.split();
    vm.boot_map_region(pgdir, VirtAddr::new(va), PGSIZE, pa, perm);
}

fn set_root_entry<M: Machine>(pmap: &mut Pmap<M>, va: u64, entry: WordOf<M>) {
    let at = M::Format::entry(M::Format::ROOT, pmap.kern_pgdir().address(), VirtAddr::new(va));
    pmap.machine().store(at, entry);
}

fn set_info<M: Machine>(pmap: &mut Pmap<M>, pa: u64, info: PageInfo) {
    let frame = pmap.pages().pa2page(PhysAddr::new(pa)).expect("a frame of RAM");
    pmap.pages_mut().set_info(frame, info);
}

/// A physical address in a gap below or behind the lowest RAM.
fn no_ram<M: Machine>(pmap: &Pmap<M>) -> u64 {
    let lowest = pmap.boot().memory.used::<M::Layout>().next().expect("RAM");
    let second = PhysAddr::new(M::Layout::PHYS_BASE + PGSIZE);
    if second < lowest.start { second.as_u64() } else { lowest.end_exclusive.as_u64() }
}

fn change_frame<M: Machine>(pmap: &mut Pmap<M>, frame: Frame, change: impl FnOnce(&mut PageInfo)) {
    let mut info = pmap.pages().info(frame);
    change(&mut info);
    pmap.pages_mut().set_info(frame, info);
}

/// Frame `n` of the free list: far enough behind its head that the kernel reaches the prompt without it.
fn free_frame<M: Machine>(pmap: &Pmap<M>, n: usize) -> Frame {
    pmap.pages().page_free_list().nth(n).expect("free pages")
}

/// Does `free` while other frames are taken, which then come before its frame on the free list.
fn deep<M: Machine>(pmap: &mut Pmap<M>, free: impl FnOnce(&mut Pmap<M>)) {
    let mut taken = [None; 64];
    taken.fill_with(|| pmap.page_alloc(AllocFlags::empty()));
    free(pmap);
    for frame in taken.into_iter().flatten() {
        pmap.pages_mut().page_free(frame);
    }
}
