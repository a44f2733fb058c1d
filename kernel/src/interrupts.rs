//! Interrupts: a typed byte goes to the console, and the timer's wakes the processor.
//!
//! The kernel runs with interrupts off until it starts the application; later they are off while a lock is held
//! ([`lock`](crate::lock)), in the handler of a trap, and in the report of a panic.

use crate::arch::clock;
use crate::arch::interrupts;
use crate::arch::trap::Trap;
use crate::console;
use crate::trap;
use crate::trap::cause::{Cause, Interrupt};

/// Sets up the interrupt controller and the timer. Interrupts are still off.
pub(crate) fn init() {
    interrupts::init();
    clock::init_alarm();
    console::wake_when_typed();
    trap::listen(take);
}

/// Takes an interrupt.
fn take(trap: &mut Trap<'_>) -> bool {
    let Cause::Interrupt(interrupt) = trap.cause() else { return false };
    match interrupt {
        Interrupt::Typed => console::take_typed(),
        // It has woken whoever waits.
        Interrupt::Timer | Interrupt::Other => {}
    }
    true
}

#[cfg(test)]
mod tests;
