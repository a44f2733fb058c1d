//! Instructions and accesses that a program should not use, for programs that test how the kernel takes them.

pub use crate::arch::{
    FAR, GATES, Gate, IGNORED_FLAGS, INTERRUPT_FLAG, Instruction, KEPT_FLAGS, LAST_CALLS,
    PRIVILEGED, TRAP_FLAG, breakpoint, clear_flags, divide, divide_floats, fault_and_resume,
    fault_with_stack, forget_floats, has_first_floats, int, keep_floats, load_segment, now, read,
    read_byte, resumption, wait_for_floats, write,
};
