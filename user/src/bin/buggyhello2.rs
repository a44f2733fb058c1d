//! Asks the kernel to print a text, with a length that reaches far beyond the program.
#![no_std]
#![no_main]

use user::inc::call;
use user::prelude::*;

main!(main);

static HELLO: &str = "hello, world\n";

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    let _ = unsafe { syscall(call::CPUTS, [HELLO.as_ptr() as usize, 1 << 20, 0, 0, 0]) };
}
