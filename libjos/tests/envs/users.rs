//! Whole programs: a child that answers messages, and JOS's fork at user level, whose copies its page-fault handler
//! makes. They end alike however often the timer interrupts them.

use std::mem::offset_of;

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{Env, call};
use libjos::env::{Cause, EnvIndex, Next};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::sim::program::Operation::{self, *};
use libjos::sim::user::SimFrame;

use crate::rig::{UR, URW, World, page};

const START: u64 = 0x80_0020;
const TEXT: u64 = 0x80_0000;
const RUNNABLE: u64 = 2;
/// Operations that a program may take.
const PATIENCE: usize = 200_000;

/// An argument of a call: a number, or a register.
#[derive(Clone, Copy)]
enum Of {
    Number(u64),
    Register(usize),
}

use Of::{Number as N, Register as Reg};

/// A program that is being written.
#[derive(Default)]
struct Program(Vec<Operation>);

impl Program {
    fn here(&self) -> usize {
        self.0.len()
    }

    fn add(&mut self, operations: &[Operation]) {
        self.0.extend(operations);
    }

    /// A call. Its result is in register 0.
    fn call(&mut self, number: u64, arguments: &[Of]) {
        for (i, argument) in arguments.iter().enumerate() {
            self.0.push(match *argument {
                N(number) => Set(i + 1, number),
                Reg(register) => Copy(i + 1, register),
            });
        }
        self.add(&[Set(0, number), Call]);
    }

    /// A jump whose goal is written later.
    fn jump_if_zero(&mut self, register: usize) -> usize {
        self.0.push(JumpIfZero(register, usize::MAX));
        self.here() - 1
    }

    /// Makes the goal of that jump this place.
    fn land(&mut self, jump: usize) {
        let here = self.here();
        let JumpIfZero(_, goal) = &mut self.0[jump] else { panic!("no jump") };
        *goal = here;
    }
}

/// Runs `program`, with a turn of the timer after every `slice` operations, until each of the environments has come
/// to a breakpoint, and returns their registers then.
fn run<L: MemLayout, F: Format + Mmu>(
    world: &mut World<L, F>,
    program: &Program,
    slice: usize,
    n: usize,
) -> Vec<SimFrame<F>> {
    let mut ended = vec![None; n];
    let start = VirtAddr::new(START);
    for count in 1..PATIENCE {
        let me = world.me();
        let mut frame = world.envs.env(me).env_tf;
        let cause = world.pmap.machine_mut().step(&program.0, start, &mut frame);
        world.envs.set_frame(me, frame);
        if let Some(cause) = cause
            && let Next::Breakpoint(index) = world.trap(cause)
        {
            ended[index.number()] = Some(world.envs.env(index).env_tf);
            // It gives way to the others, as a program that has ended.
            let _ = world.call_only(call::ENV_SET_STATUS, &[0, 4]);
            if ended.iter().all(Option::is_some) {
                return ended.into_iter().flatten().collect();
            }
        } else if count % slice == 0 {
            let _ = world.trap(Cause::Timer);
        }
    }
    panic!("the programs do not end");
}

/// A child adds 1 to each number that its parent sends, and sends it back.
fn messages_go_to_and_fro<L: MemLayout, F: Format + Mmu>() {
    const ROUNDS: u64 = 20;
    let value_of = |slot: usize| {
        type E<F> = Env<SimFrame<F>, <F as Format>::Word>;
        L::UENVS + (slot * size_of::<E<F>>() + offset_of!(E<F>, env_ipc_value)) as u64
    };
    let mut program = Program::default();
    let p = &mut program;
    // Register 6 is the other one's id, 7 the number.
    p.call(call::EXOFORK, &[]);
    p.add(&[Copy(6, 0), Set(7, 0)]);
    let child = p.jump_if_zero(6);
    p.call(call::PAGE_MAP, &[N(0), N(TEXT), Reg(6), N(TEXT), N(UR)]);
    p.call(call::ENV_SET_STATUS, &[Reg(6), N(RUNNABLE)]);
    let round = p.here();
    let send = |p: &mut Program| {
        let again = p.here();
        p.call(call::IPC_TRY_SEND, &[Reg(6), Reg(7), N(L::UTOP), N(0)]);
        let sent = p.jump_if_zero(0);
        p.call(call::YIELD, &[]);
        p.add(&[Jump(again)]);
        p.land(sent);
    };
    send(p);
    p.call(call::IPC_RECV, &[N(L::UTOP)]);
    let less = u64::MAX >> (64 - 8 * size_of::<F::Word>());
    // 7 := the number that came; on until it is ROUNDS.
    p.add(&[Set(1, value_of(0)), Load(7, 1), Copy(1, 7), Set(2, less - (ROUNDS - 1)), Add(1, 2)]);
    let done = p.jump_if_zero(1);
    p.add(&[Jump(round)]);
    p.land(done);
    p.add(&[Break]);
    p.land(child);
    p.add(&[Set(6, 0x1000)]);
    let serve = p.here();
    p.call(call::IPC_RECV, &[N(L::UTOP)]);
    p.add(&[Set(1, value_of(1)), Load(7, 1), Set(2, 1), Add(7, 2)]);
    send(p);
    p.add(&[Copy(1, 7), Set(2, less - (ROUNDS - 1)), Add(1, 2)]);
    let ended = p.jump_if_zero(1);
    p.add(&[Jump(serve)]);
    p.land(ended);
    p.add(&[Break]);
    for slice in [1, 2, 3, 7, 50, usize::MAX] {
        let mut world = World::<L, F>::with(1);
        let ended = run(&mut world, &program, slice, 2);
        let numbers = ended.iter().map(|frame| frame.registers[7]).collect::<Vec<_>>();
        assert_eq!(numbers, [F::Word::from_u64(ROUNDS); 2], "slices of {slice}");
        world.check();
    }
}

