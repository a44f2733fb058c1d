//! Backtraces: the chain of frame pointers, with names.
//!
//! All code is compiled with frame pointers, so a frame holds its caller's frame pointer and the return
//! address (`cpu::saved` knows where). The chain ends at frame pointer 0, with which the entry code and
//! the stack at KSTACKTOP begin. Nothing in it is trusted: a frame must be aligned, lie in a stack, and
//! lie above the frame that it called.

use core::fmt;

use libjos::mem::addr::VirtAddr;
use libjos::symtab::CallFrame;

use crate::arch::cpu::{self, frame_pointer};
use crate::arch::{ADDRESS_COLUMNS, probe};
use crate::stack;
use crate::symbols;

/// The most calls to print, not counting repetitions of the call before.
const LONGEST: usize = 24;
/// Bytes of a word in a frame.
const WORD: u64 = size_of::<usize>() as u64;
/// Columns of the screen.
const COLUMNS: usize = 80;

/// A line of a backtrace: a call, or the instruction that trapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    /// The call's return address, or the address of the instruction that trapped.
    pub address: u64,
    /// Whether `address` is a return address, behind the call.
    pub is_return: bool,
}

impl Call {
    /// The functions that contain the call: the innermost inlined one first, the compiled one last.
    fn frames(self) -> impl Iterator<Item = CallFrame<'static>> {
        // A return address may lie in the next line or function; the byte before it never does.
        let inside = self.address.wrapping_sub(self.is_return.into());
        symbols::table().into_iter().flat_map(move |table| table.frames(inside))
    }
}

/// Why a chain of frames breaks off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BrokenChain {
    /// A frame pointer does not lead into a stack, or is not aligned.
    NoStack(u64),
    /// A frame pointer leads down the stack, or to its own frame.
    NotUp(u64),
    /// A frame cannot be read.
    Unreadable(u64),
}

impl fmt::Display for BrokenChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStack(frame) => write!(f, "frame pointer {frame:#x} leads into no stack"),
            Self::NotUp(frame) => write!(f, "frame pointer {frame:#x} does not lead up the stack"),
            Self::Unreadable(frame) => write!(f, "the frame at {frame:#x} cannot be read"),
        }
    }
}

/// The calls that led to a frame, the latest first; made by [`calls`].
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    frame: u64,
    broken: Option<BrokenChain>,
}

/// The calls that led to the frame at `frame`.
#[must_use]
pub(crate) fn calls(frame: u64) -> Calls {
    Calls { frame, broken: None }
}

impl Iterator for Calls {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        let frame = core::mem::take(&mut self.frame);
        if frame == 0 {
            return None;
        }
        let saved = cpu::saved(frame);
        if !frame.is_multiple_of(WORD)
            || !saved.iter().all(|at| stack::contains(VirtAddr::new(*at), WORD))
        {
            self.broken = Some(BrokenChain::NoStack(frame));
            return None;
        }
        let [Ok(caller), Ok(address)] = saved.map(probe::load_word) else {
            self.broken = Some(BrokenChain::Unreadable(frame));
            return None;
        };
        let (caller, address) = (caller as u64, address as u64);
        // Only upwards, so that a chain that loops comes to an end.
        if caller > frame || caller == 0 {
            self.frame = caller;
        } else {
            self.broken = Some(BrokenChain::NotUp(caller));
        }
        Some(Call { address, is_return: true })
    }
}

/// Prints the calls that led here, starting with the caller.
#[inline(never)]
pub(crate) fn print_here() {
    print(None, frame_pointer(), |_| false);
}

/// Prints the calls that led to a panic, without the functions that report it.
#[inline(never)]
pub(crate) fn print_panic() {
    print(None, frame_pointer(), is_panic_machinery);
}

/// Prints the instruction at `address` and the calls that led to the frame at `frame`.
pub(crate) fn print_trap(address: u64, frame: u64) {
    print(Some(Call { address, is_return: false }), frame, |_| false);
}

/// Whether `function` is part of raising and reporting a panic.
fn is_panic_machinery(function: &str) -> bool {
    let path = function.trim_start_matches('<');
    ["core::", "kernel::panic::", "kernel::backtrace::", "__rustc::", "rust_begin_unwind"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Prints `first` and the calls that led to the frame at `frame`. Leading calls are left out if
/// `is_noise` holds for their compiled function.
fn print(first: Option<Call>, frame: u64, is_noise: fn(&str) -> bool) {
    let chain = || first.into_iter().chain(calls(frame));
    let noise = |call: Call| call.frames().last().is_some_and(|last| is_noise(last.function));
    // If every call is noise, print them all.
    let skipped = chain().position(|call| !noise(call)).unwrap_or(0);
    let mut rest = chain().skip(skipped).peekable();
    let (mut n, mut printed) = (0, 0);
    while let Some(call) = rest.next_if(|_| printed < LONGEST) {
        print_call(n, call);
        let mut same = 0;
        while rest.next_if(|next| *next == call).is_some() {
            same += 1;
        }
        if same > 0 {
            println!("      ... and {same} more of the same");
        }
        n += 1 + same;
        printed += 1;
    }
    let more = rest.count();
    if more > 0 {
        println!("  ... and {more} more");
    }
    let mut calls = calls(frame);
    calls.by_ref().for_each(drop);
    if let Some(broken) = calls.broken {
        println!("  (the chain breaks off: {broken})");
    }
    if symbols::table().is_none() {
        println!("  (addr2line -Cfpe obj/kern/kernel ADDRESS... names them)");
    }
}

/// Prints a call: a line for each function, and another for its source location if that does not fit.
fn print_call(n: usize, call: Call) {
    print!("  #{n:<2} {:#0ADDRESS_COLUMNS$x}", call.address);
    let mut frames = call.frames().enumerate().peekable();
    if frames.peek().is_none() {
        println!();
    }
    let indent = "  #nn ".len() + ADDRESS_COLUMNS;
    for (i, frame) in frames {
        let space = if i > 0 { indent } else { 0 };
        let inlined = if frame.inlined { " (inlined)" } else { "" };
        print!("{:space$} {}{inlined}", "", frame.function);
        if let Some(location) = frame.location {
            let used = indent + 1 + frame.function.len() + inlined.len();
            // A colon and five digits for the line number.
            if used + 1 + location.file.len() + 6 < COLUMNS {
                print!(" {location}");
            } else {
                print!("\n{:indent$}   {location}", "");
            }
        }
        println!();
    }
}

#[cfg(test)]
mod tests;
