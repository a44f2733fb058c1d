//! Raises every interrupt vector but the breakpoint's, each in a child and by an instruction. The kernel must end the
//! child, except at the system call's.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::int;
use user::trial::Trials;

main!(main);

// The two vectors that a program may raise.
const BREAKPOINT: u8 = 3;
const SYSCALL: u8 = 0x30;

fn main(_: Args) {
    let mut trials = Trials::new();
    for vector in (0..=u8::MAX).filter(|&vector| vector != BREAKPOINT) {
        // SAFETY: the kernel ends the child, or returns an error to it.
        let raise = || unsafe { int(vector) };
        if vector == SYSCALL {
            trials.passes("int 0x30", raise);
        } else {
            trials.ends(format_args!("int {vector:#x}"), raise);
        }
    }
    trials.end();
}
