//! The facts that kernel and programs share (JOS's `inc/`): libjos's, for this machine.

pub use libjos::env::abi::*;

use crate::arch::{REGISTERS, TRAPFRAME_WORDS};

/// The permissions of a page that can be read and written.
pub const PTE_RW: u64 = PTE_P | PTE_U | PTE_W;
/// All permissions that a program may ask for.
pub const PTE_SYSCALL: u64 = PTE_RW | PTE_AVAIL;

/// An environment, as the kernel shows it at UENVS.
pub type Env = libjos::env::abi::Env<[usize; TRAPFRAME_WORDS], usize>;

/// A page fault, as the kernel leaves it on the exception stack.
pub type UTrapframe = libjos::env::abi::UTrapframe<{ REGISTERS.len() }, usize>;

/// The error that a negative result of a system call means.
pub(crate) fn error(result: isize) -> Error {
    use Error::{BadEnv, Eof, Fault, Inval, IpcNotRecv, NoFreeEnv, NoMem, Unspecified};
    let known = [BadEnv, Inval, NoMem, NoFreeEnv, Fault, IpcNotRecv, Eof];
    known.into_iter().find(|&error| result == -(error as isize)).unwrap_or(Unspecified)
}
