//! Environments as the tests make them: by `env_alloc` and `env_run`, with pages and fields that are written by hand.

use std::mem::offset_of;

use layout::{MB, MemLayout, PGSIZE};
use libjos::env::abi::{Env, EnvId};
use libjos::env::{EnvIndex, Envs};
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::vm::Vm;
use libjos::paging::word::Word;
use libjos::pmap::Pmap;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::complaints::called;
use crate::rig::{Console, World, booted_with};

/// The first environments.
pub(crate) const FIRST: EnvIndex = EnvIndex::new(0);
pub(crate) const SECOND: EnvIndex = EnvIndex::new(1);
pub(crate) const THIRD: EnvIndex = EnvIndex::new(2);
/// The id of the first one, which is its children's parent.
pub(crate) const FIRST_ID: u64 = 0x1000;
/// Written into free frames, so that one that is not zeroed is seen.
pub(crate) const JUNK: u32 = 0xA5A5_A5A5;

/// An element of `envs`.
pub(crate) type E<F> = Env<SimFrame<F>, <F as Format>::Word>;

/// A machine after `mem_init`.
pub(crate) fn machine<L: MemLayout, F: Format + Mmu>() -> Pmap<SimMachine<L, F>> {
    let mut pmap = booted_with(5 * MB);
    pmap.machine_mut().log.clear();
    pmap
}

/// A new frame of zeros that is counted once.
fn frame<L: MemLayout, F: Format + Mmu>(vm: &mut Vm<SimMachine<L, F>>) -> PhysAddr {
    let frame = vm.page_alloc(ALLOC_ZERO).expect("a free frame");
    vm.pages_mut().page_incref(frame).unwrap();
    vm.pages().page2pa(frame)
}

/// Writes into all free frames.
pub(crate) fn soil<L: MemLayout, F: Format + Mmu>(vm: &Vm<SimMachine<L, F>>) {
    for frame in vm.pages().page_free_list() {
        vm.machine().store_run(vm.pages().page2pa(frame), JUNK, 0, PGSIZE as usize / 4);
    }
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// After `env_init`.
    pub(crate) fn made() -> Self {
        let mut pmap = machine();
        let envs = called("env_init", || Envs::env_init(&mut pmap));
        let envs = envs.unwrap_or_else(|error| panic!("env_init gives {error:?}"));
        pmap.machine_mut().log.clear();
        Self { pmap, envs, console: Console::default() }
    }

    /// With the first environment, which runs, and `n` children of it. None has memory.
    pub(crate) fn family(n: usize) -> Self {
        let mut world = Self::made();
        world.alloc(0);
        world.run(FIRST);
        (0..n).for_each(|_| {
            world.alloc(FIRST_ID);
        });
        world.said();
        world
    }

    /// An environment without memory, by `env_alloc`.
    pub(crate) fn alloc(&mut self, parent: u64) -> EnvIndex {
        let parent = EnvId(parent as i32);
        let made = called("env_alloc", || self.envs.env_alloc(&mut self.pmap, parent));
        made.unwrap_or_else(|error| panic!("env_alloc gives {error:?}, but there is memory"))
    }

    /// Makes an environment run, by `env_run`.
    pub(crate) fn run(&mut self, index: EnvIndex) {
        called("env_run", || self.envs.env_run(&mut self.pmap, index));
    }

    /// Maps the page at `va` of an environment to a new frame of zeros, by hand. Returns the frame.
    pub(crate) fn put(&mut self, index: EnvIndex, va: u64, perm: Perm) -> PhysAddr {
        let pa = frame(&mut self.pmap);
        let (va, mut table) = (VirtAddr::new(va), self.root(index));
        for level in (1..F::LEVELS).rev() {
            let at = F::entry(level, table, va);
            table = match F::decode(level, self.pmap.machine().load(at)) {
                Entry::Table { pa, .. } => pa,
                _ => {
                    let new = frame(&mut self.pmap);
                    self.pmap.machine().store(at, F::table(new));
                    new
                }
            };
        }
        self.pmap.machine().store(F::entry(0, table, va), F::leaf(0, pa, perm));
        self.pmap.machine_mut().made_valid(None);
        pa
    }

    /// Writes a word of an element of `envs` by hand: its offset, and the value.
    pub(crate) fn set<W: Word>(&mut self, index: EnvIndex, offset: usize, word: W) {
        let at = L::UENVS + (index.number() * size_of::<E<F>>() + offset) as u64;
        let at = self.pmap.va2pa(self.pmap.kern_pgdir(), VirtAddr::new(at));
        self.pmap.machine().store(at.expect("UENVS shows envs"), word);
    }

    /// Makes an environment wait for a message, with a page at `dstva` if that is below UTOP, by hand. Its status is left.
    pub(crate) fn set_receiving(&mut self, index: EnvIndex, dstva: u64) {
        self.set(index, offset_of!(E<F>, env_ipc_recving), 1_u32);
        self.set(index, offset_of!(E<F>, env_ipc_dstva), F::Word::from_u64(dstva));
    }

    /// How often the frame at `pa` is used.
    pub(crate) fn pp_ref(&self, pa: PhysAddr) -> u32 {
        self.pmap.pages().pp_ref(self.pmap.pages().pa2page(pa).expect("RAM"))
    }
}
