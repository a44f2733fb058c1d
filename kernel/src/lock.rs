//! [`Lock`]: a lock whose holder runs with interrupts off, so that a handler of interrupts can take it too.
//!
//! Interrupts come on again when the last lock is given back, if they were on before the first was taken
//! (xv6's `push_off` and `pop_off`).

use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use spin::{Mutex, MutexGuard};

use crate::arch::interrupts;

/// The number of [`InterruptsOff`] values.
static DEPTH: AtomicUsize = AtomicUsize::new(0);
/// Whether interrupts were on before the first of them.
static WERE_ON: AtomicBool = AtomicBool::new(false);

/// Keeps interrupts off while it lives.
#[derive(Debug)]
#[must_use = "interrupts are off only while this value lives"]
pub(crate) struct InterruptsOff(());

/// Turns interrupts off.
pub(crate) fn interrupts_off() -> InterruptsOff {
    let were_on = interrupts::off();
    let depth = DEPTH.load(Ordering::Relaxed);
    if depth == 0 {
        WERE_ON.store(were_on, Ordering::Relaxed);
    }
    DEPTH.store(depth + 1, Ordering::Relaxed);
    InterruptsOff(())
}

impl Drop for InterruptsOff {
    fn drop(&mut self) {
        let depth = DEPTH.load(Ordering::Relaxed) - 1;
        DEPTH.store(depth, Ordering::Relaxed);
        if depth == 0 && WERE_ON.load(Ordering::Relaxed) {
            interrupts::on();
        }
    }
}

/// A lock on a `T`.
#[derive(Debug)]
pub(crate) struct Lock<T>(Mutex<T>);

/// The `T` of a [`Lock`], which is held while this value lives.
#[derive(Debug)]
pub struct LockGuard<'a, T> {
    // Dropped first: interrupts come on after the lock is given back.
    guard: MutexGuard<'a, T>,
    _off: InterruptsOff,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits until the lock is free, and takes it.
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        let off = interrupts_off();
        LockGuard { guard: self.0.lock(), _off: off }
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        let off = interrupts_off();
        Some(LockGuard { guard: self.0.try_lock()?, _off: off })
    }

    /// Takes the lock from its holder.
    ///
    /// # Safety
    ///
    /// The holder never runs again.
    pub(crate) unsafe fn seize(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.force_unlock() };
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(test)]
mod tests;
