//! Writes to address 0.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::write;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe { write(0, 0) };
}
