//! The registers for floating-point numbers and vectors of the programs that use them.
//!
//! They stay in the processor while other programs run (CR0.TS is set then): the first program that uses them next
//! faults, and they change hands. Each machine saves and restores them by its own instructions.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicI32, Ordering};

use libjos::env::abi::{EnvId, NENV};
use x86_64::registers::control::Cr0Flags;

use crate::arch::instructions::Cr0;
use crate::arch::ring3::{clear_task_switched, restore_floats, save_floats};

/// Bytes of a saved state (Intel SDM vol. 1, 10.5.1).
const SIZE: usize = 512;

/// A saved state.
#[repr(C, align(16))]
struct State(UnsafeCell<[u8; SIZE]>);

// SAFETY: only the functions here access it, on the one processor, with interrupts off.
unsafe impl Sync for State {}

impl State {
    /// The address.
    fn at(&self) -> *mut u8 {
        self.0.get().cast()
    }
}

/// The saved state of each environment, by index.
static STATES: [State; NENV] = [const { State(UnsafeCell::new([0; SIZE])) }; NENV];
/// The environment to which each of them belongs.
static SAVED: [AtomicI32; NENV] = [const { AtomicI32::new(0) }; NENV];
/// The state that a program finds at first.
static INITIAL: State = State(UnsafeCell::new(crate::arch::ring3::INITIAL_FLOATS));
/// The environment whose registers are in the processor; 0 if none's are.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// Before the program of `id` goes on: lets it use the registers if they are its own.
#[inline]
pub(crate) fn lend_floats(id: EnvId) {
    let is_owner = OWNER.load(Ordering::Relaxed) == id.0;
    let is_set = Cr0::read().contains(Cr0Flags::TASK_SWITCHED);
    if is_owner == is_set {
        if is_set {
            clear_task_switched();
        } else {
            // SAFETY: the next use of the registers faults, and `give_floats` is called.
            unsafe { Cr0::update(|cr0| cr0.insert(Cr0Flags::TASK_SWITCHED)) };
        }
    }
}

/// Gives the registers to the program of `id`, which has tried to use them.
pub(crate) fn give_floats(id: EnvId) {
    take_floats();
    let own = SAVED[id.index()].load(Ordering::Relaxed) == id.0;
    let state = if own { &STATES[id.index()] } else { &INITIAL };
    restore_floats(state.at());
    OWNER.store(id.0, Ordering::Relaxed);
}

/// Saves the registers of the program that has them, so that the kernel can use them.
pub(crate) fn take_floats() {
    clear_task_switched();
    let owner = EnvId(OWNER.swap(0, Ordering::Relaxed));
    if owner != EnvId::NONE {
        save_floats(STATES[owner.index()].at());
        SAVED[owner.index()].store(owner.0, Ordering::Relaxed);
    }
}
