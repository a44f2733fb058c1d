//! Exercise 16: `page_fault_handler`, as `trap_dispatch` calls it.

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{ENV_FREE, ENV_RUNNING};
use libjos::env::{Cause, Next, TrapFrame};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{Format, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::REGISTERS;
use std::mem::offset_of;

use crate::by_hand::{E, FIRST};
use crate::rig::{World, page};

lab_tests! {
    e16_page_fault_handler_ends_a_program_without_an_upcall
    e16_page_fault_handler_goes_on_at_the_upcall
    e16_page_fault_handler_writes_the_frame
    e16_page_fault_handler_begins_a_nested_frame_below_a_blank_word
    e16_page_fault_handler_picks_the_stack_by_the_stack_pointer
    e16_page_fault_handler_ends_a_program_whose_stack_is_full
    e16_page_fault_handler_ends_a_program_without_a_stack
    e16_page_fault_handler_ends_a_program_whose_upcall_is_not_its_own
    e16_page_fault_handler_looks_at_all_of_the_frame
    e16_page_fault_handler_writes_over_two_pages
}

const UPCALL: u64 = 0x80_0040;
const FAULT: u64 = 0x1000_0008;

/// The lowest address of the exception stack.
fn bottom<L: MemLayout>() -> u64 {
    L::UXSTACKTOP - PGSIZE
}

/// Bytes of a word.
fn word<F: Format>() -> u64 {
    F::Word::BYTES
}

/// Bytes of the frame that a handler is given.
fn size<F: Format>() -> u64 {
    (REGISTERS as u64 + 5) * word::<F>()
}

/// A program that runs, with code at its upcall, and with an exception stack whose frame is returned. Another one is
/// there too.
fn with_handler<L: MemLayout, F: Format + Mmu>() -> (World<L, F>, PhysAddr) {
    let mut world = World::family(1);
    world.put(FIRST, UPCALL & !(PGSIZE - 1), Perm::UR | Perm::X);
    let stack = world.put(FIRST, bottom::<L>(), Perm::URW);
    // Full of junk, so that each word that is not written is seen.
    world.pmap.machine().store_run(stack, 0xA5A5_A5A5_u32, 0, PGSIZE as usize / 4);
    world.set(FIRST, offset_of!(E<F>, env_pgfault_upcall), F::Word::from_u64(UPCALL));
    let mut frame = world.envs.env(FIRST).env_tf;
    frame.registers = std::array::from_fn(|n| F::Word::from_u64(20 + n as u64));
    (frame.pc, frame.sp) = (F::Word::from_u64(0x80_0020), F::Word::from_u64(L::USTACKTOP - 8));
    world.envs.set_frame(FIRST, frame);
    (world, stack)
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    fn set_sp(&mut self, sp: u64) {
        let mut frame = self.envs.env(FIRST).env_tf;
        frame.sp = F::Word::from_u64(sp);
        self.envs.set_frame(FIRST, frame);
    }

    /// A page fault at `FAULT`. `None` if `sched_yield` is asked and not there yet.
    fn faults(&mut self) -> Option<Next> {
        self.dispatched(Cause::PageFault { va: VirtAddr::new(FAULT) })
    }

    /// A page fault after which the program must go on at its upcall, with its frame at `at`.
    fn must_go_on(&mut self, at: u64, why: &str) {
        let then = self.faults();
        let (frame, status) = (self.envs.env(FIRST).env_tf, self.envs.env(FIRST).env_status);
        assert!(
            status == ENV_RUNNING && then == Some(Next::Run(FIRST)),
            "page_fault_handler must let the program go on at its upcall ({why}), but its status is {status}; printed: {:?}",
            self.said()
        );
        let (pc, sp) = (frame.pc().as_u64(), frame.sp().as_u64());
        assert!(
            pc == UPCALL,
            "page_fault_handler must let the program go on at its upcall, {UPCALL:#x}, but its pc is {pc:#x}"
        );
        assert!(
            sp == at,
            "page_fault_handler must leave sp at {at:#x} ({why}), but it is {sp:#x}; UXSTACKTOP is {:#x}, a frame has {:#x} bytes, a word {}",
            L::UXSTACKTOP,
            size::<F>(),
            word::<F>()
        );
        let registers = frame.registers.map(Word::to_u64);
        assert!(
            registers == std::array::from_fn(|n| 20 + n as u64),
            "page_fault_handler must leave the program's general registers, but they are {registers:x?}"
        );
    }

    /// A page fault that must end the program, with this line.
    fn must_end(&mut self, line: &str, why: &str) {
        self.said();
        let then = self.faults();
        let (said, status) = (self.said(), self.envs.env(FIRST).env_status);
        assert!(
            status == ENV_FREE,
            "page_fault_handler must end a program {why}, but its status is {status}, and the kernel goes on with {then:?}"
        );
        assert!(
            said.contains(line),
            "page_fault_handler must print {line:?} about a program {why}, but {said:?} is printed"
        );
    }

    /// Words of the frame at `at`, of which the stack's first page lies at `stack`.
    fn frame_words(&self, stack: PhysAddr, at: u64) -> Vec<u64> {
        let pa = stack + (at - bottom::<L>());
        let words = (0..REGISTERS as u64 + 5)
            .map(|n| self.pmap.machine().load::<F::Word>(pa + n * word::<F>()));
        words.map(Word::to_u64).collect()
    }
}

/// The frame of a fault at 0x800020 with this stack pointer.
fn wanted(sp: u64) -> Vec<u64> {
    let registers = (0..REGISTERS as u64).map(|n| 20 + n);
    [FAULT, 0].into_iter().chain(registers).chain([0x80_0020, 0, sp]).collect()
}

fn e16_page_fault_handler_ends_a_program_without_an_upcall<L: MemLayout, F: Format + Mmu>() {
    let (mut world, _) = with_handler::<L, F>();
    world.set(FIRST, offset_of!(E<F>, env_pgfault_upcall), F::Word::ZERO);
    let at = world.frame_address();
    let lines = format!(
        "Incoming TRAP frame at {:#010x}\n[00001000] user fault va 10000008 ip 00800020\n\
         TRAP frame at {at:#010x} from CPU 0\n  pc   0x00800020\n[00001000] free env 00001000\n",
        L::KSTACKTOP - 68
    );
    world.must_end(&lines, "without an upcall");
}

fn e16_page_fault_handler_goes_on_at_the_upcall<L: MemLayout, F: Format + Mmu>() {
    let (mut world, _) = with_handler::<L, F>();
    world.must_go_on(L::UXSTACKTOP - size::<F>(), "the frame is the first on the exception stack");
    let said = world.said();
    assert!(
        said.is_empty(),
        "page_fault_handler must print nothing about a fault that the program handles, but prints {said:?}"
    );
}

fn e16_page_fault_handler_writes_the_frame<L: MemLayout, F: Format + Mmu>() {
    let (mut world, stack) = with_handler::<L, F>();
    let at = L::UXSTACKTOP - size::<F>();
    world.must_go_on(at, "the frame is the first on the exception stack");
    let (found, wanted) = (world.frame_words(stack, at), wanted(L::USTACKTOP - 8));
    assert!(
        found == wanted,
        "the frame on the exception stack must be {wanted:x?} (address, error, registers, pc, flags, sp of the fault), but is {found:x?}"
    );
    let below: u32 = world.pmap.machine().load(stack + (at - bottom::<L>() - 4));
    assert!(below == 0xA5A5_A5A5, "page_fault_handler writes {below:#x} below the frame");
}

fn e16_page_fault_handler_begins_a_nested_frame_below_a_blank_word<
    L: MemLayout,
    F: Format + Mmu,
>() {
    let (mut world, stack) = with_handler::<L, F>();
    let mut sp = L::UXSTACKTOP - size::<F>();
    world.must_go_on(sp, "the frame is the first on the exception stack");
    for depth in 2..5 {
        let at = sp - word::<F>() - size::<F>();
        world.must_go_on(at, &format!("fault {depth} on the exception stack: its frame lies below the last, after one blank word"));
        let words = world.frame_words(stack, at);
        let (fault, old) = (words[0], words[REGISTERS + 4]);
        assert!(
            (fault, old) == (FAULT, sp),
            "the frame of a nested fault must have the address {FAULT:#x} and the stack pointer {sp:#x}, but has {fault:#x} and {old:#x}"
        );
        sp = at;
    }
}

fn e16_page_fault_handler_picks_the_stack_by_the_stack_pointer<L: MemLayout, F: Format + Mmu>() {
    let (top, bottom, size, word) = (L::UXSTACKTOP, bottom::<L>(), size::<F>(), word::<F>());
    let on = "sp is on the exception stack: the frame lies below it, after one blank word";
    let off = "sp is not on the exception stack: the frame lies at its top";
    let cases = [
        (top - 8, top - 8 - word - size, on),
        (top - word, top - 2 * word - size, on),
        (bottom + word + size, bottom, on),
        (top, top - size, off),
        (bottom - 1, top - size, off),
        (0, top - size, off),
        (L::KERNBASE, top - size, off),
        (L::VA_LAST & !7, top - size, off),
    ];
    for (sp, at, why) in cases {
        let (mut world, _) = with_handler::<L, F>();
        world.set_sp(sp);
        world.must_go_on(at, &format!("sp was {sp:#x}; {why}"));
    }
}

fn e16_page_fault_handler_ends_a_program_whose_stack_is_full<L: MemLayout, F: Format + Mmu>() {
    let (bottom, size, word) = (bottom::<L>(), size::<F>(), word::<F>());
    for sp in [bottom + size + word - 8, bottom + size, bottom + 8, bottom] {
        let (mut world, _) = with_handler::<L, F>();
        world.set_sp(sp);
        let at = sp - word - size;
        let line = format!("[00001000] user_mem_check assertion failure for va {at:08x}\n");
        world.must_end(
            &line,
            &format!("whose exception stack has no room for the frame (sp {sp:#x})"),
        );
    }
}

fn e16_page_fault_handler_ends_a_program_without_a_stack<L: MemLayout, F: Format + Mmu>() {
    let at = L::UXSTACKTOP - size::<F>();
    let line = format!("[00001000] user_mem_check assertion failure for va {at:08x}\n");
    for perm in [None, Some(Perm::UR), Some(Perm::KRW)] {
        let mut world = World::<L, F>::family(1);
        world.put(FIRST, UPCALL & !(PGSIZE - 1), Perm::UR | Perm::X);
        world.set(FIRST, offset_of!(E<F>, env_pgfault_upcall), F::Word::from_u64(UPCALL));
        let Some(perm) = perm else {
            world.must_end(&line, "without an exception stack");
            continue;
        };
        world.put(FIRST, bottom::<L>(), perm);
        world.must_end(&line, &format!("that may not write to its exception stack ({perm})"));
    }
}

fn e16_page_fault_handler_ends_a_program_whose_upcall_is_not_its_own<
    L: MemLayout,
    F: Format + Mmu,
>() {
    for upcall in [1, 0xdead_beef, page(5), L::ULIM, L::KERNBASE + 0x20, L::VA_LAST] {
        let (mut world, _) = with_handler::<L, F>();
        world.set(FIRST, offset_of!(E<F>, env_pgfault_upcall), F::Word::from_u64(upcall));
        let line = format!("[00001000] user_mem_check assertion failure for va {upcall:08x}\n");
        world.must_end(&line, &format!("whose upcall, {upcall:#x}, it may not read itself"));
    }
}

/// Not only the frame's beginning must be the program's.
fn e16_page_fault_handler_looks_at_all_of_the_frame<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    world.put(FIRST, UPCALL & !(PGSIZE - 1), Perm::UR | Perm::X);
    world.set(FIRST, offset_of!(E<F>, env_pgfault_upcall), F::Word::from_u64(UPCALL));
    world.put(FIRST, bottom::<L>() - PGSIZE, Perm::URW);
    world.set_sp(bottom::<L>() + 2 * word::<F>());
    let line =
        format!("[00001000] user_mem_check assertion failure for va {:08x}\n", bottom::<L>());
    world.must_end(
        &line,
        "whose frame would begin in a page that it may write and end in one that it has not",
    );
}

/// Where the program has put a page below the exception stack, a frame may lie in both.
fn e16_page_fault_handler_writes_over_two_pages<L: MemLayout, F: Format + Mmu>() {
    let (bottom, size, word) = (bottom::<L>(), size::<F>(), word::<F>());
    for part in [word, 5 * word, size - word] {
        let (mut world, stack) = with_handler::<L, F>();
        let below = world.put(FIRST, bottom - PGSIZE, Perm::URW);
        let sp = bottom + part + word;
        world.set_sp(sp);
        let at = bottom + part - size;
        world.must_go_on(
            at,
            "the frame begins in the page below the exception stack, which the program has mapped",
        );
        let wanted = wanted(sp);
        for (n, wanted) in (0..).zip(wanted) {
            let va = at + n * word;
            let pa = if va < bottom { below + va % PGSIZE } else { stack + va % PGSIZE };
            let found = world.pmap.machine().load::<F::Word>(pa).to_u64();
            assert!(
                found == wanted,
                "a frame over two pages, from {at:#x} on: word {n}, at {va:#x}, must be {wanted:#x}, but is {found:#x}"
            );
        }
    }
}
