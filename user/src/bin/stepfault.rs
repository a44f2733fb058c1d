//! Stops at a breakpoint, and divides by zero soon after: a single step that ends in a fault.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{breakpoint, divide};

main!(main);

fn main(_: Args) {
    breakpoint();
    // SAFETY: the kernel ends this program.
    cprintf!("1/0 is {:08x}!\n", unsafe { divide(1, 0) });
}
