//! Has twenty environments count at once, each on its own: none may run on two processors.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use user::prelude::*;

main!(main);

static COUNTER: AtomicU32 = AtomicU32::new(0);

fn main(_: Args) {
    let parent = sys_getenvid();
    if !(0..20).any(|_| fork().expect("fork") == Fork::Child) {
        sys_yield();
        return;
    }

    // Wait until the parent has made all.
    while Environment::of(parent).status() != ENV_FREE {
        core::hint::spin_loop();
    }

    for _ in 0..10 {
        sys_yield();
        for _ in 0..10_000 {
            // Two steps, so that a second processor's would be lost.
            COUNTER.store(COUNTER.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }
    let counter = COUNTER.load(Ordering::Relaxed);
    assert!(counter == 10 * 10_000, "ran on two CPUs at once (counter is {counter})");

    cprintf!("[{}] stresssched on CPU {}\n", thisenv().id(), thisenv().cpunum());
}
