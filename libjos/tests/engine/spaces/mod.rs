//! Address spaces and user memory on every format: the kernel's half shared, memory grown, shrunk,
//! copied and copied on write, bytes carried over page boundaries; errors that change nothing;
//! nothing lost, and no stale translation.

mod rig;

mod bytes;
mod cow;
mod directories;
mod global;
mod lives;
mod memory;
mod print;
mod unmapping;
mod values;
mod window;
