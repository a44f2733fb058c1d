//! The registers for floating-point numbers and vectors of the programs that use them.
//!
//! They stay in the processor while other programs run (CR0.TS is set then): the first program that uses them next
//! faults, and they change hands. Each machine saves and restores them by its own instructions. Where they are saved,
//! whoever runs programs says.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use libjos::env::abi::EnvId;
use libjos::mem::addr::VirtAddr;
use x86_64::registers::control::Cr0Flags;

use crate::arch::cpu::clear_task_switched;
use crate::arch::floats::{INITIAL_FLOATS, forget_floats, restore_floats, save_floats};
use crate::arch::instructions::Cr0;

/// The environment whose registers are in the processor; 0 if none's are.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Whether their next use faults: CR0.TS, which takes longer to read where the processor is a virtual one. Whoever else
/// clears that bit says so here.
pub(in crate::arch) static FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Before the program of `id` goes on: lets it use the registers if they are its own. Ids come back after a long time,
/// so a program may have the id of one that has ended; but it has no page to save them in before it uses them.
#[inline]
pub(crate) fn lend_floats(id: EnvId, has_page: bool) {
    let is_owner = has_page & (OWNER.load(Ordering::Relaxed) == id.0);
    if is_owner == FORBIDDEN.load(Ordering::Relaxed) {
        if is_owner { permit() } else { forbid() }
    }
}

/// Lets the next instruction use the registers.
fn permit() {
    clear_task_switched();
    FORBIDDEN.store(false, Ordering::Relaxed);
}

/// Makes the next use of the registers fault. Without MP, WAIT would not fault, and would raise an exception that is
/// pending in the other program's registers.
fn forbid() {
    let forbidden = Cr0Flags::TASK_SWITCHED | Cr0Flags::MONITOR_COPROCESSOR;
    // SAFETY: the fault leads to `give_floats`, and the kernel uses none of these registers.
    unsafe { Cr0::update(|cr0| cr0.insert(forbidden)) };
    FORBIDDEN.store(true, Ordering::Relaxed);
}

/// Saves the registers in the page that `page_of` knows for the program that has them, if it still has one. Nobody has
/// them then.
pub(crate) fn take_floats(page_of: impl FnOnce(EnvId) -> Option<VirtAddr>) {
    permit();
    let owner = EnvId(OWNER.swap(0, Ordering::Relaxed));
    if owner == EnvId::NONE {
        return;
    }
    match page_of(owner) {
        Some(page) => save_floats(state(page)),
        // It has ended, perhaps with an exception pending.
        None => forget_floats(),
    }
}

/// Gives the registers, which nobody has, to the program of `id`: as they were saved in `page`, or as a program finds
/// them at first if the page is `new`.
pub(crate) fn give_floats(id: EnvId, page: VirtAddr, new: bool) {
    permit();
    let state = state(page);
    if new {
        // SAFETY: the page is the program's, for this alone, and longer than a state.
        unsafe { ptr::copy_nonoverlapping(INITIAL_FLOATS.as_ptr(), state, INITIAL_FLOATS.len()) };
    }
    restore_floats(state);
    OWNER.store(id.0, Ordering::Relaxed);
}

/// Where a page holds the registers: from its first byte on, which has the alignment that the instructions ask for.
fn state(page: VirtAddr) -> *mut u8 {
    ptr::with_exposed_provenance_mut(page.as_u64() as usize)
}

#[cfg(test)]
mod tests;
