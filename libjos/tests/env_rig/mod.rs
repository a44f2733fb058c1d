//! A simulated machine with environments, whose programs do what a test says.

#![allow(dead_code, reason = "a fuzz target uses a part of it")]

mod census;
pub(crate) mod elf;

use std::collections::VecDeque;

use layout::{MB, MemLayout, PGSIZE};
use libjos::env::abi::{self, NENV};
use libjos::env::{Cause, EnvConsole, EnvIndex, Envs, Next, Trap, TrapFrame};
use libjos::machine::{Fault, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageAllocator;
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::mappings::{Mapping, leaves};
use libjos::paging::word::Word;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::{OPERATION_SIZE, SimFrame};

use elf::{elf_of, hello};

/// The permissions that calls ask for.
pub(crate) const URW: u64 = abi::PTE_P | abi::PTE_U | abi::PTE_W;
pub(crate) const UR: u64 = abi::PTE_P | abi::PTE_U;

/// A console that remembers.
#[derive(Default)]
pub(crate) struct Console {
    pub(crate) written: Vec<u8>,
    /// Where in `written` each piece ends.
    pub(crate) ends: Vec<usize>,
    pub(crate) typed: VecDeque<u8>,
}

impl EnvConsole for Console {
    fn write(&mut self, bytes: &[u8]) {
        self.written.extend(bytes);
        self.ends.push(self.written.len());
    }

    fn cgetc(&mut self) -> Option<u8> {
        self.typed.pop_front()
    }
}

/// A machine and its environments.
pub(crate) struct World<L: MemLayout, F: Format + Mmu> {
    pub(crate) pmap: Pmap<SimMachine<L, F>>,
    pub(crate) envs: Envs<SimFrame<F>>,
    pub(crate) console: Console,
}

/// A page of user memory, by its number.
pub(crate) const fn page(number: u64) -> u64 {
    0x1000_0000 + number * PGSIZE
}

pub(crate) fn booted<L: MemLayout, F: Format + Mmu>() -> Pmap<SimMachine<L, F>> {
    booted_with(16 * MB)
}

pub(crate) fn booted_with<L: MemLayout, F: Format + Mmu>(ram: u64) -> Pmap<SimMachine<L, F>> {
    let (machine, boot) = SimMachine::new(ram);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// Without any environment.
    pub(crate) fn empty() -> Self {
        Self::on(booted())
    }

    /// Without any environment, on this machine.
    pub(crate) fn on(mut pmap: Pmap<SimMachine<L, F>>) -> Self {
        let envs = Envs::env_init(&mut pmap).unwrap();
        pmap.machine_mut().log.clear();
        Self { pmap, envs, console: Console::default() }
    }

    /// With `n` programs, the first of which runs.
    pub(crate) fn with(n: usize) -> Self {
        Self::empty().running(n)
    }

    /// With `n` programs more, the first of which runs.
    pub(crate) fn running(mut self, n: usize) -> Self {
        let world = &mut self;
        for _ in 0..n {
            world.envs.env_create(&mut world.pmap, &elf_of::<F>(&hello())).unwrap();
        }
        let next = world.envs.sched_yield(&mut world.pmap);
        world.go(next);
        world.pmap.machine_mut().log.clear();
        self
    }

    /// Goes on as the kernel says. Returns whether an environment runs.
    pub(crate) fn go(&mut self, next: Next) -> bool {
        let (Next::Run(index) | Next::Breakpoint(index)) = next else { return false };
        let frame = self.envs.env_run(&mut self.pmap, index);
        assert_eq!(frame, self.envs.frame(index));
        true
    }

    /// The environment that runs.
    pub(crate) fn me(&self) -> EnvIndex {
        self.envs.curenv().expect("an environment runs")
    }

    /// A trap of the environment that runs.
    pub(crate) fn trap(&mut self, cause: Cause) -> Next {
        let trap = Trap { cause, incoming: VirtAddr::new(L::KSTACKTOP - 68) };
        let next = self.envs.trap_dispatch(&mut self.pmap, &mut self.console, trap);
        self.go(next);
        next
    }

    /// A call of the environment that runs, which may end or block. Other registers keep what they have.
    pub(crate) fn call_only(&mut self, number: u64, arguments: &[u64]) -> Next {
        let me = self.me();
        let mut frame = self.envs.env(me).env_tf;
        for (register, value) in frame.registers.iter_mut().zip([number].iter().chain(arguments)) {
            *register = F::Word::from_u64(*value);
        }
        self.envs.set_frame(me, frame);
        self.trap(Cause::Syscall)
    }

    /// A call of the environment that runs, and still does; its result. If the kernel makes the environment call again, it
    /// does.
    pub(crate) fn call(&mut self, number: u64, arguments: &[u64]) -> i64 {
        let me = self.me();
        let pc = self.envs.env(me).env_tf.pc;
        assert_eq!(self.call_only(number, arguments), Next::Run(me));
        while self.envs.env(me).env_tf.pc != pc {
            let mut frame = self.envs.env(me).env_tf;
            assert_eq!(frame.pc.to_u64() + OPERATION_SIZE, pc.to_u64());
            frame.pc = pc;
            self.envs.set_frame(me, frame);
            assert_eq!(self.trap(Cause::Syscall), Next::Run(me));
        }
        self.result(me)
    }

    /// The result of the last call of an environment.
    pub(crate) fn result(&self, index: EnvIndex) -> i64 {
        let word = self.envs.env(index).env_tf.number();
        let unused = 64 - 8 * F::Word::BYTES;
        (word << unused).cast_signed() >> unused
    }

    /// Reads as the program that runs. The kernel is told of a fault.
    pub(crate) fn load(&mut self, va: u64) -> Result<u64, Next> {
        let loaded = self.pmap.machine_mut().user_load(VirtAddr::new(va));
        loaded.map_err(|fault| self.fault(fault))
    }

    /// Writes as the program that runs. The kernel is told of a fault.
    pub(crate) fn store(&mut self, va: u64, value: u64) -> Result<(), Next> {
        let stored = self.pmap.machine_mut().user_store(VirtAddr::new(va), value);
        stored.map_err(|fault| self.fault(fault))
    }

    fn fault(&mut self, fault: Fault) -> Next {
        self.trap(Cause::PageFault { va: fault.va })
    }

    /// All that an environment maps below UTOP.
    pub(crate) fn pages(&self, index: EnvIndex) -> Vec<Mapping> {
        let (root, mut pages) = (self.root(index), Vec::new());
        self.find_pages(root, F::ROOT, root, 0, &mut pages);
        pages
    }

    /// Finds the pages that the table of `level` at `table` maps, whose first entry is for `base`. Most entries are 0 and
    /// are passed over undecoded, since the model asks after each step.
    fn find_pages(
        &self,
        root: PhysAddr,
        level: u32,
        table: PhysAddr,
        base: u64,
        pages: &mut Vec<Mapping>,
    ) {
        let (machine, size) = (self.pmap.machine(), F::page_size(level));
        for index in 0..F::ENTRIES as u64 {
            let va = base + index * size;
            if va >= L::UTOP {
                return;
            }
            let word: F::Word = machine.load(table + index * F::Word::BYTES);
            if word == F::Word::ZERO {
                continue;
            }
            match F::decode(level, word) {
                Entry::Table { pa, .. } => self.find_pages(root, level - 1, pa, va, pages),
                _ => {
                    let (first, last) = (VirtAddr::new(va), VirtAddr::new(va + (size - 1)));
                    pages.extend(leaves::<F, _>(machine, root, first, last));
                }
            }
        }
    }

    /// The root of an environment's page directory.
    pub(crate) fn root(&self, index: EnvIndex) -> PhysAddr {
        self.envs.root(index).unwrap()
    }

    /// The page at `va` of an environment.
    pub(crate) fn mapped(&self, index: EnvIndex, va: u64) -> Option<(PhysAddr, Perm)> {
        let mut pages = self.pages(index).into_iter();
        pages.find(|leaf| leaf.va.as_u64() == va).map(|leaf| (leaf.pa, leaf.perm))
    }

    /// Where the kernel sees the frame of the environment that runs.
    pub(crate) fn frame_address(&self) -> u64 {
        let seen = self.pmap.va2pa(self.pmap.kern_pgdir(), VirtAddr::new(L::UENVS)).unwrap();
        let size = size_of_val(&self.envs.env(self.me())) * self.me().number();
        L::KERNBASE + (seen.as_u64() - L::PHYS_BASE) + size as u64
    }

    pub(crate) fn nfree(&self) -> usize {
        self.pmap.pages().nfree()
    }

    /// All that was printed since it was asked last.
    pub(crate) fn said(&mut self) -> String {
        std::mem::take(&mut self.pmap.machine_mut().log)
    }

    /// The checks hold.
    pub(crate) fn check(&mut self) {
        self.pmap.switchkvm();
        self.pmap.checks().check_page_free_list();
        self.pmap.checks().check_kern_pgdir();
        self.pmap.checks().check_envs();
        self.check_counts();
        self.check_free_slots();
    }

    /// Each slot has an environment or is on the list of free slots, once.
    fn check_free_slots(&self) {
        let free: Vec<_> = self.envs.free_slots().take(NENV + 1).map(EnvIndex::number).collect();
        let mut slots: Vec<_> = self.envs.all().map(|(index, _)| index.number()).collect();
        slots.extend(&free);
        slots.sort_unstable();
        assert!(slots.into_iter().eq(0..NENV), "the free slots are {free:?}");
    }
}
