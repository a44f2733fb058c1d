//! A crowd of environments of all kinds, for the grader, which stops the machine and looks at them from outside. A key
//! starts those that make others; the next key ends all.
#![no_std]
#![no_main]

use user::dumbfork::dumbfork;
use user::fork::PTE_COW;
use user::inc::{PTE_P, PTE_U};
use user::prelude::*;
use user::{USTACKTOP, UTEXT};

main!(main);

const US: EnvId = EnvId::NONE;
/// Where pages of messages go, and pages that come and go.
const MESSAGES: usize = 0x1000_0000;
const PAGES: usize = 0x2000_0000;
/// No two of these pages share a table, on any machine.
const STRIDE: usize = (4 << 20) + PGSIZE;
/// Children that are forked; more would print more than the grader reads meanwhile.
const MOST_FORKED: usize = 200;

fn main(_: Args) {
    let me = sys_getenvid();
    let mut children = [
        start(spins),
        start(|| answers(me)),
        start(waits),
        start(maps),
        start(waits),
        unfinished(),
    ];
    // A free slot amid the others, until the next child is made.
    sys_env_destroy(children[2]).expect("a child");
    cprintf!("crowd: look\n");
    key(|| talk(children[1]));
    sys_env_destroy(children[0]).expect("a child");
    children[0] = start(spins);
    children[2] = start(waits);
    let forking = start(|| forks(children[0]));
    key(|| talk(children[1]));
    for child in children {
        sys_env_destroy(child).expect("a child");
    }
    wait(forking);
}

/// A child that does `deed`.
fn start(deed: impl FnOnce()) -> EnvId {
    match dumbfork().expect("dumbfork") {
        Fork::Child => {
            deed();
            exit();
        }
        Fork::Parent(child) => child,
    }
}

/// A child that never runs, with the program's first page.
fn unfinished() -> EnvId {
    extern "C" fn leave(child: EnvId) -> isize {
        child.0 as isize
    }
    let child = sys_exofork(leave).expect("a child");
    // SAFETY: nothing lies there in the child, and nobody writes to the page.
    unsafe { sys_page_map((US, UTEXT), (child, UTEXT), PTE_P | PTE_U) }.expect("a page");
    child
}

/// Does `deed` again and again until a key is typed.
fn key(mut deed: impl FnMut()) {
    while sys_cgetc() == 0 {
        deed();
    }
}

/// Sends the one that answers a page, and waits for its answer.
fn talk(to: EnvId) {
    // SAFETY: the page is for messages alone.
    unsafe {
        sys_page_alloc(US, MESSAGES, PTE_RW).expect("a page");
        ipc_send_page(to, 1, MESSAGES, PTE_RW);
    }
    let _ = ipc_recv();
}

fn spins() {
    loop {
        core::hint::spin_loop();
    }
}

/// Takes a page that comes with a message, and sends it back.
fn answers(parent: EnvId) {
    loop {
        // SAFETY: the page is for messages alone.
        unsafe {
            sys_ipc_recv(MESSAGES).expect("ipc_recv");
            ipc_send_page(parent, Message::received().value + 1, MESSAGES, PTE_P | PTE_U);
        }
    }
}

/// Has pages come and go, with all permissions, at addresses that need tables.
fn maps() {
    for n in 0.. {
        let (va, other) = (PAGES + n % 32 * STRIDE, PAGES + (n + 7) % 32 * STRIDE + 8 * PGSIZE);
        let perm = [PTE_RW, PTE_P | PTE_U, PTE_P | PTE_U | PTE_COW][n % 3];
        // SAFETY: nothing else lies there.
        unsafe {
            sys_page_alloc(US, va, PTE_RW).expect("a page");
            sys_page_map((US, va), (US, other), perm).expect("a page");
            sys_page_map((US, USTACKTOP - PGSIZE), (US, other + PGSIZE), PTE_RW).expect("a page");
            if n % 5 == 0 {
                sys_page_unmap(US, va).expect("the caller");
            }
        }
    }
}

/// Waits for a message that never comes.
fn waits() {
    // SAFETY: no page comes.
    let _ = unsafe { sys_ipc_recv(MESSAGES) };
}

/// Forks children, which write to pages that are copied then, until `other` has ended.
fn forks(other: EnvId) {
    let mut forked = 0;
    while Environment::of(other).id() == other && Environment::of(other).status() != ENV_FREE {
        if forked < MOST_FORKED {
            forked += 1;
            if fork().expect("fork") == Fork::Child {
                return;
            }
        }
        // Now and then, by the turns of this environment.
        let runs = thisenv().runs();
        while thisenv().runs() < runs + 2 {
            core::hint::spin_loop();
        }
    }
}
