//! Traps from programs: [`trap_dispatch`](Envs::trap_dispatch) does the kernel's part of each.

use super::abi::ENV_RUNNING;
use super::console::EnvConsole;
use super::frame::TrapFrame;
use super::sched::Next;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::kaddr;
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
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn trap_dispatch<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        console: &mut impl EnvConsole,
        trap: Trap,
    ) -> Next {
        let Some(index) = self.curenv else { panic!("a trap from no environment") };
        // lab 3: begin trap_dispatch
        match trap.cause {
            Cause::Syscall => {
                return self.syscall(vm, console).unwrap_or(Next::Run(index));
            }
            Cause::PageFault { va } => self.page_fault_handler(vm, index, va, trap.incoming),
            Cause::Interrupt => {}
            Cause::Timer => return self.sched_yield(vm),
            Cause::Breakpoint => {
                say_incoming(vm, trap.incoming);
                self.print_trapframe(vm, index);
                return Next::Breakpoint(index);
            }
            Cause::Exception => {
                say_incoming(vm, trap.incoming);
                self.print_trapframe(vm, index);
                self.env_destroy(vm, index);
            }
        }
        self.go_on(vm, index)
        // lab 3: end
    }

    /// Goes on with the environment that trapped, if it still runs.
    #[inline]
    pub(super) fn go_on<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) -> Next {
        if self.envs.get(index).env_status == ENV_RUNNING {
            Next::Run(index)
        } else {
            self.sched_yield(vm)
        }
    }

    /// Prints JOS's lines about the registers of an environment.
    #[cold]
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn print_trapframe<M: Machine>(&self, vm: &mut Vm<M>, index: EnvIndex) {
        let cpu = vm.machine().cpu().number();
        let at = kaddr::kaddr::<M::Layout>(self.envs.pa(index), size_of::<F>() as u64);
        let at = at.map_or(0, VirtAddr::as_u64);
        let frame = self.envs.get(index).env_tf;
        let print = format_args!("TRAP frame at {at:#010x} from CPU {cpu}\n{frame}");
        vm.machine_mut().print(print);
    }
}

/// Prints JOS's line about a trap that ends a program or leads to the monitor.
#[cold]
pub(super) fn say_incoming<M: Machine>(vm: &mut Vm<M>, incoming: VirtAddr) {
    let at = incoming.as_u64();
    vm.machine_mut().print(format_args!("Incoming TRAP frame at {at:#010x}\n"));
}
