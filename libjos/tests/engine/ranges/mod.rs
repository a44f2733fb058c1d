//! Range operations on every format: large pages used, split and merged; errors that change
//! nothing; frames freed only after the flush.

use layout::{JosSv39, MB, MemLayout, PGSIZE};
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator};
use libjos::paging::directory::Pgdir;
use libjos::paging::error::MapError;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::{Mapping, leaves, runs, steps};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::paging::vm::Vm;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};
use libjos::space::AddressSpace;

use crate::layouts::JosSv48;

mod change;
mod large;
mod map;

type Sim<L, F> = Pmap<SimMachine<L, F>>;
type SimVm<L, F> = Vm<SimMachine<L, F>>;

fn booted<L: MemLayout, F: Format + Mmu>() -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(32 * MB);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap
}

/// All that is mapped below UTOP, page by page.
fn user_leaves<L: MemLayout, F: Format + Mmu>(vm: &SimVm<L, F>) -> Vec<Mapping> {
    let last = VirtAddr::new(L::UTOP - 1);
    leaves::<F, _>(vm.machine(), vm.kern_root(), VirtAddr::new(0), last).collect()
}

/// The state that must not change when an operation fails.
fn state<L: MemLayout, F: Format + Mmu>(vm: &SimVm<L, F>) -> (Vec<Mapping>, usize, Vec<u32>) {
    let refs = vm.pages().infos().map(|info| info.pp_ref()).collect();
    (user_leaves(vm), vm.pages().nfree(), refs)
}

/// Device memory behind the window, which `pages` does not describe, aligned to the largest page.
fn device<L: MemLayout>() -> PhysAddr {
    PhysAddr::new(L::PHYS_BASE + 1024 * MB)
}

/// Takes all free pages.
fn take_all<M: Machine>(vm: &mut Vm<M>) -> Vec<Frame> {
    std::iter::from_fn(|| vm.page_alloc(AllocFlags::empty())).collect()
}
