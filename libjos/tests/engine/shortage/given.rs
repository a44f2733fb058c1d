//! The spaces, pages and areas that the operations work on, and their errors.

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::Frame;
use libjos::paging::directory::Pgdir;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::leaves;
use libjos::paging::range::PageSizes::{self, Largest};
use libjos::paging::vm::Vm;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;
use libjos::space::uvm::UvmError;

use super::Owed::Nothing;
use super::{Owed, Refused, Sim};
use crate::places::{Spaces, block, device, huge, page};

pub(crate) fn no_table(va: VirtAddr) -> MapError {
    MapError::NoMemory { va }
}

pub(crate) fn no_page(va: VirtAddr) -> Refused {
    UvmError::NoMemory { va }.into()
}

pub(crate) fn no_table_for_user(va: VirtAddr) -> Refused {
    UvmError::Map(no_table(va)).into()
}

/// The 2^`order` pages that were allocated, if they were.
pub(crate) fn pages(first: Option<Frame>, order: u32) -> Result<Owed, Refused> {
    first.map(|first| Owed::Pages(first, order)).ok_or(Refused::NoPage)
}

/// Maps a device at `va`.
pub(crate) fn map_device<L: MemLayout, F: Format + Mmu>(
    vm: &mut Vm<SimMachine<L, F>>,
    pgdir: &mut Pgdir,
    va: VirtAddr,
    size: u64,
    sizes: PageSizes,
) -> Result<Owed, Refused> {
    let pa = device::<L, F>() + va.as_u64() % huge::<F>();
    vm.map_range(pgdir, va, size, pa, Perm::URW, sizes)?;
    Ok(Nothing)
}

/// Two of the largest pages, from the first boundary on.
pub(crate) fn two_huge<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    let (va, size) = (page(huge::<F>(), 0), 2 * huge::<F>());
    map_device(pmap, spaces.space.pgdir_mut(), va, size, Largest).unwrap();
    let leaves =
        leaves::<F, _>(pmap.machine(), spaces.space.pgdir().address(), va, va + (size - 1));
    assert!(leaves.map(|leaf| leaf.size).eq([huge::<F>(); 2]));
}

/// Pages 0 and 1, and page 0 of the next block.
pub(crate) fn three_pages<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    spaces: &mut Spaces,
) {
    spaces.space.uvmalloc(pmap, 0, 2 * PGSIZE, Perm::W).unwrap();
    spaces.space.uvmalloc(pmap, block::<F>(), block::<F>() + 1, Perm::W).unwrap();
}

/// These, shared with the other space on write.
pub(crate) fn shared<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    three_pages(pmap, spaces);
    let Spaces { space, other } = spaces;
    space.uvmcow(pmap, other, block::<F>() + PGSIZE).unwrap();
}

/// The frame that is mapped at page `n`.
pub(crate) fn frame<L: MemLayout, F: Format + Mmu>(
    pmap: &Sim<L, F>,
    space: &AddressSpace,
    n: u64,
) -> Frame {
    pmap.page_lookup(space.pgdir(), page(0, n)).expect("a page").0
}

/// Moves the end of the memory in use from `sz` by `n`.
pub(crate) fn sbrk<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    spaces: &mut Spaces,
    sz: u64,
    n: i64,
) -> Result<Owed, Refused> {
    spaces.space.set_sz(sz);
    let moved = spaces.space.sbrk(pmap, n);
    let expected = if moved.is_ok() { sz.strict_add_signed(n) } else { sz };
    assert_eq!(spaces.space.sz(), expected);
    moved?;
    Ok(Nothing)
}
