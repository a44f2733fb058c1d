//! Exercise 10: `trap_dispatch`.

use layout::MemLayout;
use libjos::env::abi::{ENV_FREE, ENV_RUNNING};
use libjos::env::{Cause, Next};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND};
use crate::calls::GETENVID;
use crate::complaints::{next, reached};
use crate::rig::{World, page};

lab_tests! {
    e10_trap_dispatch_of_a_call
    e10_trap_dispatch_of_an_interrupt
    e10_trap_dispatch_of_the_timer
    e10_trap_dispatch_of_a_breakpoint
    e10_trap_dispatch_of_an_exception
    e10_trap_dispatch_of_a_page_fault
}

/// The exercise of `page_fault_handler`.
const PAGE_FAULT_HANDLER: u32 = 16;

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// After a trap the kernel must go on so, if that can be asked.
    fn goes_on(&self, cause: &str, found: Option<Next>, wanted: Next) {
        if let Some(found) = found {
            assert!(
                found == wanted,
                "trap_dispatch({cause}) must give {wanted:?} ({}), but gives {found:?} ({})",
                next(wanted),
                next(found)
            );
        }
    }
}

fn e10_trap_dispatch_of_a_call<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    world.set_call(GETENVID, &[]);
    let then = world.dispatched(Cause::Syscall);
    world.goes_on("Syscall", then, Next::Run(FIRST));
    let found = world.result(FIRST);
    assert!(
        found == 0x1000,
        "trap_dispatch(Syscall) must do the call, sys_getenvid(), but the result is {found:#x}"
    );
    // The kernel's own word for who goes on after a call that gives way is the call's.
    world.set_call(crate::calls::YIELD, &[]);
    let then = world.dispatched(Cause::Syscall);
    world.goes_on("Syscall", then, Next::Run(SECOND));
}

fn e10_trap_dispatch_of_an_interrupt<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    let before = world.state();
    let then = world.dispatched(Cause::Interrupt);
    assert!(
        then.is_some(),
        "after trap_dispatch(Interrupt) the program must go on, not sched_yield"
    );
    world.goes_on("Interrupt", then, Next::Run(FIRST));
    world.assert_unchanged(&before, "trap_dispatch(Interrupt)");
    assert!(world.said().is_empty(), "trap_dispatch(Interrupt) must print nothing");
}

fn e10_trap_dispatch_of_the_timer<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    let then = world.dispatched(Cause::Timer);
    world.goes_on("Timer", then, Next::Run(SECOND));
    let (said, status) = (world.said(), world.envs.env(FIRST).env_status);
    assert!(
        status == ENV_RUNNING && said.is_empty(),
        "trap_dispatch(Timer) must leave the program as it is (env_run makes it runnable), and print nothing, but its status is \
         {status}, and {said:?} is printed"
    );
}

fn e10_trap_dispatch_of_a_breakpoint<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    let frame = world.frame_address();
    let then = world.dispatched(Cause::Breakpoint);
    assert!(
        then.is_some(),
        "after trap_dispatch(Breakpoint) the monitor must come, not sched_yield"
    );
    world.goes_on("Breakpoint", then, Next::Breakpoint(FIRST));
    let said = world.said();
    let wanted = format!(
        "Incoming TRAP frame at {:#010x}\nTRAP frame at {frame:#010x} from CPU 0\n  pc   0x00000000\n",
        L::KSTACKTOP - 68
    );
    assert!(said == wanted, "trap_dispatch(Breakpoint) must print {wanted:?}, but prints {said:?}");
    let status = world.envs.env(FIRST).env_status;
    assert!(
        status == ENV_RUNNING,
        "a program at a breakpoint can go on, but its status is {status}"
    );
}

fn e10_trap_dispatch_of_an_exception<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    let frame = world.frame_address();
    let then = world.dispatched(Cause::Exception);
    world.goes_on("Exception", then, Next::Run(SECOND));
    let said = world.said();
    let wanted = format!(
        "Incoming TRAP frame at {:#010x}\nTRAP frame at {frame:#010x} from CPU 0\n  pc   0x00000000\n[00001000] free env 00001000\n",
        L::KSTACKTOP - 68
    );
    assert!(
        said.starts_with(&wanted),
        "trap_dispatch(Exception) must print {wanted:?}, but prints {said:?}"
    );
    let (status, current) = (world.envs.env(FIRST).env_status, world.envs.curenv());
    assert!(
        status == ENV_FREE && current.is_none(),
        "an exception must end the program, but its status is {status}, and curenv is {current:?}"
    );
}

fn e10_trap_dispatch_of_a_page_fault<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    let va = VirtAddr::new(page(0) + 8);
    let then = reached(PAGE_FAULT_HANDLER, "trap_dispatch(PageFault)", || {
        world.dispatched(Cause::PageFault { va })
    });
    // Without an upcall the handler ends the program.
    let Some(then) = then else { return };
    world.goes_on("PageFault", then, Next::Run(SECOND));
    let (said, line) = (world.said(), "[00001000] user fault va 10000008 ip 00000000\n");
    assert!(
        said.contains(line),
        "trap_dispatch(PageFault) must hand the fault to page_fault_handler, which prints {line:?}, but {said:?} is printed"
    );
    let registers = world.envs.env(SECOND).env_tf.registers.map(Word::to_u64);
    assert!(
        registers == [0; 8],
        "trap_dispatch(PageFault) changes another environment's registers: {registers:x?}"
    );
}
