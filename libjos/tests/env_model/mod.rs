//! Environments on a simulated machine and the plain model side by side: after each operation both must agree on
//! who runs, on every register and message, and on which page of whom shows which memory.
//!
//! Operations come from bytes, a test's or a fuzzer's. They go by numbers, so new ones go behind the others and
//! change nothing of inputs that were kept.

mod ops;
mod plain;

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;
use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE};
use libjos::env::abi::{ENV_FREE, ENV_NOT_RUNNABLE, ENV_RUNNABLE, ENV_RUNNING, call};
use libjos::env::{Cause, EnvIndex, Next};
use libjos::machine::PhysMem;
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::AllocFlags;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::rig::elf::{Part, W, X, elf_of, hello};
use crate::rig::{UR, URW, World};
use ops::{Argument, Input, Op};
use plain::{Contents, Env, Outcome, Page, Plain, Rules};

/// The most operations of a sequence.
const MAX_STEPS: usize = 96;
/// The most environments at a time.
const MAX_ENVS: usize = 6;

/// Does what `bytes` say, on one of the machines. Whatever they are, it must not panic.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    match input.int_in_range(0..=2) {
        Ok(0) => follow::<Jos64, X86_64>(input),
        Ok(1) => follow::<Jos32, I386>(input),
        _ => follow::<JosSv39, Sv39>(input),
    }
}

/// Does what `input` says.
pub(crate) fn follow<L: MemLayout, F: Format + Mmu>(mut input: Unstructured<'_>) {
    // Few free pages, or many.
    let Ok(left) = input.choose(&[2000, 2000, 40, 25]) else { return };
    let mut pair = Pair::<L, F>::new(*left);
    let mut input = Input(input);
    for _ in 0..MAX_STEPS {
        match input.op() {
            Ok(op) if !input.0.is_empty() => pair.step(op),
            _ => break,
        }
    }
    pair.finish();
}

/// The two of them.
struct Pair<L: MemLayout, F: Format + Mmu> {
    world: World<L, F>,
    plain: Plain,
    /// Free pages while there is no environment.
    nfree: usize,
}

impl<L: MemLayout, F: Format + Mmu> Pair<L, F> {
    fn new(left: usize) -> Self {
        let mut world = World::<L, F>::empty();
        // The first environment makes the tables that all directories share.
        let first = world.envs.env_create(&mut world.pmap, &elf_of::<F>(&parts())).unwrap();
        world.envs.env_destroy(&mut world.pmap, first);
        let taken = world.nfree().saturating_sub(left);
        for _ in 0..taken {
            world.pmap.page_alloc(AllocFlags::empty()).unwrap();
        }
        let own = u64::from(F::AVAIL.bits());
        let kept = if F::LEVELS == 2 { own & !0x200 } else { own };
        let plain = Plain {
            rules: Rules::of::<L>(F::Word::BYTES, own, kept),
            envs: BTreeMap::new(),
            ids: vec![0x1000],
            freed: vec![0],
            current: None,
            last: usize::MAX,
            memory: Vec::new(),
        };
        let nfree = world.nfree();
        let mut pair = Self { world, plain, nfree };
        pair.create();
        pair.create();
        pair
    }

    /// Makes an environment of a program, if there is memory, and sees that one runs.
    fn create(&mut self) {
        let file = elf_of::<F>(&parts());
        if self.world.envs.env_create(&mut self.world.pmap, &file).is_err() {
            // It was made, and ended.
            let slot = self.plain.add(program::<L>(BTreeMap::new()));
            self.plain.envs.remove(&slot);
            self.plain.freed.push(slot);
            return;
        }
        let mut pages = BTreeMap::new();
        let mut page = |memory: &mut Vec<Contents>, va, flags| {
            memory.push(Contents::new());
            let (writable, executable) = (flags & W != 0, flags & X != 0);
            let page = Page { memory: memory.len() - 1, writable, executable, own: 0 };
            pages.insert(va, page);
        };
        for part in parts() {
            let start = part.va & !(PGSIZE - 1);
            for va in (start..part.va + part.size).step_by(PGSIZE as usize) {
                page(&mut self.plain.memory, va, part.flags);
                let contents = self.plain.memory.last_mut().unwrap();
                for (i, byte) in part.bytes.iter().enumerate() {
                    let at = part.va + i as u64;
                    if at & !(PGSIZE - 1) == va && *byte != 0 {
                        let cell = contents.entry((at & !3) % PGSIZE).or_insert(0);
                        *cell |= u32::from(*byte) << (at % 4 * 8);
                    }
                }
            }
        }
        page(&mut self.plain.memory, L::USTACKTOP - PGSIZE, W);
        self.plain.add(program::<L>(pages));
        if self.plain.current.is_none() {
            let next = self.world.envs.sched_yield(&mut self.world.pmap);
            self.world.go(next);
            if self.plain.last == usize::MAX {
                // The first one runs first: as after the last slot.
                self.plain.last = 1 << 20;
            }
            self.plain.schedule(false);
        }
        self.compare();
    }

