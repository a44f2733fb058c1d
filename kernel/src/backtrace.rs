//! Who called whom: the chain of frame pointers.
//!
//! All code is compiled with frame pointers, so at `rbp` lie the caller's `rbp` and, above it, the
//! address to return to (System V ABI for x86-64, 3.2.2). The entry code begins with `rbp` 0, and
//! so does the stack at KSTACKTOP; there the chain ends. Nothing in it is trusted: a frame must
//! be aligned, lie in a stack, and lie above the frame that it was called from.

use core::arch::asm;

use libjos::addr::VirtAddr;

use crate::probe;
use crate::stack;

/// Frames to print; those of a runaway recursion are all alike.
const LONGEST: usize = 24;

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Where the call returns to.
    pub return_address: u64,
    /// The frame pointer of the function that called.
    pub rbp: u64,
}

/// The calls that led to the frame at `rbp`, the latest first.
pub fn calls(mut rbp: u64) -> impl Iterator<Item = Call> {
    core::iter::from_fn(move || {
        let frame = rbp;
        if !frame.is_multiple_of(8) || !stack::contains(VirtAddr::new(frame), 16) {
            return None;
        }
        let caller = probe::load(frame).ok()?;
        let return_address = probe::load(frame + 8).ok()?;
        // The chain must lead up, or it could go round in a circle.
        rbp = if caller > frame { caller } else { 0 };
        Some(Call { return_address, rbp: caller })
    })
}

/// Prints the calls that led here, without this function.
#[inline(never)]
pub fn print_here() {
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
    print_from(None, rbp);
}

/// Prints the calls that led to the frame at `rbp`, and before them the instruction at `rip`.
pub fn print_from(rip: Option<u64>, rbp: u64) {
    let here = rip.map(|return_address| Call { return_address, rbp });
    let mut calls = here.into_iter().chain(calls(rbp));
    for (n, call) in calls.by_ref().take(LONGEST).enumerate() {
        println!("  #{n:<2} {:#018x}  rbp {:#018x}", call.return_address, call.rbp);
    }
    let more = calls.count();
    if more > 0 {
        println!("  ... and {more} more");
    }
    println!("  (addr2line -Cfpe obj/kern/kernel ADDRESS... names them)");
}
