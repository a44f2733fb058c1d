//! Lets other environments run, a few times.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    let id = thisenv().id();
    cprintf!("Hello, I am environment {id}.\n");
    for i in 0..5 {
        sys_yield();
        cprintf!("Back in environment {id}, iteration {i}.\n");
    }
    cprintf!("All done in environment {id}.\n");
}
