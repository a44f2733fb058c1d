//! Bytes and strings carried between the kernel and user memory, over page boundaries and only where the
//! user may.

use layout::{Jos64, MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::pmap::mem_init;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;
use libjos::space::uvm::UvmError;

use super::rig::{
    SimVm, ZERO, forked, new_space, roots, state, three_pages, three_words, with_each_shortage,
    with_space,
};

on_every_format! {
    bytes_cross_page_boundaries
    only_what_the_user_may_do_is_done
    a_device_is_no_memory_to_copy
    strings_end
    copyout_copies_what_is_shared
}

fn bytes_cross_page_boundaries<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    // Pages that are no neighbours in physical memory: the list gives them downwards or apart.
    space.uvmalloc(&mut pmap, 0, 4 * PGSIZE, Perm::W).unwrap();
    pmap.switchkvm();
    let pattern: Vec<u8> = (0..2 * PGSIZE + 100).map(|i| (i % 251) as u8 + 1).collect();
    let some = |n: u64| &pattern[..n as usize];
    for (start, len) in [
        (0, 1),
        (3, 5),
        (5, 3),
        (1, 22),
        (PGSIZE - 1, 2),
        (PGSIZE - 8, 16),
        (PGSIZE - 3, 2 * PGSIZE + 7),
        (PGSIZE, PGSIZE),
        (4 * PGSIZE - 9, 9),
        (0, 2 * PGSIZE + 100),
    ] {
        for page in 0..4 {
            let pa = pmap.va2pa(space.pgdir(), VirtAddr::new(page * PGSIZE)).unwrap();
            for offset in (0..PGSIZE).step_by(8) {
                pmap.machine().store(pa + offset, u64::MAX);
            }
        }
        space.copyout(&mut pmap, VirtAddr::new(start), some(len)).unwrap();
        let mut all = vec![0; 4 * PGSIZE as usize];
        space.copyin(&pmap, &mut all, ZERO).unwrap();
        let (before, rest) = all.split_at(start as usize);
        let (written, after) = rest.split_at(len as usize);
        assert!(written == some(len), "{len} bytes at {start:#x}");
        assert!(before.iter().chain(after).all(|byte| *byte == 0xff), "{len} bytes at {start:#x}");
        let mut back = vec![0; len as usize];
        space.copyin(&pmap, &mut back, VirtAddr::new(start)).unwrap();
        assert!(back == some(len), "{len} bytes at {start:#x}");
    }
}

fn only_what_the_user_may_do_is_done<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, &mut space);
    // The page below UTOP, the user's; and one of the kernel's below UTOP.
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    let top = VirtAddr::new(L::UTOP - PGSIZE);
    pmap.page_insert(space.pgdir_mut(), frame, top, Perm::URW).unwrap();
    pmap.page_insert(space.pgdir_mut(), frame, VirtAddr::new(sz), Perm::KRW).unwrap();
    // And one at UTOP, which the user can reach, and the kernel will not.
    pmap.page_insert(space.pgdir_mut(), frame, VirtAddr::new(L::UTOP), Perm::URW).unwrap();
    let before = state(&pmap, &roots([&space]));
    let mut bytes = [0; 16];
    let mut refused = |at: u64, write_only: bool, first_bad: u64| {
        let (va, error) = (VirtAddr::new(at), UvmError::NoAccess { va: VirtAddr::new(first_bad) });
        assert_eq!(space.copyout(&mut pmap, va, &[0xff; 16]), Err(error), "write at {at:#x}");
        if !write_only {
            assert_eq!(space.copyin(&pmap, &mut bytes, va), Err(error), "read at {at:#x}");
            assert_eq!(space.copyinstr(&pmap, &mut [0; 16], va), Err(error), "read at {at:#x}");
        }
    };
    refused(2 * PGSIZE, false, 2 * PGSIZE);
    refused(3 * PGSIZE + 8, true, 3 * PGSIZE + 8);
    refused(sz + 4, false, sz + 4);
    // At UTOP and above there is no user memory, though the user can read UPAGES; nor where
    // addresses are not canonical, or the length wraps.
    let kernels = [L::UTOP, L::LOWER_END, L::UPAGES, L::UVPT, L::KERNBASE, u64::MAX - 3, u64::MAX];
    for va in kernels {
        refused(va, false, va);
    }
    // The first bytes may be accessed, those after them may not.
    refused(2 * PGSIZE - 8, true, 2 * PGSIZE);
    refused(L::UTOP - 8, true, L::UTOP);
    for (va, bad) in [(2 * PGSIZE - 8, 2 * PGSIZE), (L::UTOP - 8, L::UTOP)] {
        let error = Err(UvmError::NoAccess { va: VirtAddr::new(bad) });
        assert_eq!(space.copyin(&pmap, &mut bytes, VirtAddr::new(va)), error);
    }
    // Nothing is copied out before all is found to be in order.
    assert_eq!(three_words(&pmap, &space), [1, 2, 3]);
    let last: u64 = pmap.machine().load(pmap.pages().page2pa(frame) + (PGSIZE - 8));
    assert_eq!((last, state(&pmap, &roots([&space])) == before), (0, true));
    // No bytes are no access.
    for va in [2 * PGSIZE, L::UTOP, u64::MAX].map(VirtAddr::new) {
        assert_eq!(space.copyin(&pmap, &mut [], va), Ok(()));
        assert_eq!(space.copyout(&mut pmap, va, &[]), Ok(()));
    }
    // And up to UTOP it goes.
    space.copyout(&mut pmap, VirtAddr::new(L::UTOP - 16), &[7; 16]).unwrap();
}

