//! The arrays of environments, in the machine's memory: a short life of two environments. It is short enough for Miri,
//! which watches the accesses to them.

use layout::{Jos32, MB, PGSIZE};
use libjos::env::abi::call;
use libjos::env::{EnvIndex, Next};
use libjos::paging::format::i386::I386;

use crate::rig::{UR, URW, World, booted_with, page};

#[test]
fn a_short_life() {
    let mut world = World::<Jos32, I386>::on(booted_with(5 * MB)).running(2);
    let (first, second) = (EnvIndex::new(0), EnvIndex::new(1));
    // A frame is written from outside, as a machine does it at a trap.
    let frame = world.envs.frame(first);
    let mut registers = world.envs.env(first).env_tf;
    registers.registers[0] = call::GETENVID as u32;
    // SAFETY: the frame of an environment; no method of `envs` runs meanwhile.
    unsafe { frame.write(registers) };
    assert_eq!(world.trap(libjos::env::Cause::Syscall), Next::Run(first));
    // SAFETY: as above.
    assert_eq!(unsafe { frame.read() }.registers[0], 0x1000);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), URW]), 0);
    world.store(page(0), 77).unwrap();
    assert_eq!(world.call(call::EXOFORK, &[]), 0x1002);
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0x1002, page(1), UR]), 0);
    assert_eq!(world.call_only(call::IPC_RECV, &[page(2)]), Next::Run(second));
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(3), URW]), 0);
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 5, page(3), UR]), 0);
    assert_eq!(world.envs.all().count(), 3);
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::Run(first));
    assert_eq!(world.load(page(0)), Ok(77));
    assert_eq!(world.call(call::ENV_DESTROY, &[0x1002]), 0);
    assert_eq!(world.load(page(2) + PGSIZE - 8), Ok(0));
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::NoneRunnable);
    assert_eq!(world.envs.all().count(), 0);
}
