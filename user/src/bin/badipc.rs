//! Sends messages to itself, to the dead, and with pages that cannot be sent; then one that can.
#![no_std]
#![no_main]

use user::dumbfork::dumbfork;
use user::inc::call;
use user::prelude::*;
use user::trial::Trials;
use user::{USTACKTOP, UTEXT};

main!(main);

fn main(_: Args) {
    let mut trials = Trials::new();
    let me = sys_getenvid();
    let refused = |to: EnvId, page, perm: u64, error: Error| {
        // SAFETY: sending changes no memory here.
        let is = unsafe { syscall(call::IPC_TRY_SEND, [to.0 as usize, 7, page, perm as usize, 0]) };
        (is == -(error as isize), is)
    };
    for to in [me, EnvId::NONE] {
        let (holds, is) = refused(to, NO_PAGE, 0, Error::IpcNotRecv);
        trials.holds(holds, format_args!("to itself: {is}"));
    }

    let Fork::Parent(child) = dumbfork().expect("dumbfork") else {
        let message = ipc_recv();
        ipc_send(message.from, message.value + 1, NO_PAGE, 0);
        exit();
    };
    while Environment::of(child).status() != ENV_NOT_RUNNABLE {
        sys_yield();
    }
    for (what, page, perm) in [
        ("a page that is not aligned", UTEXT + 1, PTE_RW),
        ("no page", UTEMP, PTE_RW),
        ("its code, writable", UTEXT, PTE_RW),
        ("its stack, without permissions", USTACKTOP - PGSIZE, 0),
        ("its stack, global", USTACKTOP - PGSIZE, PTE_RW | 1 << 8),
    ] {
        let (holds, is) = refused(child, page, perm, Error::Inval);
        trials.holds(holds, format_args!("{what}: {is}"));
    }
    ipc_send(child, 7, NO_PAGE, 0);
    let answer = ipc_recv();
    trials.holds(answer == Message { from: child, value: 8, perm: 0 }, format_args!("{answer:?}"));
    while Environment::of(child).status() != ENV_FREE {
        sys_yield();
    }
    let (holds, is) = refused(child, NO_PAGE, 0, Error::BadEnv);
    trials.holds(holds, format_args!("to the dead: {is}"));
    trials.end();
}
