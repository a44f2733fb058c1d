//! Simulated machines with address spaces, and what must not change in them.

use core::mem::ManuallyDrop;

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::{Mapping, leaves};
use libjos::paging::vm::Vm;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

pub(crate) type Sim<L, F> = Pmap<SimMachine<L, F>>;
pub(crate) type SimVm<L, F> = Vm<SimMachine<L, F>>;

/// An address space that goes with its machine, if it is not given up before.
pub(crate) type Space = ManuallyDrop<AddressSpace>;

pub(crate) const ZERO: VirtAddr = VirtAddr::new(0);

pub(crate) fn booted<L: MemLayout, F: Format + Mmu>() -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(8 * MB);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap
}

pub(crate) fn new_space<M: Machine>(vm: &mut Vm<M>) -> Space {
    ManuallyDrop::new(AddressSpace::uvmcreate(vm).unwrap())
}

/// A machine and a new address space in use.
pub(crate) fn with_space<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, Space) {
    let mut pmap = booted::<L, F>();
    let mut space = new_space(&mut pmap);
    space.switchuvm(&mut pmap);
    (pmap, space)
}

/// The roots of page directories.
pub(crate) fn roots<const N: usize>(spaces: [&AddressSpace; N]) -> [PhysAddr; N] {
    spaces.map(|space| space.pgdir().address())
}

/// All that is mapped below UTOP in `space`.
pub(crate) fn user_leaves<L: MemLayout, F: Format + Mmu>(
    vm: &SimVm<L, F>,
    space: &AddressSpace,
) -> Vec<Mapping> {
    leaves::<F, _>(vm.machine(), space.pgdir().address(), ZERO, VirtAddr::new(L::UTOP - 1))
        .collect()
}

/// The pages that are mapped there, with their permissions as the format can keep them.
pub(crate) fn user_pages<L: MemLayout, F: Format + Mmu>(
    vm: &SimVm<L, F>,
    space: &AddressSpace,
) -> Vec<(u64, Perm)> {
    let leaves = user_leaves(vm, space);
    leaves.iter().map(|leaf| (leaf.va.as_u64() / PGSIZE, leaf.perm)).collect()
}

pub(crate) type State = (Vec<Vec<Mapping>>, usize, Vec<u32>);

/// The state that must not change when an operation fails: the mappings of each directory, and every frame.
pub(crate) fn state<L: MemLayout, F: Format + Mmu>(vm: &SimVm<L, F>, roots: &[PhysAddr]) -> State {
    let kern_root = [vm.kern_root()];
    let maps = roots
        .iter()
        .chain(&kern_root)
        .map(|root| leaves::<F, _>(vm.machine(), *root, ZERO, VirtAddr::new(u64::MAX)).collect());
    let refs = vm.pages().infos().map(|info| info.pp_ref()).collect();
    (maps.collect(), vm.pages().nfree(), refs)
}

/// Takes all free pages.
pub(crate) fn take_all<M: Machine>(vm: &mut Vm<M>) -> Vec<Frame> {
    std::iter::from_fn(|| vm.page_alloc(AllocFlags::empty())).collect()
}

/// Runs `operation` with no free page, then with one, and so on until it succeeds. Each time
/// before it must fail with `error` and change nothing; in the end it must have used all. Returns
/// how many pages it took.
pub(crate) fn with_each_shortage<
    L: MemLayout,
    F: Format + Mmu,
    T,
    E: PartialEq + std::fmt::Debug,
>(
    vm: &mut SimVm<L, F>,
    roots: &[PhysAddr],
    error: E,
    mut operation: impl FnMut(&mut SimVm<L, F>) -> Result<T, E>,
) -> (T, usize) {
    let mut taken = take_all(vm);
    let mut given = 0;
    let done = loop {
        let before = state(vm, roots);
        match operation(vm) {
            Ok(done) => break done,
            Err(found) => assert_eq!(found, error, "with {given} pages"),
        }
        assert_eq!(state(vm, roots), before, "with {given} pages");
        vm.pages_mut().page_free(taken.pop().expect("a page"));
        given += 1;
    };
    assert_eq!(vm.pages().nfree(), 0, "it took fewer than the {given} pages that it asked for");
    taken.into_iter().for_each(|frame| vm.pages_mut().page_free(frame));
    (done, given)
}

/// Gives `space` up, and returns how many frames came back.
pub(crate) fn free_space<L: MemLayout, F: Format + Mmu>(
    vm: &mut SimVm<L, F>,
    space: Space,
) -> usize {
    ManuallyDrop::into_inner(space).uvmfree(vm)
}

/// The permissions that format `F` keeps of `perm`.
pub(crate) fn kept<F: Format>(perm: Perm) -> Perm {
    F::effective(perm)
}

pub(crate) fn read_only(va: VirtAddr) -> Result<(), Fault> {
    Err(Fault { va, present: true, write: true })
}

/// Three pages: read-write with 1, 2, 3 at their starts, of which the third is read-only; between
/// the second and the third there is a hole.
pub(crate) fn three_pages<L: MemLayout, F: Format + Mmu>(
    vm: &mut SimVm<L, F>,
    space: &mut AddressSpace,
) -> u64 {
    space.uvmalloc(vm, 0, 2 * PGSIZE, Perm::W).unwrap();
    space.uvmalloc(vm, 3 * PGSIZE, 4 * PGSIZE, Perm::empty()).unwrap();
    for (va, value) in [(0, 1_u64), (PGSIZE, 2), (3 * PGSIZE, 3)] {
        let pa = vm.va2pa(space.pgdir(), VirtAddr::new(va)).unwrap();
        vm.machine().store(pa, value);
    }
    4 * PGSIZE
}

/// The first words of those pages.
pub(crate) fn three_words<L: MemLayout, F: Format + Mmu>(
    vm: &SimVm<L, F>,
    space: &AddressSpace,
) -> [u64; 3] {
    [0, PGSIZE, 3 * PGSIZE].map(|va| {
        let mut word = [0; 8];
        space.copyin(vm, &mut word, VirtAddr::new(va)).unwrap();
        u64::from_ne_bytes(word)
    })
}

/// A parent in use and its child, which share three pages copy-on-write.
pub(crate) fn forked<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, Space, Space) {
    let (mut pmap, mut parent) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, &mut parent);
    let mut child = new_space(&mut pmap);
    parent.uvmcow(&mut pmap, &mut child, sz).unwrap();
    let shared = user_pages(&pmap, &parent);
    let (cow, private) = (Perm::UR | Perm::COW, Perm::UR | Perm::PRIVATE);
    let expected = [(0, cow), (1, cow), (3, private)];
    assert_eq!(shared, expected.map(|(page, perm)| (page, kept::<F>(perm))));
    assert_eq!(user_leaves(&pmap, &parent), user_leaves(&pmap, &child));
    assert_eq!(three_words(&pmap, &child), [1, 2, 3]);
    (pmap, parent, child)
}
