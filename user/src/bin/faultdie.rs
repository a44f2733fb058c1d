//! Handles a page fault by ending: JOS's `faultdie`.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::write;

main!(main);

fn main(_: Args) {
    // SAFETY: the handler ends this program.
    unsafe { set_pgfault_handler(handler) };
    // SAFETY: nothing is mapped there, and the handler ends this program.
    unsafe { write(0xDEAD_BEEF, 0) };
}

fn handler(frame: &mut UTrapframe) {
    cprintf!("i faulted at va {:x}, err {:x}\n", frame.utf_fault_va, frame.utf_err & 7);
    exit();
}
