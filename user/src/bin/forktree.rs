//! Forks a binary tree of environments, each of which prints its place in it.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

/// Levels of the tree below the root.
const DEPTH: usize = 3;

fn main(_: Args) {
    let mut path = [0; DEPTH];
    let mut length = 0;
    // A child goes one level down; whoever has made both children is done.
    'level: loop {
        let name = core::str::from_utf8(&path[..length]).expect("ASCII");
        cprintf!("{:04x}: I am '{name}'\n", sys_getenvid().0);
        if length == DEPTH {
            return;
        }
        for branch in [b'0', b'1'] {
            if fork().expect("fork") == Fork::Child {
                path[length] = branch;
                length += 1;
                continue 'level;
            }
        }
        return;
    }
}
