//! Page faults of programs, their own handlers of them, and other traps.

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::call;
use libjos::env::{Cause, EnvIndex, Next, TrapFrame};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::REGISTERS;

use crate::rig::{UR, URW, World, page};

const UPCALL: u64 = 0x80_0040;
const FIRST: EnvIndex = EnvIndex::new(0);

/// One program, with a handler of its faults and a stack for it.
fn with_handler<L: MemLayout, F: Format + Mmu>() -> World<L, F> {
    let mut world = World::<L, F>::with(1);
    assert_eq!(world.call(call::ENV_SET_PGFAULT_UPCALL, &[0, UPCALL]), 0);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, L::UXSTACKTOP - PGSIZE, URW]), 0);
    world
}

/// The words at `va`, as the program reads them.
fn words<L: MemLayout, F: Format + Mmu>(world: &mut World<L, F>, va: u64, n: usize) -> Vec<u64> {
    let size = F::Word::BYTES;
    let mask = u64::MAX >> (64 - 8 * size);
    let word =
        |world: &mut World<L, F>, at: u64| world.load(at & !7).unwrap() >> (8 * (at % 8)) & mask;
    (0..n as u64).map(|i| word(world, va + i * size)).collect()
}

/// Bytes of the frame that a handler is given.
fn frame_size<F: Format>() -> u64 {
    (REGISTERS as u64 + 5) * F::Word::BYTES
}

fn without_a_handler_a_fault_ends_the_program<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let at = VirtAddr::new(world.frame_address());
    assert_eq!(world.store(page(0) + 8, 1), Err(Next::NoneRunnable));
    let expected = format!(
        "Incoming TRAP frame at {:#010x}\n[00001000] user fault va 10000008 ip 00800020\n\
         TRAP frame at {:#010x} from CPU 0\n  pc   0x00800020\n[00001000] free env 00001000\n",
        L::KSTACKTOP - 68,
        at.as_u64(),
    );
    assert!(world.said().starts_with(&expected));
}

fn the_handler_is_given_the_fault<L: MemLayout, F: Format + Mmu>() {
    let mut world = with_handler::<L, F>();
    world.call(call::GETENVID, &[21, 22, 23, 24, 25]);
    let before = world.envs.env(FIRST).env_tf;
    assert_eq!(world.store(page(0) + 8, 1), Err(Next::Run(FIRST)));
    let frame = world.envs.env(FIRST).env_tf;
    let at = L::UXSTACKTOP - frame_size::<F>();
    assert_eq!((frame.pc().as_u64(), frame.sp().as_u64()), (UPCALL, at));
    assert_eq!(frame.registers, before.registers);
    let words = words(&mut world, at, REGISTERS + 5);
    assert_eq!(words[0], page(0) + 8);
    assert_eq!(words[2..8], [0x1000, 21, 22, 23, 24, 25]);
    assert_eq!((words[10], words[12]), (0x80_0020, L::USTACKTOP));
    assert_eq!(world.said(), "");
}

/// A fault of the handler comes below the first, after one blank word; and so on, until the stack ends.
fn a_handler_that_faults<L: MemLayout, F: Format + Mmu>() {
    let mut world = with_handler::<L, F>();
    let mut sp = L::UXSTACKTOP + F::Word::BYTES;
    let bottom = L::UXSTACKTOP - PGSIZE;
    while sp - F::Word::BYTES - frame_size::<F>() >= bottom {
        assert_eq!(world.store(page(0), 1), Err(Next::Run(FIRST)));
        sp -= F::Word::BYTES + frame_size::<F>();
        assert_eq!(world.envs.env(FIRST).env_tf.sp().as_u64(), sp);
        let words = words(&mut world, sp, REGISTERS + 5);
        let before = sp + F::Word::BYTES + frame_size::<F>();
        let was = if before > L::UXSTACKTOP { L::USTACKTOP } else { before };
        assert_eq!((words[0], words[12]), (page(0), was));
    }
    assert_eq!(world.store(page(0), 1), Err(Next::NoneRunnable));
    let at = sp - F::Word::BYTES - frame_size::<F>();
    let line = format!("[00001000] user_mem_check assertion failure for va {at:08x}\n");
    assert!(world.said().starts_with(&line));
}

