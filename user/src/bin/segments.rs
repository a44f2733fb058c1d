//! Loads every selector into every segment register, and goes on with it: neither may harm the kernel.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::load_segment;
use user::trial::Trials;

main!(main);

/// Segment registers.
const REGISTERS: usize = 5;
/// The end of the kernel's table of segments, and more.
const SELECTORS: u16 = 0x60;

fn main(_: Args) {
    let mut trials = Trials::new();
    for register in 0..REGISTERS {
        // With the kernel's privilege and with a program's.
        for selector in (0..SELECTORS).filter(|selector| [0, 3].contains(&(selector & 7))) {
            // SAFETY: the child goes on only if it has the segment, or does not use it.
            trials.tries(|| unsafe { load_segment(register, selector) });
        }
        // There is no table of a task's own segments.
        for selector in [4, 7, 0xFFFF] {
            // SAFETY: the kernel ends the child.
            trials.ends(format_args!("register {register}, selector {selector:#x}"), || unsafe {
                load_segment(register, selector);
            });
        }
    }
    trials.end();
}
