//! Instructions and accesses that a program should not use, for programs that test how the kernel takes them.

pub use crate::arch::{
    FAR, GATES, Gate, IGNORED_FLAGS, Instruction, KEPT_FLAGS, LAST_CALLS, PRIVILEGED, TRAP_FLAG,
    breakpoint, divide, fault_and_resume, fault_with_stack, int, keep_floats, load_segment, now,
    read, read_byte, resumption, write,
};
