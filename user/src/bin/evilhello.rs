//! Asks the kernel to print its own entry code.
#![no_std]
#![no_main]

use user::inc::call;
use user::prelude::*;
use user::{KERNBASE, LOAD_ADDR};

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    let _ = unsafe { syscall(call::CPUTS, [KERNBASE + LOAD_ADDR + 0xC, 100, 0, 0, 0]) };
}
