//! [`Hardware`]: the machine that `libjos` works on. Its memory is accessed through the windows.

use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{Ordering, fence};

use layout::{MemLayout, PGSIZE};
use libjos::machine::{CpuSet, Fault, Machine, PhysMem, count_zeros};
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::kaddr;
use libjos::mem::pages::Globals;
use libjos::mem::pages::{POISON, PageArray, PageInfo};
use libjos::paging::word::Word;

use crate::arch::{EntryWord, Format, Layout, cpu, devices, features, probe};
use crate::console;
use crate::globals;
use crate::window;

/// The machine. Its holder can do all that [`Machine`] can, so there is only one, in
/// [`pmap`](crate::pmap).
#[derive(Debug)]
pub struct Hardware {
    /// The levels at which this processor accepts a leaf.
    leaf_levels: u32,
}

impl Hardware {
    /// The machine. Only for [`pmap`](crate::pmap).
    pub(crate) fn new() -> Self {
        Self { leaf_levels: features::leaf_levels() }
    }
}

/// The kernel's pointer to the `size` bytes at `pa` (JOS's `KADDR`). All access to page tables goes
/// through here. For one word in the window at KERNBASE the check is one test of bits. There is none if the
/// compiler knows from how `pa` was made that it lies there.
///
/// # Panics
///
/// If the bytes do not all lie in one window, or `pa` is not aligned.
#[inline(always)]
pub(crate) fn kaddr<T>(pa: PhysAddr, size: u64) -> *mut T {
    // An address below the window wraps around to far beyond the window's end.
    let offset = pa.as_u64().wrapping_sub(Layout::PHYS_BASE);
    let align = align_of::<T>() as u64;
    let is_inside = offset & (!(Layout::WINDOW_SIZE - 1) | (align - 1)) == 0;
    // If the first byte at an aligned address lies in the window, `align` bytes do.
    let ends_inside = || offset.checked_add(size).is_some_and(|end| end <= Layout::WINDOW_SIZE);
    if !is_inside || size > align && !ends_inside() {
        in_physmap(pa, size)
    } else {
        window::at(offset)
    }
}

/// [`kaddr`] for addresses outside of the window at KERNBASE.
#[cold]
#[inline(never)]
fn in_physmap<T>(pa: PhysAddr, size: u64) -> *mut T {
    match kaddr::kaddr::<Layout>(pa, size) {
        Some(va) if pa.is_aligned(align_of::<T>() as u64) => {
            ptr::with_exposed_provenance_mut(va.as_u64() as usize)
        }
        _ => panic!("physical address {pa} ({size} bytes) is not aligned, or no window shows it"),
    }
}

/// Whether a register holds the word, so that one plain instruction reads or writes it. There are wider
/// accesses, but slow ones, or with registers that traps do not save.
const fn is_one_access<W: Word>() -> bool {
    size_of::<W>() <= size_of::<usize>()
}

/// Fills the free frame at `pa` with poison, for
/// [`Vm::poison_pages`](libjos::paging::vm::Vm::poison_pages).
pub(crate) fn poison_frame(pa: PhysAddr) {
    let words = kaddr::<u64>(pa, PGSIZE);
    for i in 0..PGSIZE as usize / size_of::<u64>() {
        // SAFETY: as in `Hardware::store`, for a whole frame that nothing uses.
        unsafe { words.wrapping_add(i).write(POISON) };
    }
}

