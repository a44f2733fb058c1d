//! Interrupts that are taken.

use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;
use crate::arch::host::trap::with;
use crate::rig;

/// The vectors of the timer, the keyboard, a free line, the serial line and the mouse.
const VECTORS: [u64; 5] = [32, 33, 37, 36, 44];

#[test]
fn typed_bytes_are_taken_from_the_devices() {
    alone(|| {
        rig::console();
        for (vector, left) in VECTORS.into_iter().zip([1, 0, 1, 0, 0]) {
            pc().serial.type_bytes(b"a");
            assert!(with(vector, 0, 0, take));
            assert_eq!(pc().serial.waiting(), left, "{vector}");
            assert!(console::try_read().is_some());
        }
    })
    .assert_returned();
}

#[test]
fn exceptions_are_left_to_others() {
    alone(|| {
        assert!(!with(13, 0, 0, take));
        assert!(!with(14, 0, 0, take));
    })
    .assert_returned();
}

#[test]
fn on_in_the_application() {
    use crate::arch::interrupts::are_on;
    alone(|| {
        rig::boot("", || {
            assert!(are_on());
            println!("printed, and on again: {}", are_on());
            ExitCode::SUCCESS
        })
    })
    .assert_tail(33, &["printed, and on again: true"]);
}
