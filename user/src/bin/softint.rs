//! Raises the page fault's vector by an instruction, which a program may not.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::int;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe { int(14) };
}
