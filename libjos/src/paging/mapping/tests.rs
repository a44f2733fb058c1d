//! Tests of single pages: canonical addresses, counts, the fast walk, flushes.

use core::mem::ManuallyDrop;

use super::*;
use crate::mem::memory_map::window;
use crate::mem::pages::ALLOC_ZERO;
use crate::paging::format::i386::I386;
use crate::paging::format::x86_64::X86_64;
use crate::pmap::mem_init;
use crate::sim::SimMachine;
use layout::{Jos32, Jos64, MB, PGSIZE};

/// Bits that no table translates do not make another name of a page.
#[test]
fn what_is_not_canonical_has_no_page() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let mut pgdir = ManuallyDrop::new(pmap.pgdir_create().unwrap());
    let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
    let va = VirtAddr::new(0x1000);
    pmap.page_insert(&mut pgdir, frame, va, Perm::URW).unwrap();
    assert_eq!(pmap.page_lookup(&pgdir, va).map(|(found, _)| found), Some(frame));
    assert_eq!(pmap.page_lookup(&pgdir, va + (1 << 48)), None);
    assert_eq!(pmap.va2pa(&pgdir, va + (1 << 48)), None);
    let error = Err(MapError::NonCanonical { va: va + (1 << 48) });
    assert_eq!(pmap.pgdir_walk(&mut pgdir, va + (1 << 48), false), error);
    // Where an entry of that name is free, too.
    let va = va + PGSIZE + (1 << 48);
    let error = Err(MapError::NonCanonical { va });
    assert_eq!(pmap.page_insert(&mut pgdir, frame, va, Perm::URW), error);
}

/// Pages mapped below UTOP are counted, and none above.
#[test]
fn pp_ref_counts_up_to_utop() {
    let (machine, boot) = SimMachine::<Jos32, I386>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let (vm, pgdir) = pmap.split();
    let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
    let mut mapped = |va| {
        vm.page_insert(pgdir, frame, VirtAddr::new(va), Perm::KRW).unwrap();
        vm.pages().pp_ref(frame)
    };
    assert_eq!(mapped(Jos32::UTOP), 0);
    assert_eq!(mapped(Jos32::UTOP - PGSIZE), 1);
}

/// The fast walk begins at a page directory in the window, and at no other.
#[test]
fn the_short_way_begins_in_the_window() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let pmap = mem_init(machine, boot);
    let (pgdir, va) = (pmap.kern_pgdir().address(), VirtAddr::new(Jos64::KERNBASE));
    let last = pmap.walk(pgdir, va);
    let found = pmap.fast_walk(pgdir, va).map(|table| X86_64::entry(0, table, va));
    assert_eq!((found, last.level), (Some(last.at), 0));
    assert_eq!(pmap.fast_walk(pgdir + Jos64::WINDOW_SIZE, va), None);
    assert_eq!(pmap.fast_walk(pgdir + 8, va), None);
}

/// `fast_walk` finds no such tables, and the long way is taken.
#[test]
fn tables_above_the_window_serve_as_well() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(264 * MB);
    let mut pmap = mem_init(machine, boot);
    let page = pmap.page_alloc(ALLOC_ZERO).unwrap();
    let next = |pmap: &mut Vm<_>| {
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        pmap.pages().page2pa(frame)
    };
    while window::<Jos64>().contains(next(&mut pmap)) {}
    // No free frame is left in the window, so none of the four tables lies there.
    let (va, other) = (VirtAddr::new(0x1234_5678), VirtAddr::new(0x1234_6000));
    let mut pgdir = ManuallyDrop::new(pmap.pgdir_create().unwrap());
    pmap.page_insert(&mut pgdir, page, va, Perm::URW).unwrap();
    pmap.page_insert(&mut pgdir, page, other, Perm::UR).unwrap();
    assert_eq!(pmap.fast_walk(pgdir.address(), va), None);
    assert_eq!(pmap.pages().pp_ref(page), 2);
    let (found, pte) = pmap.page_lookup(&pgdir, va).unwrap();
    assert_eq!(found, page);
    assert_eq!(pmap.pgdir_walk(&mut pgdir, va, false), Ok(Some(pte)));
    assert!(!window::<Jos64>().contains(pte.pa));
    pmap.page_remove(&mut pgdir, va).unwrap();
    assert_eq!((pmap.va2pa(&pgdir, va), pmap.pages().pp_ref(page)), (None, 1));
    assert_eq!(pmap.page_lookup(&pgdir, other).map(|(found, _)| found), Some(page));
}

/// In the kernel's half a change by any page directory is one in the directory in use.
#[test]
fn the_shared_half_is_flushed_whichever_directory_changes() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let (vm, kern_pgdir) = pmap.split();
    let mut pgdir = ManuallyDrop::new(vm.pgdir_create().unwrap());
    vm.switch(&mut pgdir);
    let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
    let va = VirtAddr::new(Jos64::MMIOBASE);
    vm.page_insert(kern_pgdir, frame, va, Perm::KRW).unwrap();
    assert_eq!(vm.machine_mut().probe_load(va), Ok(0));
    vm.page_remove(kern_pgdir, va).unwrap();
    assert!(vm.machine_mut().probe_load(va).is_err(), "the page is still in the TLB");
}
