//! Planted faults: each check must catch, and name, what it is there to catch.
//!
//! Each fault is planted in a finished memory system, or is an allocator or processor that does one
//! thing wrong, on every machine that can have it. Formats and layouts with a fault are caught by
//! `mem_init` itself.

mod allocator;
mod envs;
mod formats;
mod frames;
mod layouts;
mod map;
mod tables;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

use layout::{Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};

use crate::check::Checks;
use crate::machine::{CpuSet, Machine, PhysMem};
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::pages::{
    ALLOC_ZERO, AllocFlags, CountError, Frame, FreeList, PageAllocator, PageError, PageInfo, Pages,
};
use crate::paging::format::i386::I386;
use crate::paging::format::riscv::Sv39;
use crate::paging::format::x86_64::X86_64;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::mappings::steps;
use crate::paging::pgdir::WordOf;
use crate::paging::word::Word;
use crate::pmap::{Pmap, mem_init};
use crate::sim::{SimMachine, mmu::Mmu};
use crate::space::AddressSpace;

const RAM: u64 = 5 * MB;

/// RAM beyond the window, where a machine has it: some large pages, and one page more.
const RAM_ABOVE: u64 = 4 * MB + PGSIZE;

type Sim<L, F> = Pmap<SimMachine<L, F>>;

/// A fault, how to plant it and ask for it, and what the check must say.
struct Fault<L: MemLayout, F: Format + Mmu> {
    name: &'static str,
    /// Plants the fault and runs the check that must catch it.
    run: fn(&mut Sim<L, F>),
    /// The panic's message contains this.
    says: &'static str,
}

/// A sound system with a sound stack, where `mem_init` and all checks have passed.
fn sound<L: MemLayout, F: Format + Mmu>(ram: u64) -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(ram);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap.checks().check_page_installed_pgdir();
    pmap
}

impl<L: MemLayout, F: Format + Mmu> Sim<L, F> {
    /// Changes the leaf that maps `va`, whatever its size.
    fn change_leaf(&mut self, va: u64, change: impl FnOnce(&mut Leaf)) {
        let stop = self.walk(self.kern_pgdir().address(), VirtAddr::new(va));
        let Entry::Leaf(mut leaf) = stop.entry else { panic!("{va:#x} is not mapped") };
        change(&mut leaf);
        self.machine().store(stop.at, F::leaf(stop.level, leaf.pa, leaf.perm));
    }

    fn allow(&mut self, va: u64, perm: Perm) {
        self.change_leaf(va, |leaf| leaf.perm |= perm);
    }

    fn forbid(&mut self, va: u64, perm: Perm) {
        self.change_leaf(va, |leaf| leaf.perm -= perm);
    }

    /// Takes away the leaf that maps `va`, whatever its size.
    fn unmap(&mut self, va: u64) {
        let stop = self.walk(self.kern_pgdir().address(), VirtAddr::new(va));
        self.machine().store(stop.at, WordOf::<SimMachine<L, F>>::ZERO);
    }

    fn map_page(&mut self, va: u64, perm: Perm) {
        let pa = PhysAddr::new(L::PHYS_BASE + MB);
        let (vm, pgdir) = self.split();
        vm.boot_map_region(pgdir, VirtAddr::new(va), PGSIZE, pa, perm);
    }

    /// Puts another entry for itself into the directory.
    fn set_self_map(&mut self, entry: F::Word) {
        let at = F::entry(F::ROOT, self.kern_pgdir().address(), VirtAddr::new(L::UVPT));
        self.machine().store(at, entry);
    }

    /// Changes what `pages` says of the frame at `pa`.
    fn change_info(&mut self, pa: u64, change: impl FnOnce(&mut PageInfo)) {
        let frame = self.pages().pa2page(PhysAddr::new(pa)).expect("a frame of RAM");
        self.change_frame(frame, change);
    }

    fn change_frame(&mut self, frame: Frame, change: impl FnOnce(&mut PageInfo)) {
        let mut info = self.pages().info(frame);
        change(&mut info);
        self.pages_mut().set_info(frame, info);
    }

    /// Reserves a page in place of the one at `pa`, so that there are as few as the memory map
    /// promises on its side of 1 MB.
    fn reserve_another(&mut self, pa: PhysAddr) {
        let side = |pa: PhysAddr| pa.as_u64() < L::EXTPHYSMEM;
        let mut taken = Vec::new();
        loop {
            let frame = self.page_alloc(AllocFlags::empty()).expect("a free page");
            if side(self.pages().page2pa(frame)) == side(pa) {
                self.pages_mut().set_info(frame, PageInfo::reserved());
                break;
            }
            taken.push(frame);
        }
        taken.into_iter().rev().for_each(|frame| self.pages_mut().page_free(frame));
    }

    /// The index of the free list's second frame.
    fn second_free(&self) -> u32 {
        let second = self.pages().page_free_list().nth(1).expect("two free pages");
        u32::try_from(second.index()).expect("frames have 32-bit numbers")
    }
}

