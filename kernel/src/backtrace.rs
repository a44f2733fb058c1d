//! Who called whom: the chain of frame pointers, with names.
//!
//! All code is compiled with frame pointers, so a frame has its caller's frame pointer and the address
//! to return to (`cpu::saved` knows where). The entry code begins with the frame pointer 0, and
//! so does the stack at KSTACKTOP; there the chain ends. Nothing in it is trusted: a frame must
//! be aligned, lie in a stack, and lie above the frame that it was called from.

use core::fmt;

use libjos::mem::addr::VirtAddr;
use libjos::symtab::CallFrame;

use crate::arch::cpu::{self, frame_pointer};
use crate::arch::probe;
use crate::stack;
use crate::symbols;

/// Calls to print, not counting those that are the same as the one before.
const LONGEST: usize = 24;
/// Columns of the screen.
const COLUMNS: usize = 80;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Where the call returns to; of the place where a trap happened, that place.
    pub address: u64,
    /// Whether `address` is the one to return to, behind the call.
    pub is_return: bool,
}

impl Call {
    /// The functions that the call was made in: the innermost first, the compiled one last.
    fn frames(self) -> impl Iterator<Item = CallFrame<'static>> {
        // The call may be the last instruction of its line, and of its function.
        let inside = self.address.wrapping_sub(self.is_return.into());
        symbols::table().into_iter().flat_map(move |table| table.frames(inside))
    }
}

/// Why a chain of frames ends too soon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// A frame pointer leads to no place of a stack.
    NoStack(u64),
    /// A frame pointer leads down, or to itself.
    NotUp(u64),
    /// A frame cannot be read.
    Unreadable(u64),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStack(frame) => write!(f, "frame pointer {frame:#x} leads into no stack"),
            Self::NotUp(frame) => write!(f, "frame pointer {frame:#x} does not lead up the stack"),
            Self::Unreadable(frame) => write!(f, "the frame at {frame:#x} cannot be read"),
        }
    }
}

/// The calls that led to a frame, the latest first. [`calls`] makes it.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    frame: u64,
    broken: Option<Broken>,
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
        if !frame.is_multiple_of(8)
            || !saved.iter().all(|at| stack::contains(VirtAddr::new(*at), 8))
        {
            self.broken = Some(Broken::NoStack(frame));
            return None;
        }
        let [Ok(caller), Ok(address)] = saved.map(probe::load) else {
            self.broken = Some(Broken::Unreadable(frame));
            return None;
        };
        // Or the chain could go round in a circle.
        if caller > frame || caller == 0 {
            self.frame = caller;
        } else {
            self.broken = Some(Broken::NotUp(caller));
        }
        Some(Call { address, is_return: true })
    }
}

/// Prints the calls that led here, without this function.
#[inline(never)]
pub(crate) fn print_here() {
    print(None, frame_pointer(), |_| false);
}

/// As [`print_here`], without the functions by which a panic comes here.
#[inline(never)]
pub(crate) fn print_panic() {
    print(None, frame_pointer(), is_panic_machinery);
}

/// Prints the instruction at `address` and the calls that led to the frame at `frame`.
pub(crate) fn print_trap(address: u64, frame: u64) {
    print(Some(Call { address, is_return: false }), frame, |_| false);
}

/// Whether a panic comes through `function` before it is reported.
fn is_panic_machinery(function: &str) -> bool {
    let path = function.trim_start_matches('<');
    ["core::", "kernel::panic::", "kernel::backtrace::", "__rustc::", "rust_begin_unwind"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Prints `first` and the calls that led to the frame at `frame`, without those at the start whose
/// compiled function `is_noise` holds for.
fn print(first: Option<Call>, frame: u64, is_noise: fn(&str) -> bool) {
    let chain = || first.into_iter().chain(calls(frame));
    let noise = |call: Call| call.frames().last().is_some_and(|last| is_noise(last.function));
    // Where all is noise, so is the idea.
    let skipped = chain().position(|call| !noise(call)).unwrap_or(0);
    let mut rest = chain().skip(skipped).peekable();
    let (mut n, mut printed) = (0, 0);
    while let Some(call) = rest.next_if(|_| printed < LONGEST) {
        print_call(n, call);
        let mut same = 0;
        while rest.next_if(|next| next.address == call.address).is_some() {
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

/// Prints a call: a line for each function, and another where the place does not fit on it.
fn print_call(n: usize, call: Call) {
    print!("  #{n:<2} {:#018x}", call.address);
    let mut frames = call.frames().enumerate().peekable();
    if frames.peek().is_none() {
        println!();
    }
    let indent = "  #nn 0x0123456789abcdef".len();
    for (i, frame) in frames {
        let space = if i > 0 { indent } else { 0 };
        let inlined = if frame.inlined { " (inlined)" } else { "" };
        print!("{:space$} {}{inlined}", "", frame.function);
        if let Some(location) = frame.location {
            let used = indent + 1 + frame.function.len() + inlined.len();
            // A colon and five digits are what a line number takes.
            if used + 1 + location.file.len() + 6 < COLUMNS {
                print!(" {location}");
            } else {
                print!("\n{:indent$}   {location}", "");
            }
        }
        println!();
    }
}