/// Parent and child share a page that neither may write. Each one's handler gives it a copy when it writes, and the
/// write is done again there.
fn a_fork_at_user_level<L: MemLayout, F: Format + Mmu>() {
    let (shared, copy) = (page(0), page(9));
    let stack = L::UXSTACKTOP - PGSIZE;
    // JOS's mark, where an entry has room for it.
    let cow = UR | u64::from(F::AVAIL.bits()) & 0x800;
    let mut program = Program::default();
    let p = &mut program;
    // The handler, first, since its address is needed: the page of the fault is `shared`.
    p.add(&[Jump(usize::MAX)]);
    let handler = START + 8 * p.here() as u64;
    p.call(call::PAGE_ALLOC, &[N(0), N(copy), N(URW)]);
    for offset in [0, 8, PGSIZE - 8] {
        p.add(&[Set(1, shared + offset), Load(2, 1), Set(1, copy + offset), Store(1, 2)]);
    }
    p.call(call::PAGE_MAP, &[N(0), N(copy), N(0), N(shared), N(URW)]);
    p.call(call::PAGE_UNMAP, &[N(0), N(copy)]);
    p.add(&[Resume]);
    let main = p.here();
    p.0[0] = Jump(main);
    p.call(call::PAGE_ALLOC, &[N(0), N(stack), N(URW)]);
    p.call(call::ENV_SET_PGFAULT_UPCALL, &[N(0), N(handler)]);
    p.call(call::PAGE_ALLOC, &[N(0), N(shared), N(URW)]);
    p.add(&[Set(1, shared + 8), Set(2, 77), Store(1, 2)]);
    // The fork.
    p.call(call::EXOFORK, &[]);
    p.add(&[Copy(6, 0), Set(7, 200)]);
    let child = p.jump_if_zero(6);
    p.add(&[Set(7, 100)]);
    p.call(call::PAGE_MAP, &[N(0), N(TEXT), Reg(6), N(TEXT), N(UR)]);
    p.call(call::PAGE_MAP, &[N(0), N(shared), Reg(6), N(shared), N(cow)]);
    p.call(call::PAGE_MAP, &[N(0), N(shared), N(0), N(shared), N(cow)]);
    p.call(call::PAGE_ALLOC, &[Reg(6), N(stack), N(URW)]);
    p.call(call::ENV_SET_PGFAULT_UPCALL, &[Reg(6), N(handler)]);
    p.call(call::ENV_SET_STATUS, &[Reg(6), N(RUNNABLE)]);
    p.land(child);
    // Each writes its own number, and adds what was there before the fork.
    p.add(&[Set(1, shared), Store(1, 7), Load(3, 1), Set(1, shared + 8), Load(4, 1), Add(3, 4)]);
    p.add(&[Store(1, 3), Copy(7, 3), Break]);
    for slice in [1, 2, 5, 13, usize::MAX] {
        let mut world = World::<L, F>::with(1);
        let ended = run(&mut world, &program, slice, 2);
        let numbers = ended.iter().map(|frame| frame.registers[7]).collect::<Vec<_>>();
        assert_eq!(numbers, [177, 277].map(F::Word::from_u64), "slices of {slice}");
        let [one, other] =
            [0, 1].map(|slot| world.mapped(EnvIndex::new(slot), shared).expect("a page"));
        assert_ne!(one.0, other.0, "both write to one page");
        world.check();
    }
}

on_every_format! {
    messages_go_to_and_fro
    a_fork_at_user_level
}
