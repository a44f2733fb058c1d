//! The monitor's image with functions beside it that grade.py calls from outside, by a debugger's means.
//!
//! Each function is one operation of the memory system on `kern_pgdir`, with numbers for its arguments
//! and its result. The grader picks the arguments, and judges the operation by what it changed in RAM
//! (`tools/grade/driving.py`). The kernel's own images have none of these functions.
#![no_std]
#![no_main]

use kernel as _;
use layout::PGSIZE;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator};
use libjos::paging::format::Perm;
use libjos::paging::pgdir::MapError;

libjos::application!(kernel::monitor::monitor);

/// The result of an operation that gave nothing or changed nothing: no address is this large.
const NONE: u64 = u64::MAX;
/// The result of an operation that was refused, plus the number of the reason.
const REFUSED: u64 = u64::MAX - 0xFF;

/// A function for the grader: its body sees the memory system as `$pmap`.
macro_rules! shims {
    ($($(#[$doc:meta])* fn $name:ident($pmap:ident $(, $argument:ident)*) $body:block)*) => {
        $(
            $(#[$doc])*
            // SAFETY: no other symbol has this name.
            #[unsafe(no_mangle)]
            extern "C" fn $name($($argument: u64),*) -> u64 {
                // SAFETY: the grader stops the kernel at its prompt, where nobody uses the memory system. It maps
                // pages of its own where nothing lies, and gives back all that it took.
                let mut guard = unsafe { kernel::pmap::memory_system() };
                let $pmap = &mut *guard;
                $body
            }
        )*
        /// Keeps the functions in the image, though nothing calls them there.
        #[used]
        static KEPT: &[extern "C" fn()] = &[$(
            // SAFETY: nothing calls them by this type.
            unsafe { core::mem::transmute::<*const (), extern "C" fn()>($name as *const ()) }
        ),*];
    };
}

shims! {
    /// The address of a frame, of zeros if `zero` is not 0.
    fn grade_page_alloc(pmap, zero) {
        pmap.page_alloc(flags(zero)).map_or(NONE, |frame| pmap.pages().page2pa(frame).as_u64())
    }

    /// Frees the frame at `pa`.
    fn grade_page_free(pmap, pa) {
        let frame = frame(pmap.pages(), pa);
        pmap.pages_mut().try_page_free(frame).map_or(REFUSED, |()| 0)
    }

    /// Maps the page at `va` to the frame at `pa`, with the rights in `rights`.
    fn grade_page_insert(pmap, pa, va, rights) {
        let frame = frame(pmap.pages(), pa);
        let (vm, pgdir) = pmap.split();
        outcome(vm.page_insert(pgdir, frame, VirtAddr::new(va), perm(rights)))
    }

    /// Unmaps the page at `va`.
    fn grade_page_remove(pmap, va) {
        let (vm, pgdir) = pmap.split();
        outcome(vm.page_remove(pgdir, VirtAddr::new(va)))
    }

    /// The address of the frame that `va` is mapped to.
    fn grade_page_lookup(pmap, va) {
        let (vm, pgdir) = pmap.split();
        let found = vm.page_lookup(pgdir, VirtAddr::new(va));
        found.map_or(NONE, |(frame, _)| vm.pages().page2pa(frame).as_u64())
    }

    /// The address of the last level's entry for `va`, with tables made for it if `create` is not 0.
    fn grade_pgdir_walk(pmap, va, create) {
        let (vm, pgdir) = pmap.split();
        match vm.pgdir_walk(pgdir, VirtAddr::new(va), create != 0) {
            Ok(pte) => pte.map_or(NONE, |pte| pte.pa.as_u64()),
            Err(error) => outcome(Err(error)),
        }
    }

    /// The physical address that `va` leads to.
    fn grade_va2pa(pmap, va) {
        let (vm, pgdir) = pmap.split();
        vm.va2pa(pgdir, VirtAddr::new(va)).map_or(NONE, PhysAddr::as_u64)
    }

    /// The address of the first of 2^`order` frames in a row.
    fn grade_page_alloc_run(pmap, order) {
        let run = pmap.page_alloc_run(AllocFlags::empty(), order as u32);
        run.map_or(NONE, |frame| pmap.pages().page2pa(frame).as_u64())
    }

    /// Frees the 2^`order` frames from `pa` on.
    fn grade_page_free_run(pmap, pa, order) {
        let first = frame(pmap.pages(), pa);
        pmap.pages_mut().try_page_free_run(first, order as u32).map_or(REFUSED, |()| 0)
    }
}

/// How a frame is to be prepared.
fn flags(zero: u64) -> AllocFlags {
    if zero == 0 { AllocFlags::empty() } else { ALLOC_ZERO }
}

/// The frame at `pa`, described or not.
fn frame(pages: &impl PageAllocator, pa: u64) -> Frame {
    Frame::new(((pa - pages.page2pa(Frame::new(0)).as_u64()) / PGSIZE) as u32)
}

/// The grader's rights: bit 0 to write, bit 1 for the user, bit 2 to execute. Every page can be read.
fn perm(rights: u64) -> Perm {
    let mut perm = Perm::R;
    perm.set(Perm::W, rights & 1 != 0);
    perm.set(Perm::U, rights & 2 != 0);
    perm.set(Perm::X, rights & 4 != 0);
    perm
}

/// The result of an operation: 0, or the number of the reason why it was refused.
fn outcome(result: Result<(), MapError>) -> u64 {
    match result {
        Ok(()) => 0,
        Err(MapError::NoMemory { .. }) => REFUSED + 1,
        Err(MapError::LargePage { .. }) => REFUSED + 2,
        Err(MapError::NonCanonical { .. }) => REFUSED + 3,
        Err(MapError::Uvpt { .. }) => REFUSED + 4,
        Err(MapError::FreePage { .. } | MapError::Overflow { .. }) => REFUSED + 5,
        Err(_) => REFUSED,
    }
}