    /// Does an operation to both. If none can run then, a new one is made.
    fn step(&mut self, op: Op) {
        if self.plain.current.is_none() {
            return;
        }
        match op {
            Op::Handler => {
                self.call(call::ENV_SET_PGFAULT_UPCALL, [0, 0x80_0040, 0, 0, 0]);
                self.call(call::PAGE_ALLOC, [0, L::UXSTACKTOP - PGSIZE, URW, 0, 0]);
            }
            Op::Child if self.plain.envs.len() < MAX_ENVS => {
                let me = self.world.me();
                self.call(call::EXOFORK, [0; 5]);
                if let Ok(child) = u64::try_from(self.world.result(me)) {
                    self.call(call::PAGE_MAP, [0, 0x80_0000, child, 0x80_0000, UR]);
                    self.call(call::ENV_SET_STATUS, [child, 2, 0, 0, 0]);
                }
            }
            Op::Child => {}
            Op::Call { number: 7, .. } if self.plain.envs.len() >= MAX_ENVS => {}
            Op::Call { number, arguments } => {
                let arguments = arguments.map(|argument| self.value(argument));
                // Programs may read some of the memory above UTOP; the model knows not which.
                let upcall = u64::from(number) == call::ENV_SET_PGFAULT_UPCALL;
                let arguments = match arguments {
                    [id, va, ..] if upcall && va >= L::UTOP => [id, L::KERNBASE, 0, 0, 0],
                    arguments => arguments,
                };
                self.call(u64::from(number), arguments);
            }
            Op::Load { va } => self.load(va.of::<L>() & !7),
            Op::Store { va, value } => {
                let (va, value) = (va.of::<L>() & !7, u64::from(value) * 0x0101_0101_0101_0101);
                let _ = self.world.store(va, value);
                self.plain.store(va, value);
            }
            Op::Stack { va, offset } => {
                let sp = va.of::<L>().wrapping_add(u64::from(offset) % PGSIZE);
                let sp = sp & u64::MAX >> (64 - 8 * F::Word::BYTES);
                let me = self.world.me();
                let mut frame = self.world.envs.env(me).env_tf;
                frame.sp = F::Word::from_u64(sp);
                self.world.envs.set_frame(me, frame);
                self.plain.me().sp = sp;
            }
            Op::Timer => {
                let _ = self.world.trap(Cause::Timer);
                self.plain.schedule(true);
            }
            Op::Interrupt => {
                let me = self.world.me();
                assert_eq!(self.world.trap(Cause::Interrupt), Next::Run(me));
            }
            Op::Breakpoint => {
                let me = self.world.me();
                assert_eq!(self.world.trap(Cause::Breakpoint), Next::Breakpoint(me));
            }
            Op::Exception => {
                let _ = self.world.trap(Cause::Exception);
                self.plain.exception();
            }
        }
        self.compare();
        if self.plain.current.is_none() && self.plain.envs.len() < MAX_ENVS {
            self.create();
        }
    }

    fn call(&mut self, number: u64, arguments: [u64; 5]) {
        if self.plain.current.is_none() {
            return;
        }
        let me = self.world.me();
        let _ = self.world.call_only(number, &arguments);
        let takes_memory = [4, 5, 7, 11].contains(&number);
        let no_memory = takes_memory && self.world.result(me) == -4;
        let outcome = self.plain.call(number, arguments, no_memory);
        assert_eq!(outcome == Outcome::NoMemory, no_memory);
        assert!(!no_memory || self.world.nfree() < F::LEVELS as usize + 1, "there was memory");
    }

    fn load(&mut self, va: u64) {
        let loaded = self.world.load(va);
        match self.plain.load(va) {
            Some(expected) => assert_eq!(loaded.ok(), expected, "at {va:#x}"),
            None if loaded.is_err() => self.plain.fault(va),
            None => assert!(va < L::ULIM, "a program reads {va:#x}"),
        }
    }

    fn value(&self, argument: Argument) -> u64 {
        match argument {
            Argument::Number(number) => number,
            Argument::Va(va) => va.of::<L>(),
            Argument::Receiver => {
                let mut envs = self.plain.envs.values();
                envs.find(|env| env.receives.is_some()).map_or(0x1000, |env| env.id)
            }
            Argument::Id { slot, stale } => {
                let id = self.plain.ids.get(usize::from(slot)).copied().unwrap_or(0x7_0005);
                if stale { id.wrapping_sub(0x1000) & 0xFFFF_FFFF | 1 << 11 } else { id }
            }
        }
    }

