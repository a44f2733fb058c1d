//! Address spaces, and user memory in them as xv6 has it.
//!
//! | module | holds |
//! |---|---|
//! | [`directory`] | page directories: made, taken down, switched to; the kernel's half shared |
//! | [`uvm`] | user memory: grown, shrunk, guarded |
//! | `duplicate`, [`cow`] | user memory copied, at once or on write |
//! | [`copy`] | `copyin`, `copyout` |

pub mod copy;
pub mod cow;
pub mod directory;
mod duplicate;
pub mod uvm;
