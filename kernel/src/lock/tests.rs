//! Interrupts are off exactly while a lock is held, in whatever order locks are given back.

use std::vec::Vec;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;

#[test]
fn on_again_after_the_last_lock() {
    alone(|| {
        let (first, second) = (Lock::new(1), Lock::new(2));
        interrupts::on();
        let one = first.lock();
        assert!(!interrupts::are_on());
        let two = second.try_lock().expect("it is free");
        assert!(second.try_lock().is_none());
        assert_eq!((*one, *two), (1, 2));
        drop(one);
        assert!(!interrupts::are_on(), "a lock is still held");
        drop(two);
        assert!(interrupts::are_on());
    })
    .assert_returned();
}

/// A handler of interrupts may take the lock as soon as interrupts come on.
#[test]
fn on_when_the_lock_is_free() {
    static LOCK: Lock<i32> = Lock::new(1);
    static SEEN: Mutex<Vec<bool>> = Mutex::new(Vec::new());
    alone(|| {
        interrupts::on();
        pc().processor.when_on = || SEEN.lock().push(LOCK.0.is_locked());
        drop(LOCK.lock());
        drop(LOCK.try_lock());
        assert_eq!(*SEEN.lock(), [false; 2], "whether it was held when they came on");
    })
    .assert_returned();
}

#[test]
fn off_stays_off() {
    alone(|| {
        let lock = Lock::new(1);
        drop(lock.lock());
        assert!(!interrupts::are_on());
    })
    .assert_returned();
}

/// A holder that never runs again may have left interrupts off for good; the lock can be taken all the same.
#[test]
fn seized() {
    alone(|| {
        let lock = Lock::new(1);
        core::mem::forget(lock.lock());
        assert!(lock.try_lock().is_none());
        // SAFETY: the holder is forgotten.
        unsafe { lock.seize() };
        assert!(lock.try_lock().is_some());
    })
    .assert_returned();
}
