//! Sends messages to itself, to the dead, and with pages that cannot be sent; then one that can.
#![no_std]
#![no_main]

use user::dumbfork::dumbfork;
use user::inc::{PTE_P, PTE_U, call};
use user::prelude::*;
use user::trial::Trials;
use user::{KERNBASE, LOAD_ADDR, UENVS, UPAGES, USTACKTOP, UTEXT, UTOP, UVPT, UXSTACKTOP};

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
        // SAFETY: nothing lies at UTEMP.
        while unsafe { sys_ipc_recv(UTEMP) } == Ok(()) && Message::received().value != 0 {
            let Message { from, value, perm } = Message::received();
            // No page may have come.
            let value = if perm == 0 { value + 1 } else { 0 };
            ipc_send(from, value);
        }
        let Message { from, value, .. } = Message::received();
        ipc_send(from, value + 1);
        exit();
    };
    while Environment::of(child).status() != ENV_NOT_RUNNABLE {
        sys_yield();
    }
    for (what, page, perm) in [
        ("a page that is not aligned", UTEXT + 1, PTE_RW),
        ("the last byte below UTOP", UTOP - 1, PTE_RW),
        ("page 0", 0, PTE_RW),
        ("no page", UTEMP, PTE_RW),
        ("the exception stack, which it has not", UXSTACKTOP - PGSIZE, PTE_RW),
        ("its code, writable", UTEXT, PTE_RW),
        ("its stack, without permissions", USTACKTOP - PGSIZE, 0),
        ("its stack, global", USTACKTOP - PGSIZE, PTE_RW | 1 << 8),
    ] {
        let (holds, is) = refused(child, page, perm, Error::Inval);
        trials.holds(holds, format_args!("{what}: {is}"));
    }
    // From UTOP on an address is that of no page, so the message comes without one; the permissions do not matter then.
    for (what, page, perm) in [
        ("UTOP", UTOP, PTE_RW),
        ("UENVS", UENVS, PTE_P | PTE_U),
        ("UPAGES", UPAGES, PTE_RW),
        ("UVPT", UVPT, PTE_P | PTE_U),
        ("the kernel's code", KERNBASE + LOAD_ADDR, PTE_RW),
        ("the last address", usize::MAX, u64::MAX),
    ] {
        while Environment::of(child).status() != ENV_NOT_RUNNABLE {
            sys_yield();
        }
        // SAFETY: that is no page.
        let sent = unsafe { sys_ipc_try_send(child, 7, page, perm) };
        let answer = ipc_recv();
        let holds = sent == Ok(()) && answer == Message { from: child, value: 8, perm: 0 };
        trials.holds(holds, format_args!("a page at {what}: {sent:?}, {answer:?}"));
    }
    while Environment::of(child).status() != ENV_NOT_RUNNABLE {
        sys_yield();
    }
    ipc_send(child, 0);
    let answer = ipc_recv();
    trials.holds(answer == Message { from: child, value: 1, perm: 0 }, format_args!("{answer:?}"));
    while Environment::of(child).status() != ENV_FREE {
        sys_yield();
    }
    let (holds, is) = refused(child, NO_PAGE, 0, Error::BadEnv);
    trials.holds(holds, format_args!("to the dead: {is}"));
    trials.end();
}