/// Wherever the stack pointer is, the frame lies in the program's own memory, or the program ends.
fn stack_pointers_of_all_kinds<L: MemLayout, F: Format + Mmu>() {
    let (top, size, word) = (L::UXSTACKTOP, frame_size::<F>(), F::Word::BYTES);
    let bottom = top - PGSIZE;
    let cases = [
        (top - 1, Some(top - 1 - word - size)),
        (top, Some(top - size)),
        (top - 8, Some(top - 8 - word - size)),
        (bottom + word + size, Some(bottom)),
        (bottom + word + size + 3, Some(bottom + 3)),
        (bottom + word + size - 1, None),
        (bottom, None),
        (bottom - 1, Some(top - size)),
        (0, Some(top - size)),
        (1, Some(top - size)),
        (L::KERNBASE, Some(top - size)),
        (L::VA_LAST, Some(top - size)),
    ];
    for (sp, expected) in cases {
        let mut world = with_handler::<L, F>();
        let mut frame = world.envs.env(FIRST).env_tf;
        frame.sp = F::Word::from_u64(sp);
        world.envs.set_frame(FIRST, frame);
        let next = world.store(page(0), 1).unwrap_err();
        match expected {
            Some(at) => {
                assert_eq!(next, Next::Run(FIRST), "{sp:#x}");
                assert_eq!(world.envs.env(FIRST).env_tf.sp().as_u64(), at, "{sp:#x}");
            }
            None => assert_eq!(next, Next::NoneRunnable, "{sp:#x}"),
        }
    }
}

/// A frame that begins in the page below the exception stack, where the program has put one, lies in both.
fn a_frame_over_two_pages<L: MemLayout, F: Format + Mmu>() {
    let (size, word) = (frame_size::<F>(), F::Word::BYTES);
    let bottom = L::UXSTACKTOP - PGSIZE;
    for part in [word, 5 * word, size - word] {
        let mut world = with_handler::<L, F>();
        // Another page lies behind in memory.
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, bottom - PGSIZE, URW]), 0);
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(1), URW]), 0);
        world.call(call::GETENVID, &[21, 22, 23, 24, 25]);
        let sp = bottom + part + word;
        let mut frame = world.envs.env(FIRST).env_tf;
        frame.sp = F::Word::from_u64(sp);
        world.envs.set_frame(FIRST, frame);
        assert_eq!(world.store(page(0) + 16, 1), Err(Next::Run(FIRST)));
        let at = bottom + part - size;
        assert_eq!(world.envs.env(FIRST).env_tf.sp().as_u64(), at);
        let words = words(&mut world, at, REGISTERS + 5);
        assert_eq!(words[0], page(0) + 16);
        assert_eq!(words[2..8], [0x1000, 21, 22, 23, 24, 25]);
        assert_eq!((words[10], words[12]), (0x80_0020, sp));
        for va in (page(1)..page(2)).step_by(8) {
            assert_eq!(world.load(va), Ok(0));
        }
    }
}

/// A handler or its stack that is not the program's ends it, and the kernel's memory stays.
fn handlers_that_are_not_the_programs<L: MemLayout, F: Format + Mmu>() {
    for upcall in [1, 0xdead_beef, L::KERNBASE, L::ULIM, L::VA_LAST, page(5)] {
        let mut world = with_handler::<L, F>();
        assert_eq!(world.call(call::ENV_SET_PGFAULT_UPCALL, &[0, upcall]), 0);
        assert_eq!(world.store(page(0), 1), Err(Next::NoneRunnable), "{upcall:#x}");
        let line = format!("[00001000] user_mem_check assertion failure for va {upcall:08x}\n");
        assert!(world.said().starts_with(&line));
    }
    // No stack, and one that cannot be written.
    for perm in [None, Some(UR)] {
        let mut world = with_handler::<L, F>();
        let stack = L::UXSTACKTOP - PGSIZE;
        match perm {
            None => world.call(call::PAGE_UNMAP, &[0, stack]),
            Some(perm) => world.call(call::PAGE_ALLOC, &[0, stack, perm]),
        };
        assert_eq!(world.load(page(0)), Err(Next::NoneRunnable));
        let at = L::UXSTACKTOP - frame_size::<F>();
        let line = format!("[00001000] user_mem_check assertion failure for va {at:08x}\n");
        assert!(world.said().starts_with(&line));
    }
}

fn breakpoints_and_exceptions<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    assert_eq!(world.trap(Cause::Breakpoint), Next::Breakpoint(FIRST));
    let said = world.said();
    assert!(said.starts_with("Incoming TRAP frame at 0x"), "{said}");
    assert!(said.ends_with(" from CPU 0\n  pc   0x00800020\n"), "{said}");
    assert_eq!(world.call(call::GETENVID, &[]), 0x1000);
    assert_eq!(world.trap(Cause::Exception), Next::Run(EnvIndex::new(1)));
    let said = world.said();
    assert!(said.contains("TRAP frame at 0x"), "{said}");
    assert!(said.ends_with("[00001000] free env 00001000\n"), "{said}");
}

on_every_format! {
    without_a_handler_a_fault_ends_the_program
    the_handler_is_given_the_fault
    a_handler_that_faults
    stack_pointers_of_all_kinds
    a_frame_over_two_pages
    handlers_that_are_not_the_programs
    breakpoints_and_exceptions
}
