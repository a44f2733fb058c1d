//! Writes to the kernel's memory.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::write;
use user::{KERNBASE, LOAD_ADDR};

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe { write(KERNBASE + LOAD_ADDR, 0) };
}