/// The user may use a device that is mapped for it, and the kernel will not do so for the user.
fn a_device_is_no_memory_to_copy<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    space.uvmalloc(&mut pmap, 0, PGSIZE, Perm::W).unwrap();
    let va = VirtAddr::new(PGSIZE);
    // Far away, beside the RAM, and (on a PC) within what `pages` describes.
    let beside = PhysAddr::new(L::PHYS_BASE + pmap.pages().npages() as u64 * PGSIZE);
    let mut devices = vec![PhysAddr::new(L::PHYS_BASE + 1024 * MB), beside];
    if L::IOPHYSMEM < L::EXTPHYSMEM {
        devices.push(PhysAddr::new(L::IOPHYSMEM));
    }
    for device in devices {
        for perm in [Perm::URW, Perm::UR, Perm::UR | Perm::COW] {
            pmap.map_range(space.pgdir_mut(), va, PGSIZE, device, perm, Smallest).unwrap();
            let before = state(&pmap, &roots([&space]));
            for (at, bad) in [(va + 8, va + 8), (VirtAddr::new(PGSIZE - 8), va)] {
                let refused = UvmError::NoAccess { va: bad };
                let (mut bytes, mut text) = ([0; 16], [0; 16]);
                pmap.machine()
                    .store(pmap.va2pa(space.pgdir(), VirtAddr::new(PGSIZE - 8)).unwrap(), !0_u64);
                assert_eq!(space.copyin(&pmap, &mut bytes, at), Err(refused), "{device}");
                assert_eq!(space.copyinstr(&pmap, &mut text, at), Err(refused), "{device}");
                assert_eq!(space.copyout(&mut pmap, at, &[7; 16]), Err(refused), "{device}");
                let word = pmap.va2pa(space.pgdir(), VirtAddr::new(PGSIZE - 8)).unwrap();
                assert_eq!(pmap.machine().load::<u64>(word), !0, "nothing has changed");
            }
            assert_eq!(state(&pmap, &roots([&space])), before);
            assert_eq!(pmap.unmap_range(space.pgdir_mut(), va, PGSIZE).unwrap().finish(), 0);
        }
    }
}