/// The message of a panic.
pub(super) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => String::from(*text),
        _ => String::new(),
    }
}

/// Plants the faults in a machine with `ram` bytes.
fn are_caught<L: MemLayout, F: Format + Mmu>(ram: u64, faults: Vec<Fault<L, F>>) {
    for Fault { name, run, says } in faults {
        let mut pmap = sound::<L, F>(ram);
        match catch_unwind(AssertUnwindSafe(|| run(&mut pmap))) {
            Ok(()) => panic!("{}: {name}: no check noticed", L::NAME),
            Err(panic) => {
                let said = message(&*panic);
                assert!(said.contains(says), "{}: {name}: the check said: {said}", L::NAME);
            }
        }
    }
}

fn every_fault_is_caught<L: MemLayout, F: Format + Mmu>() {
    let faults = [map::faults::<L, F>(), envs::faults(), frames::faults(), tables::faults()];
    let faults = faults.into_iter().flatten().collect();
    are_caught(RAM, faults);
}

#[test]
fn physmap() {
    let above = |window: u64| window + RAM_ABOVE;
    are_caught(above(Jos64::WINDOW_SIZE), map::physmap_faults::<Jos64, X86_64>());
    are_caught(above(JosSv39::WINDOW_SIZE), map::physmap_faults::<JosSv39, Sv39>());
}

#[test]
fn jos64() {
    every_fault_is_caught::<Jos64, X86_64>();
}

#[test]
fn jos32() {
    every_fault_is_caught::<Jos32, I386>();
}

#[test]
fn jossv39() {
    every_fault_is_caught::<JosSv39, Sv39>();
}

/// Devices are mapped from MMIOBASE on, each where it belongs and for the kernel alone.
#[test]
fn devices() {
    const DEVICES: [PhysRange; 2] = [
        PhysRange::new(PhysAddr::new(0x1000_0000), PhysAddr::new(0x1000_2000)),
        PhysRange::new(PhysAddr::new(0x10_0000), PhysAddr::new(0x10_1000)),
    ];
    const AT: u64 = JosSv39::MMIOBASE;
    type Fault = fn(&mut Sim<JosSv39, Sv39>);
    let check = |fault: Fault| {
        let (mut machine, boot) = SimMachine::new(RAM);
        machine.devices = &DEVICES;
        let mut pmap = mem_init(machine, boot);
        fault(&mut pmap);
        pmap.checks().check_kern_pgdir();
    };
    check(|_| {});
    // `check_page` leaves the devices mapped.
    check(|pmap| pmap.checks().check_page());
    let faults: [(Fault, &str); 6] = [
        (|pmap| pmap.unmap(AT), "devices: 0xffffffffef800000 must lead to 0x10000000"),
        (|pmap| pmap.unmap(AT + PGSIZE), "devices: 0xffffffffef801000 must lead to 0x10001000"),
        (|pmap| pmap.forbid(AT + 2 * PGSIZE, Perm::W), "0xffffffffef802000 must lead to 0x100000"),
        (|pmap| pmap.allow(AT, Perm::U), "-rw-g, not to 0x10000000 urw-g"),
        (|pmap| pmap.change_leaf(AT, |leaf| leaf.pa = PhysAddr::new(0x1000_1000)), "devices: "),
        (|pmap| pmap.map_page(AT + 3 * PGSIZE, Perm::KRW), "between MMIOBASE and"),
    ];
    for (fault, says) in faults {
        let panic = catch_unwind(AssertUnwindSafe(|| check(fault))).expect_err(says);
        let said = message(&*panic);
        assert!(said.contains(says), "{says}: the check said: {said}");
    }
}

/// UVPT's first page shows the table that maps address 0. It may be there without any page, as `page_remove` leaves it.
#[test]
fn an_empty_table_is_no_mapping() {
    fn is_none<L: MemLayout, F: Format + Mmu>() {
        let mut pmap = sound::<L, F>(RAM);
        pmap.map_page(0, Perm::URW);
        pmap.unmap(0);
        pmap.machine_mut().flush_tlb(CpuSet::ALL);
        pmap.checks().check_kern_pgdir();
        assert_eq!(pmap.va2pa(pmap.kern_pgdir(), VirtAddr::new(L::UVPT)).is_some(), L::SELF_MAP);
    }
    is_none::<Jos64, X86_64>();
    is_none::<Jos32, I386>();
    is_none::<JosSv39, Sv39>();
}

/// The kernel's tables have one use more for each address space, and that is no fault.
#[test]
fn address_spaces_share_tables() {
    let mut pmap = sound::<Jos64, X86_64>(RAM);
    let space = AddressSpace::uvmcreate(&mut pmap).expect("a page for the directory");
    pmap.checks().check_page_free_list();
    space.uvmfree(&mut pmap);
}
