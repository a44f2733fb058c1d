//! Measures what the kernel's services take, in ticks of the processor's counter: instructions, if QEMU counts them
//! (`-icount shift=0,sleep=off`).
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{GATES, fault_and_resume, now, resumption};

main!(main);

const US: EnvId = EnvId::NONE;
/// How often a deed is done.
const ROUNDS: u64 = 100;
const FORKS: u64 = 10;

fn main(_: Args) {
    // Measuring itself takes so many.
    let nothing = per_round(ROUNDS, || ());
    let say = |what: &str, ticks: u64| cprintf!("{what:40} {:8}\n", ticks.saturating_sub(nothing));

    for gate in GATES {
        say(gate.instruction, per_round(ROUNDS, || _ = (gate.call)()));
    }
    say("null system call", per_round(ROUNDS, || _ = sys_getenvid()));
    // SAFETY: the call has no effect.
    say("a call that there is not", per_round(ROUNDS, || _ = unsafe { syscall(u64::MAX, [0; 5]) }));
    say("page_alloc and page_unmap", per_round(ROUNDS, page_alloc_and_unmap));
    // SAFETY: this program has no object there, and its page is mapped again and again.
    unsafe { sys_page_alloc(US, UTEMP, PTE_RW) }.expect("a page");
    say("page_map", per_round(ROUNDS, page_map));

    // SAFETY: the handler goes on behind the only fault that comes, which changes nothing.
    unsafe { set_pgfault_handler(|frame| frame.utf_eip = resumption()) };
    // SAFETY: the handler goes on behind the fault.
    say("page fault to an upcall and back", per_round(ROUNDS, || unsafe { fault_and_resume() }));

    let child = child_that(sys_yield);
    say("yield, there and back", per_round(ROUNDS, sys_yield));
    sys_env_destroy(child).expect("a child");

    let us = sys_getenvid();
    let child = child_that(|| ipc_send(us, ipc_recv().value));
    say("a message there and back", per_round(ROUNDS, || message(child)));
    sys_env_destroy(child).expect("a child");

    say("fork, exit", per_round(FORKS, fork_and_exit));
}

/// The ticks that a deed takes, on average. The first round does not count.
fn per_round(rounds: u64, mut deed: impl FnMut()) -> u64 {
    deed();
    let start = now();
    for _ in 0..rounds {
        deed();
    }
    (now() - start) / rounds
}

/// Makes a child that does a deed again and again.
fn child_that(deed: impl Fn()) -> EnvId {
    match fork().unwrap_or_else(|error| panic!("fork: {error}")) {
        Fork::Child => loop {
            deed();
        },
        Fork::Parent(child) => child,
    }
}

fn page_alloc_and_unmap() {
    // SAFETY: this program has no object there.
    unsafe {
        sys_page_alloc(US, UTEMP, PTE_RW).expect("a page");
        sys_page_unmap(US, UTEMP).expect("a page");
    }
}

fn page_map() {
    // SAFETY: this program has no object there.
    unsafe { sys_page_map((US, UTEMP), (US, UTEMP + PGSIZE), PTE_RW) }.expect("a page");
}

fn message(to: EnvId) {
    ipc_send(to, 7);
    assert!(ipc_recv().value == 7);
}

/// Forks, and waits until the child has ended.
fn fork_and_exit() {
    let Fork::Parent(child) = fork().unwrap_or_else(|error| panic!("fork: {error}")) else {
        exit();
    };
    wait(child);
}