    /// Both agree on everything that a program or the kernel can see, but for contents that nobody wrote.
    fn compare(&mut self) {
        let current = self.world.envs.curenv().map(EnvIndex::number);
        assert_eq!(current, self.plain.current, "who runs");
        let (mut frames, mut uses) = (BTreeMap::new(), BTreeMap::<PhysAddr, u32>::new());
        for (slot, id) in self.plain.ids.iter().enumerate() {
            let index = EnvIndex::new(slot);
            let real = self.world.envs.env(index);
            assert_eq!(real.env_id.0 as u64, *id, "id in slot {slot}");
            let Some(env) = self.plain.envs.get(&slot) else {
                assert_eq!(real.env_status, ENV_FREE, "status of the free slot {slot}");
                continue;
            };
            let status = match env.runnable {
                true if current == Some(slot) => ENV_RUNNING,
                true => ENV_RUNNABLE,
                false => ENV_NOT_RUNNABLE,
            };
            let found = (real.env_status, real.env_parent_id.0 as u64);
            assert_eq!(found, (status, env.parent), "status and parent of {id:x}");
            let registers = real.env_tf.registers.map(Word::to_u64);
            assert_eq!(registers, env.registers, "registers of {id:x}");
            let (pc, sp) = (real.env_tf.pc.to_u64(), real.env_tf.sp.to_u64());
            assert_eq!((pc, sp), (env.pc, env.sp), "pc and sp of {id:x}");
            assert_eq!(real.env_pgfault_upcall.to_u64(), env.upcall, "upcall of {id:x}");
            let receives = (real.env_ipc_recving != 0).then(|| real.env_ipc_dstva.to_u64());
            assert_eq!(receives, env.receives, "whether {id:x} waits for a message, and where");
            let (value, from) = (real.env_ipc_value.to_u64(), real.env_ipc_from.0 as u64);
            let message = (value, from, u64::from(real.env_ipc_perm));
            assert_eq!(
                message, env.message,
                "value, sender and permissions of the last message to {id:x}"
            );
            let leaves = self.world.pages(index);
            let addresses: Vec<_> = leaves.iter().map(|leaf| leaf.va.as_u64()).collect();
            assert_eq!(addresses, env.pages.keys().copied().collect::<Vec<_>>(), "pages of {id:x}");
            for (leaf, page) in leaves.iter().zip(env.pages.values()) {
                let own = Perm::from_bits_truncate(page.own as u16);
                let mut perm = Perm::UR | own;
                perm.set(Perm::W, page.writable);
                perm.set(Perm::X, page.executable);
                assert_eq!(leaf.perm, F::effective(perm), "{} of {id:x}", leaf.va);
                let pa = *frames.entry(page.memory).or_insert(leaf.pa);
                assert_eq!(pa, leaf.pa, "{} of {id:x} shows other memory", leaf.va);
                *uses.entry(leaf.pa).or_default() += 1;
            }
        }
        let distinct: BTreeSet<_> = frames.values().collect();
        assert_eq!(distinct.len(), frames.len(), "memory that is not shared is one frame");
        for (memory, pa) in frames {
            let frame = self.world.pmap.pages().pa2page(pa).unwrap();
            assert_eq!(self.world.pmap.pages().pp_ref(frame), uses[&pa], "uses of {pa}");
            for (offset, value) in &self.plain.memory[memory] {
                let found: u32 = self.world.pmap.machine().load(pa + *offset);
                assert_eq!(found, *value, "at {offset:#x} of {pa}");
            }
        }
    }

    /// All contents agree; and when all environments have ended, all memory is back.
    fn finish(mut self) {
        for (slot, env) in &self.plain.envs {
            for leaf in self.world.pages(EnvIndex::new(*slot)) {
                let contents = &self.plain.memory[env.pages[&leaf.va.as_u64()].memory];
                for offset in (0..PGSIZE).step_by(4) {
                    let found: u32 = self.world.pmap.machine().load(leaf.pa + offset);
                    assert_eq!(found, contents.get(&offset).copied().unwrap_or(0));
                }
            }
        }
        self.world.check_counts();
        for slot in self.plain.envs.keys() {
            self.world.envs.env_destroy(&mut self.world.pmap, EnvIndex::new(*slot));
        }
        assert_eq!(self.world.nfree(), self.nfree, "memory is lost");
        self.world.check_counts();
        self.world.pmap.switchkvm();
        self.world.pmap.checks().check_kern_pgdir();
        self.world.pmap.checks().check_envs();
    }
}

/// The program that the environments run: few of its bytes are not 0, since all of them are compared after each step.
fn parts() -> Vec<Part> {
    let mut parts = hello();
    parts[1].bytes.truncate(200);
    parts
}

/// A new program, as it begins.
fn program<L: MemLayout>(pages: BTreeMap<u64, Page>) -> Env {
    Env {
        id: 0,
        parent: 0,
        runnable: true,
        registers: [0; 8],
        pc: 0x80_0020,
        sp: L::USTACKTOP,
        upcall: 0,
        receives: None,
        message: (0, 0, 0),
        pages,
    }
}
