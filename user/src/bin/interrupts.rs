//! Raises every vector by an instruction. All but the breakpoint's, which is left out, and the system call's are the end.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::int;
use user::trial::Trials;

main!(main);

/// The vectors that a program may raise.
const BREAKPOINT: u8 = 3;
const SYSCALL: u8 = 0x30;

fn main(_: Args) {
    let mut trials = Trials::new();
    for vector in (0..=u8::MAX).filter(|&vector| vector != BREAKPOINT) {
        // SAFETY: the kernel ends the child, or gives an error.
        let raise = || unsafe { int(vector) };
        if vector == SYSCALL {
            trials.passes("int 0x30", raise);
        } else {
            trials.ends(format_args!("int {vector:#x}"), raise);
        }
    }
    trials.end();
}
