//! User memory in the last frame of the window, which is RAM that the kernel does not reach.

use layout::{Jos64, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Geometry, Perm};
use libjos::paging::range::PageSizes::Smallest;
use libjos::pmap::mem_init;
use libjos::sim::SimMachine;
use libjos::space::AddressSpace;

const ZERO: VirtAddr = VirtAddr::new(0);

/// A copy shares the frame, and takes no page for it.
#[test]
fn the_windows_last_frame_is_not_copied() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(Jos64::WINDOW_SIZE);
    let mut pmap = mem_init(machine, boot);
    let [mut old, mut new] = [(); 2].map(|()| AddressSpace::uvmcreate(&mut pmap).unwrap());
    let last = PhysAddr::new(Jos64::WINDOW_LAST_FRAME);
    pmap.map_range(old.pgdir_mut(), ZERO, PGSIZE, last, Perm::URW, Smallest).unwrap();
    let tables = X86_64::ROOT as usize;
    while pmap.pages().nfree() > tables {
        pmap.page_alloc(AllocFlags::empty()).unwrap();
    }
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, PGSIZE), Ok(()));
    assert_eq!(pmap.va2pa(new.pgdir(), ZERO), Some(last));
    old.uvmfree(&mut pmap);
    new.uvmfree(&mut pmap);
}
