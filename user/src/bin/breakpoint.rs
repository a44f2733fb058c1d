//! Stops at a breakpoint, which leads to the kernel's monitor.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::breakpoint;

main!(main);

fn main(_: Args) {
    breakpoint();
}
