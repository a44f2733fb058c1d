//! Instructions and accesses that a program should not use, for programs that test how the kernel takes them.

pub use crate::arch::{breakpoint, divide, int, load_data_segment, read, read_byte, write};
