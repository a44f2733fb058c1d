//! Divides by zero.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::divide;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    cprintf!("1/0 is {:08x}!\n", unsafe { divide(1, 0) });
}
