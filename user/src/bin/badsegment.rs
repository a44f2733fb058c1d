//! Loads the kernel's task segment into a data segment register.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::load_segment;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe { load_segment(0, 0x28) };
}
