//! The arrays of environments, in the machine's memory: the lives of three environments, with each call once. They are
//! short enough for Miri, which watches the accesses to the arrays.

use layout::{Jos32, MB, MemLayout, PGSIZE};
use libjos::env::abi::{ENV_RUNNABLE, call};
use libjos::env::{EnvIndex, Next, TrapFrame};
use libjos::paging::format::i386::I386;

use crate::rig::{UR, URW, World, booted_with, page};

const TEXT: u64 = 0x80_0020;
const EXCEPTION_STACK: u64 = Jos32::UXSTACKTOP - PGSIZE;

#[test]
fn short_lives() {
    let mut world = World::<Jos32, I386>::on(booted_with(5 * MB)).running(2);
    let [first, second, third] = [0, 1, 2].map(EnvIndex::new);
    // A frame is written from outside, as a machine does it at a trap.
    let frame = world.envs.frame(first);
    let mut registers = world.envs.env(first).env_tf;
    registers.registers[0] = call::GETENVID as u32;
    // SAFETY: the frame of an environment; no method of `envs` runs meanwhile.
    unsafe { frame.write(registers) };
    assert_eq!(world.trap(libjos::env::Cause::Syscall), Next::Run(first));
    // SAFETY: as above.
    assert_eq!(unsafe { frame.read() }.registers[0], 0x1000);
    assert_eq!(world.call(call::CPUTS, &[TEXT, 4]), 0);
    assert_eq!(world.console.written, [0, 1, 2, 3]);
    world.console.typed.push_back(b'x');
    assert_eq!(world.call(call::CGETC, &[]), i64::from(b'x'));
    // A page fault, handled by the program.
    assert_eq!(world.call(call::ENV_SET_PGFAULT_UPCALL, &[0, TEXT + 32]), 0);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, EXCEPTION_STACK, URW]), 0);
    assert_eq!(world.store(page(0), 77), Err(Next::Run(first)));
    assert_eq!(world.envs.env(first).env_tf.pc().as_u64(), TEXT + 32);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), URW]), 0);
    world.store(page(0), 77).unwrap();
    // A child, a message to its parent, and their ends.
    assert_eq!(world.call(call::EXOFORK, &[]), 0x1002);
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0x1002, page(1), UR]), 0);
    assert_eq!(world.call(call::ENV_SET_STATUS, &[0x1002, ENV_RUNNABLE.into()]), 0);
    assert_eq!(world.call_only(call::IPC_RECV, &[page(2)]), Next::Run(second));
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(3), URW]), 0);
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 5, page(3), UR]), 0);
    assert_eq!(world.envs.all().count(), 3);
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(third));
    assert_eq!((world.result(third), world.load(page(1))), (0, Ok(77)));
    assert_eq!(world.call(call::PAGE_UNMAP, &[0, page(1)]), 0);
    assert_eq!(world.load(page(1)), Err(Next::Run(first)));
    assert_eq!((world.result(first), world.load(page(2) + PGSIZE - 8)), (0, Ok(0)));
    assert_eq!(world.envs.env(first).env_ipc_value, 5);
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::Run(second));
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::NoneRunnable);
    assert_eq!(world.envs.all().count(), 0);
}
