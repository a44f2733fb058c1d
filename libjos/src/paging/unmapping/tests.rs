//! Tests of the guard: which pages are flushed, and how.

use core::mem::ManuallyDrop;

use super::*;
use crate::machine::PhysMem;
use crate::paging::format::Perm;
use crate::paging::format::x86_64::X86_64;
use crate::pmap::{Pmap, mem_init};
use crate::sim::SimMachine;
use crate::space::AddressSpace;
use layout::{Jos64, MB, PGSIZE};

type Machine = SimMachine<Jos64, X86_64>;

/// Two directories with nine pages each, of which the first is in use, and the translations of
/// its pages in the TLB. Then the first entry and the last go, and nobody tells the processor.
fn nine_pages() -> (Pmap<Machine>, [ManuallyDrop<AddressSpace>; 2]) {
    let (machine, boot) = Machine::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let mut spaces =
        [(); 2].map(|()| ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap()));
    for space in &mut spaces {
        space.uvmalloc(&mut pmap, 0, 9 * PGSIZE, Perm::W).unwrap();
    }
    spaces[0].switchuvm(&mut pmap);
    assert_eq!(seen(&mut pmap), [true; 9]);
    for i in [0, 8] {
        let entry = pmap.walk(spaces[0].pgdir().address(), VirtAddr::new(i * PGSIZE)).at;
        pmap.machine().store(entry, 0_u64);
    }
    (pmap, spaces)
}

/// Which of the pages the processor still sees.
fn seen(vm: &mut Vm<Machine>) -> [bool; 9] {
    core::array::from_fn(|i| vm.machine_mut().user_load(VirtAddr::new(i as u64 * PGSIZE)).is_ok())
}

/// Each page of a run that is gone is forgotten, and no other.
#[test]
fn few_pages_are_flushed_one_by_one() {
    let (mut pmap, [mut space, _]) = nine_pages();
    let mut unmapping =
        pmap.unmap_range(space.pgdir_mut(), VirtAddr::new(4 * PGSIZE), 3 * PGSIZE).unwrap();
    assert_eq!(unmapping.meanwhile(seen), [true; 9], "the TLB has them still");
    assert_eq!(unmapping.finish(), 3);
    assert_eq!(seen(&mut pmap), [true, true, true, true, false, false, false, true, true]);
}

#[test]
fn what_no_processor_sees_is_not_flushed() {
    let (mut pmap, [_, mut other]) = nine_pages();
    assert_eq!(
        pmap.unmap_range(other.pgdir_mut(), VirtAddr::new(0), 9 * PGSIZE).unwrap().finish(),
        9
    );
    assert_eq!(seen(&mut pmap), [true; 9]);
}
