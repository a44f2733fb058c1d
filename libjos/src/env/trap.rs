//! Traps from programs: [`trap_dispatch`](Envs::trap_dispatch) does the kernel's part of each.

use super::console::EnvConsole;
use super::frame::TrapFrame;
use super::sched::Next;
use super::table::Envs;
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::vm::Vm;

/// The cause of a trap from a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A system call.
    Syscall,
    /// A page fault.
    PageFault {
        /// The address that the program accessed.
        va: VirtAddr,
    },
    /// A breakpoint.
    Breakpoint,
    /// The timer: another environment's turn.
    Timer,
    /// Another interrupt, which the machine has served.
    Interrupt,
    /// Any other exception. It ends the program.
    Exception,
}

/// A trap from a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trap {
    /// Its cause.
    pub cause: Cause,
    /// Where the processor left the registers, for JOS's line `Incoming TRAP frame at`.
    pub incoming: VirtAddr,
}

impl<F: TrapFrame> Envs<F> {
    /// Does the kernel's part of a trap of [`curenv`](Self::curenv), whose registers are in its frame already,
    /// and says how to go on. A program that is at fault ends, with JOS's lines.
    ///
    /// # Panics
    ///
    /// If there is no `curenv`: a bug.
    pub fn trap_dispatch<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        console: &mut impl EnvConsole,
        trap: Trap,
    ) -> Next {
        let _ = (vm, console, trap);
        todo!()
    }
}
