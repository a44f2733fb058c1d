//! [`Gate`]: an instruction that makes a system call.

use crate::inc::EnvId;

/// An instruction that makes a system call, with functions that make the call `getenvid` by it.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// The instruction.
    pub instruction: &'static str,
    /// Makes the call.
    pub call: fn() -> EnvId,
    /// Sets flags, makes the call, adds 1 to its result by each of two instructions, and returns the flags then. Leaves all
    /// flags as they were before. It is unsafe, since the kernel ends the program if one of the flags asks for it.
    pub call_with_flags: unsafe fn(usize) -> usize,
    /// Makes the call with any stack pointer.
    pub call_with_stack: fn(usize),
}
