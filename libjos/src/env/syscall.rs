//! System calls, by number: [`syscall`](Envs::syscall) reads the arguments from the caller's frame and leaves
//! the result there.

use core::mem::take;

use layout::PGSIZE;

use super::abi::{ENV_RUNNING, EnvId, Error, call};
use super::console::EnvConsole;
use super::frame::TrapFrame;
use super::memory::{left_in_page, user_access};
use super::sched::Next;
use super::slot::Cputs;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::format::Perm;
use crate::paging::vm::Vm;

/// Bytes that `cputs` takes from a program at a time.
const CHUNK: usize = 128;
/// Bytes that `cputs` prints at a time, and bytes that it checks. The caller makes its call again for the rest, so that
/// interrupts, and other environments, wait for no more than this.
const PIECE: u64 = 4096;
const CHECKED: u64 = 1024 * PGSIZE;
// On x86 the result goes where the number was, so the call that is made again is `cputs`, too.
const _: () = assert!(call::CPUTS == 0);

/// The result of a call: a number, which is not negative, or the reason why it failed.
pub(super) type CallResult = Result<i64, Error>;

/// The id in an argument: a C `int`, so its lower 32 bits.
pub(super) const fn id(argument: u64) -> EnvId {
    EnvId(argument as u32 as i32)
}

/// How many of `bytes` come before the beginning of a character that goes on behind them.
fn whole_characters(bytes: &[u8]) -> usize {
    let begun = bytes.iter().rev().take(3).position(|byte| *byte >= 0xC0).map(|place| place + 1);
    // The first byte of a character begins with as many ones as it has bytes.
    let is_open = |n: &usize| bytes[bytes.len() - n].leading_ones() as usize > *n;
    bytes.len() - begun.filter(is_open).unwrap_or(0)
}

impl<F: TrapFrame> Envs<F> {
    /// Does the call of [`curenv`](Self::curenv), whose registers are in its frame already. Returns `None` if the caller
    /// goes on, and otherwise who runs next. A number that no call has gives [`Error::Inval`].
    ///
    /// If the machine knows already that a trap is a system call, this takes the place of
    /// [`trap_dispatch`](Self::trap_dispatch). The calls that change memory or print are functions that are never
    /// inlined, which keeps the way through the others short.
    ///
    /// # Panics
    ///
    /// If there is no `curenv`: a bug.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline)]
    pub fn syscall<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        console: &mut impl EnvConsole,
    ) -> Option<Next> {
        let Some(index) = self.curenv else { panic!("a call of no environment") };
        // lab 3: begin syscall
        let env = self.envs.get(index);
        let result = match env.env_tf.number() {
            call::CPUTS => self.sys_cputs(vm, console, index),
            call::CGETC => Ok(console.cgetc().map_or(0, i64::from)),
            call::GETENVID => Ok(i64::from(env.env_id.0)),
            call::ENV_DESTROY => self.sys_env_destroy(vm, index),
            call::PAGE_ALLOC => self.sys_page_alloc(vm, index),
            call::PAGE_MAP => self.sys_page_map(vm, index),
            call::PAGE_UNMAP => self.sys_page_unmap(vm, index),
            call::EXOFORK => self.sys_exofork(vm, index),
            call::ENV_SET_STATUS => self.sys_env_set_status(index),
            call::ENV_SET_PGFAULT_UPCALL => self.sys_env_set_pgfault_upcall(index),
            call::YIELD => {
                self.set_result(index, Ok(0));
                return Some(self.sched_yield(vm));
            }
            call::IPC_TRY_SEND => self.sys_ipc_try_send(vm, index),
            call::IPC_RECV => self.sys_ipc_recv::<M>(index),
            _ => Err(Error::Inval),
        };
        // If the caller has ended, this changes the frame of a free slot, which nobody reads.
        self.set_result(index, result);
        let goes_on = self.envs.get(index).env_status == ENV_RUNNING;
        if goes_on { None } else { Some(self.sched_yield(vm)) }
        // lab 3: end
    }

    /// Argument `n` of the call that `index` makes.
    #[inline]
    pub(super) fn argument(&self, index: EnvIndex, n: usize) -> u64 {
        self.envs.get(index).env_tf.argument(n)
    }

    /// Leaves the result of a call in the caller's frame.
    #[inline]
    pub(super) fn set_result(&mut self, index: EnvIndex, result: CallResult) {
        let number = result.unwrap_or_else(|error| -i64::from(error as i32));
        self.envs.get_mut(index).env_tf.set_result(number);
    }

    /// Prints bytes. Arguments: address, length. If the program may not read all of them, it ends, and nothing is
    /// printed.
    ///
    /// The program may make another call before this one again, since its next page fault may lead it elsewhere. That
    /// one begins anew, unless it is for the same text.
    #[inline(never)]
    fn sys_cputs<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        console: &mut impl EnvConsole,
        index: EnvIndex,
    ) -> CallResult {
        let (va, len) = (self.argument(index, 0), self.argument(index, 1));
        let mut call = take(&mut self.slots.get_mut(index).cputs);
        if (call.va, call.len) != (va, len) {
            call = Cputs { va, len, checked: 0, printed: 0 };
        }
        if call.checked < len {
            let part = (len - call.checked).min(CHECKED);
            let begin = VirtAddr::new(va) + call.checked;
            if let Err(va) = self.user_mem_check(vm, index, begin, part, Perm::UR) {
                self.user_mem_fault(vm, index, va);
                return Err(Error::Fault);
            }
            call.checked += part;
        }
        if call.checked == len {
            self.print_piece(vm, console, index, &mut call)?;
        }
        if call.printed < len {
            self.slots.get_mut(index).cputs = call;
            self.envs.get_mut(index).env_tf.call_again();
        }
        Ok(0)
    }

    /// Prints the next piece of a text that was checked. If others have taken the memory away since, the program ends.
    fn print_piece<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        console: &mut impl EnvConsole,
        index: EnvIndex,
        call: &mut Cputs,
    ) -> Result<(), Error> {
        let mut va = VirtAddr::new(call.va) + call.printed;
        let mut piece = (call.len - call.printed).min(PIECE);
        let rest = call.len - call.printed - piece;
        let (mut chunk, mut kept) = ([0; CHUNK], 0);
        while piece > 0 {
            let Some(pa) = user_access(vm, self.slots.get(index).space(), va, Perm::UR) else {
                self.user_mem_fault(vm, index, va);
                return Err(Error::Fault);
            };
            let n = left_in_page(va).min(piece).min((CHUNK - kept) as u64);
            let end = kept + n as usize;
            vm.machine().load_bytes(pa, &mut chunk[kept..end]);
            (va, piece) = (va + n, piece - n);
            // The beginning of a character waits for its end.
            let whole = if piece + rest > 0 { whole_characters(&chunk[..end]) } else { end };
            console.write(&chunk[..whole]);
            chunk.copy_within(whole..end, 0);
            kept = end - whole;
        }
        call.printed = call.len - rest - kept as u64;
        Ok(())
    }
}
