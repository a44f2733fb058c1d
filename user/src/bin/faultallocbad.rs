//! Has page faults handled by pages that are allocated then, but lets the kernel be the first to use such a page: it takes
//! no page fault on a program's behalf.
#![no_std]
#![no_main]

use user::faultin::handler;
use user::inc::call;
use user::prelude::*;

main!(main);

fn main(_: Args) {
    // SAFETY: as for the handler: this program takes no page fault.
    unsafe { set_pgfault_handler(handler) };
    // SAFETY: the kernel ends this program.
    let _ = unsafe { syscall(call::CPUTS, [0xDEAD_BEEF, 4, 0, 0, 0]) };
}
