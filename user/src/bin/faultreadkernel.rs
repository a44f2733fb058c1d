//! Reads the kernel's memory.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::read;
use user::{KERNBASE, LOAD_ADDR};

main!(main);

fn main(_: Args) {
    let kernel = KERNBASE + LOAD_ADDR;
    // SAFETY: the kernel ends this program.
    cprintf!("I read {:08x} from location {kernel:#x}!\n", unsafe { read(kernel) });
}
