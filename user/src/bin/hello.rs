//! Greets, and says its id.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    cprintf!("hello, world\n");
    cprintf!("i am environment {}\n", thisenv().id());
}
