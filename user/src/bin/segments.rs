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
        for selector in 0..SELECTORS {
            // The table of a task's own segments is none.
            let is_local = selector & 4 != 0;
            // SAFETY: the child goes on only if it has the segment, or does not use it.
            let load = || unsafe { load_segment(register, selector) };
            if is_local {
                trials.ends(format_args!("register {register}, selector {selector:#x}"), load);
            } else {
                trials.tries(load);
            }
        }
    }
    trials.end();
}