/// RAM that `pages` has no room for, or that was to be left alone, has no address in the kernel.
#[test]
fn ram_that_is_not_used_is_no_memory_to_copy() {
    let (machine, mut boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let (va, unused) = (VirtAddr::new(PGSIZE), PhysAddr::new(7 * MB));
    boot.memory.limit(unused);
    let mut pmap = mem_init(machine, boot);
    let mut space = new_space(&mut pmap);
    pmap.map_range(space.pgdir_mut(), va, PGSIZE, unused, Perm::URW, Smallest).unwrap();
    assert_eq!(space.copyout(&mut pmap, va, &[1]), Err(UvmError::NoAccess { va }));
    assert_eq!(space.copyin(&pmap, &mut [0], va), Err(UvmError::NoAccess { va }));
}

fn strings_end<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    space.uvmalloc(&mut pmap, 0, 2 * PGSIZE, Perm::W).unwrap();
    let put = |vm: &mut SimVm<L, F>, space: &mut AddressSpace, at: u64, text: &[u8]| {
        space.copyout(vm, VirtAddr::new(at), text).unwrap();
        VirtAddr::new(at)
    };
    let mut dst = [0xff; 16];
    // Over the boundary, and with the 0 as the first byte behind it.
    for at in [PGSIZE - 3, PGSIZE - 5, 11] {
        let va = put(&mut pmap, &mut space, at, b"hello\0more");
        assert_eq!(space.copyinstr(&pmap, &mut dst, va), Ok(5));
        assert_eq!(&dst[..6], b"hello\0");
        // Room for it and its end, no less.
        assert_eq!(space.copyinstr(&pmap, &mut dst[..6], va), Ok(5));
        assert_eq!(space.copyinstr(&pmap, &mut dst[..5], va), Err(UvmError::TooLong { va }));
        assert_eq!(space.copyinstr(&pmap, &mut [], va), Err(UvmError::TooLong { va }));
    }
    let empty = put(&mut pmap, &mut space, 100, b"\0");
    assert_eq!(space.copyinstr(&pmap, &mut dst, empty), Ok(0));
    // One that runs out of the memory, and one that ends with its last byte.
    let va = put(&mut pmap, &mut space, 2 * PGSIZE - 4, b"abcd");
    let end = VirtAddr::new(2 * PGSIZE);
    assert_eq!(space.copyinstr(&pmap, &mut dst, va), Err(UvmError::NoAccess { va: end }));
    assert_eq!(space.copyinstr(&pmap, &mut dst[..4], va), Err(UvmError::TooLong { va }));
    put(&mut pmap, &mut space, 2 * PGSIZE - 4, b"abc\0");
    assert_eq!(space.copyinstr(&pmap, &mut dst, va), Ok(3));
}

fn copyout_copies_what_is_shared<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent, mut child) = forked::<L, F>();
    let both = roots([&parent, &child]);
    // The child is in use, and the processor knows its second page.
    child.switchuvm(&mut pmap);
    let second = VirtAddr::new(PGSIZE);
    assert_eq!(pmap.machine_mut().user_load(second), Ok(2));
    let va = VirtAddr::new(PGSIZE - 4);
    let error = UvmError::NoMemory { va };
    let out = |vm: &mut SimVm<L, F>| child.copyout(vm, va, &[0xff; 12]);
    let ((), n) = with_each_shortage(&mut pmap, &both, error, out);
    assert_eq!(n, 2, "two pages were copied");
    assert_eq!(three_words(&pmap, &parent), [1, 2, 3]);
    assert_eq!(three_words(&pmap, &child), [1, u64::MAX, 3]);
    assert_eq!(pmap.machine_mut().user_load(second), Ok(u64::MAX));
    // The parent is alone with its pages now, so its turn takes none.
    let out = |vm: &mut SimVm<L, F>| parent.copyout(vm, va, &[0xff; 12]);
    let ((), n) = with_each_shortage(&mut pmap, &both, UvmError::NoMemory { va }, out);
    assert_eq!(n, 0);
    // With a page that cannot be written behind it, none is copied.
    let mut grandchild = new_space(&mut pmap);
    child.uvmcow(&mut pmap, &mut grandchild, 2 * PGSIZE).unwrap();
    let before = state(&pmap, &both);
    let refused = child.copyout(&mut pmap, VirtAddr::new(2 * PGSIZE - 4), &[0xff; 12]);
    assert_eq!(refused, Err(UvmError::NoAccess { va: VirtAddr::new(2 * PGSIZE) }));
    assert_eq!(state(&pmap, &both), before);
}

/// The small pages behind it, which are copied with it, begin with their own bytes.
#[test]
fn a_large_page_of_ram_is_copied_page_by_page() {
    let (mut pmap, mut old) = with_space::<Jos64, X86_64>();
    let large = X86_64::page_size(1);
    let run = pmap.page_alloc_run(AllocFlags::empty(), 9).unwrap();
    let pa = pmap.pages().page2pa(run);
    pmap.map_range(old.pgdir_mut(), ZERO, large, pa, Perm::URW, Largest).unwrap();
    let sz = old.uvmalloc(&mut pmap, large, large + 2 * PGSIZE, Perm::W).unwrap();
    let pages = || (0..sz).step_by(PGSIZE as usize).map(VirtAddr::new);
    for va in pages() {
        let pa = pmap.va2pa(old.pgdir(), va).unwrap();
        pmap.machine().store(pa, va.as_u64() + 1);
    }
    let mut new = new_space(&mut pmap);
    old.uvmcopy(&mut pmap, &mut new, sz).unwrap();
    for va in pages() {
        let pa = pmap.va2pa(new.pgdir(), va).unwrap();
        assert_ne!(pmap.va2pa(old.pgdir(), va), Some(pa), "{va}");
        assert_eq!(pmap.machine().load::<u64>(pa), va.as_u64() + 1, "{va}");
    }
}
