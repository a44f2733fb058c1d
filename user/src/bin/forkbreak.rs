//! Makes a child, and stops at a breakpoint: what both share is there to be looked at, such as by the monitor's `env`.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::breakpoint;

main!(main);

fn main(_: Args) {
    match fork().expect("fork") {
        Fork::Child => loop {
            sys_yield();
        },
        Fork::Parent(child) => {
            breakpoint();
            sys_env_destroy(child).expect("a child");
        }
    }
}
