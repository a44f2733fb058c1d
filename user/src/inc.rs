//! The facts that kernel and programs share (JOS's `inc/`): libjos's, for this machine.

pub use libjos::env::abi::*;

use crate::arch::{REGISTERS, TRAPFRAME_WORDS};

/// In a page fault's error code: it was a write.
pub const FEC_WR: usize = 0x2;
/// The permissions of a page that can be read and written.
pub const PTE_RW: u64 = PTE_P | PTE_U | PTE_W;
/// All permissions that a program may ask for.
pub const PTE_SYSCALL: u64 = PTE_RW | PTE_AVAIL;

/// An environment, as the kernel shows it at UENVS.
pub type Env = libjos::env::abi::Env<[usize; TRAPFRAME_WORDS], usize>;

/// A page fault, as the kernel leaves it on the exception stack.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct UTrapframe {
    /// The address that was accessed.
    pub utf_fault_va: usize,
    /// The processor's error code.
    pub utf_err: usize,
    /// The general registers, in the machine's order.
    pub utf_regs: [usize; REGISTERS.len()],
    /// The instruction that faulted.
    pub utf_eip: usize,
    /// The flags.
    pub utf_eflags: usize,
    /// The stack pointer.
    pub utf_esp: usize,
}

/// The error that a negative result of a system call means.
pub(crate) fn error(result: isize) -> Error {
    use Error::{BadEnv, Eof, Fault, Inval, IpcNotRecv, NoFreeEnv, NoMem, Unspecified};
    let known = [BadEnv, Inval, NoMem, NoFreeEnv, Fault, IpcNotRecv, Eof];
    known.into_iter().find(|&error| result == -(error as isize)).unwrap_or(Unspecified)
}
