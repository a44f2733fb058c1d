//! Exceptions, as far as PCs share them: machine checks, and the description of a trap.

pub(in crate::arch) mod machine_check;
mod words;
