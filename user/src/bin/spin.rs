//! Makes a child that loops for ever, and ends it: that takes a timer.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    cprintf!("I am the parent.  Forking the child...\n");
    let Fork::Parent(child) = fork().expect("fork") else {
        cprintf!("I am the child.  Spinning...\n");
        loop {
            core::hint::spin_loop();
        }
    };

    cprintf!("I am the parent.  Running the child...\n");
    for _ in 0..8 {
        sys_yield();
    }

    cprintf!("I am the parent.  Killing the child...\n");
    sys_env_destroy(child).expect("a child");
}