impl PhysMem for Hardware {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        const { assert!(is_one_access::<W>()) };
        // SAFETY: aligned and in a window, which is mapped permanently (`kaddr`). Only this type and
        // the processor write words at physical addresses, atomically.
        unsafe { W::load(kaddr(pa, W::BYTES)) }
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        const { assert!(is_one_access::<W>()) };
        // SAFETY: as in `load`; and `libjos` writes only to its own frames and to frames that it has
        // not given out. Outside the kernel's code and constants the window is writable.
        unsafe { W::store(kaddr(pa, W::BYTES), word) };
    }

    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W> {
        const { assert!(is_one_access::<W>()) };
        // SAFETY: as in `store`.
        unsafe { W::compare_exchange(kaddr(pa, W::BYTES), current, new) }
    }

    fn store_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        /// Stores per turn of the loop; a page table takes some hundred.
        const UNROLLED: usize = 16;
        let mut next = kaddr::<W>(pa, W::BYTES * count as u64);
        let mut word = first;
        // Orders all stores of the run at once; on x86 this is no instruction.
        fence(Ordering::Release);
        let mut store = |count: usize| {
            for i in 0..count {
                // SAFETY: as in `store`; all the words lie in one window, and this stores `count`
                // of them in all.
                unsafe { W::store_relaxed(next.wrapping_add(i), word) };
                word = word.wrapping_add(step);
            }
            next = next.wrapping_add(count);
        };
        for _ in 0..count / UNROLLED {
            store(UNROLLED);
        }
        store(count % UNROLLED);
    }

    fn zeros<W: Word>(&self, pa: PhysAddr, count: usize) -> usize {
        const { assert!(is_one_access::<W>()) };
        let first = kaddr::<W>(pa, W::BYTES * count as u64);
        // SAFETY: as in `load`; all the words lie in one window.
        count_zeros(pa, count, |i| unsafe { W::load(first.wrapping_add(i)) })
    }

    fn zeros_unused<W: Word>(&self, pa: PhysAddr, count: usize) -> usize {
        let first = kaddr::<W>(pa, W::BYTES * count as u64);
        // SAFETY: as in `zeros`; and nobody writes there meanwhile.
        count_zeros(pa, count, |i| unsafe { first.wrapping_add(i).read() })
    }

    fn load_bytes(&self, pa: PhysAddr, dst: &mut [u8]) {
        let src = kaddr::<u8>(pa, dst.len() as u64);
        // SAFETY: as in `load`; the bytes lie in one window, and not in `dst`, which is no frame that `libjos` reads so.
        unsafe { ptr::copy_nonoverlapping(src, dst.as_mut_ptr(), dst.len()) };
    }

    fn store_bytes(&self, pa: PhysAddr, src: &[u8]) {
        let dst = kaddr::<u8>(pa, src.len() as u64);
        // SAFETY: as in `store`; the bytes lie in one window, and not in `src`.
        unsafe { ptr::copy_nonoverlapping(src.as_ptr(), dst, src.len()) };
    }

    #[inline(always)] // so that words which were just computed are written as they are
    fn store_words<W: Word>(&self, pa: PhysAddr, words: &[W]) {
        let dst = kaddr::<W>(pa, size_of_val(words) as u64);
        for (i, word) in words.iter().enumerate() {
            // SAFETY: as in `store`; all the words lie in one window.
            unsafe { W::store_relaxed(dst.wrapping_add(i), *word) };
        }
    }

    fn zero_frame(&self, pa: PhysAddr) {
        assert!(pa.is_aligned(PGSIZE), "frame {pa} is not aligned");
        if !cpu::FILLS {
            return self.store_run::<EntryWord>(pa, 0, 0, PGSIZE as usize / size_of::<EntryWord>());
        }
        // SAFETY: as in `store`, for a whole frame that nothing uses yet.
        unsafe { kaddr::<u64>(pa, PGSIZE).write_bytes(0, PGSIZE as usize / size_of::<u64>()) };
    }

    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        let size = (npages * size_of::<PageInfo>()) as u64;
        let start = NonNull::new(kaddr(pa, size)).expect("KERNBASE is not 0");
        let array = NonNull::slice_from_raw_parts(start, npages);
        // SAFETY: RAM in the window, which is mapped permanently and may hold any numbers; the caller
        // promises that nobody has a reference into it. One processor runs, so nothing accesses it
        // concurrently.
        unsafe { PageArray::new(array) }
    }
}

impl Machine for Hardware {
    type Layout = Layout;
    type Format = Format;

    fn leaf_levels(&self) -> u32 {
        self.leaf_levels
    }

    fn devices(&self) -> &'static [PhysRange] {
        devices()
    }

    fn lcr3(&mut self, pgdir: PhysAddr) {
        // SAFETY: the caller maps all code, stacks and data in use at the same addresses in the
        // new directory (the contract of this method).
        unsafe { cpu::lcr3(pgdir) };
    }

    fn protect_kernel(&mut self) {
        cpu::protect_kernel();
    }

    fn invlpg(&mut self, cpus: CpuSet, va: VirtAddr) {
        if cpus.contains(self.cpu()) {
            cpu::invlpg(va);
        }
    }

    fn flush_tlb(&mut self, cpus: CpuSet) {
        if cpus.contains(self.cpu()) {
            cpu::flush_tlb();
        }
    }

    fn made_valid(&mut self, page: Option<VirtAddr>) {
        cpu::made_valid(page);
    }

    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        probe::load(va.as_u64())
    }

    fn probe_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        // SAFETY: the memory system probes only pages that it has mapped for the probe, or that must
        // fault.
        unsafe { probe::store(va.as_u64(), value) }
    }

    fn stack_pointer(&self) -> VirtAddr {
        cpu::stack_pointer()
    }

    fn tell_debugger(&mut self, globals: &Globals) {
        globals::note(globals);
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        console::print(text);
    }
}

#[cfg(test)]
mod tests;
