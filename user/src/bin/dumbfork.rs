//! Makes a child that gets copies of all pages at once; then the two take turns.
#![no_std]
#![no_main]

use user::dumbfork::dumbfork;
use user::prelude::*;

main!(main);

fn main(_: Args) {
    let (who, turns) = match dumbfork().unwrap_or_else(|error| panic!("dumbfork: {error}")) {
        Fork::Child => ("child", 20),
        Fork::Parent(_) => ("parent", 10),
    };
    for i in 0..turns {
        cprintf!("{i}: I am the {who}!\n");
        sys_yield();
    }
}
