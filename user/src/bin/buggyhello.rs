//! Asks the kernel to print a byte at an address where nothing is mapped.
#![no_std]
#![no_main]

use user::inc::call;
use user::prelude::*;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    let _ = unsafe { syscall(call::CPUTS, [1, 1, 0, 0, 0]) };
}
