//! Tests of the queue. Its bytes are a static, so each test runs in a process of its own.

use alloc::vec::Vec;

use super::*;
use crate::arch::host::process::alone;
use Source::{Keyboard, Serial};

/// Takes all bytes out.
fn rest(typed: &mut Typed) -> Vec<(u8, Source)> {
    core::iter::from_fn(|| typed.pop()).collect()
}

#[test]
fn first_in_first_out() {
    alone(|| {
        let mut typed = Typed::new();
        assert_eq!(typed.pop(), None);
        let bytes =
            [(0, Serial), (b'a', Keyboard), (0xFF, Serial), (0xFF, Keyboard), (b'b', Serial)];
        bytes.iter().for_each(|(byte, source)| typed.push(*byte, *source));
        assert_eq!(rest(&mut typed), bytes);
        assert_eq!(typed.pop(), None);
    })
    .assert_returned();
}

/// A queue that is filled and emptied over and over keeps its bytes in order, wherever it begins.
#[test]
fn around_the_end() {
    alone(|| {
        let mut typed = Typed::new();
        let mut bytes = (0..=u8::MAX).filter(|byte| *byte != CTRL_C).cycle();
        for count in [1, 4000, 3000, 4096, 96, 4095, 2] {
            let wanted: Vec<_> = bytes.by_ref().take(count).map(|byte| (byte, Keyboard)).collect();
            wanted.iter().for_each(|(byte, source)| typed.push(*byte, *source));
            assert_eq!(rest(&mut typed), wanted, "{count}");
        }
    })
    .assert_returned();
}

#[test]
fn room() {
    alone(|| {
        let mut typed = Typed::new();
        for count in 0..=4096 {
            assert_eq!(typed.has_room(), count <= 4096 - 8, "{count}");
            typed.push(count as u8 | 0x80, Serial);
        }
        // The last one did not fit.
        assert_eq!(rest(&mut typed).len(), 4096);
        assert!(typed.has_room());
    })
    .assert_returned();
}

/// A Ctrl-C that does not fit is not counted.
#[test]
fn a_ctrl_c_in_a_full_queue() {
    alone(|| {
        let mut typed = Typed::new();
        (0..4096).for_each(|_| typed.push(b'a', Serial));
        typed.push(CTRL_C, Serial);
        assert!(!typed.drop_interrupted());
        assert_eq!(rest(&mut typed).len(), 4096);
    })
    .assert_returned();
}

#[test]
fn interrupts() {
    alone(|| {
        let mut typed = Typed::new();
        assert!(!typed.drop_interrupted());
        for (bytes, left) in [
            (&b"\x03"[..], &b""[..]),
            (b"\x03\x03", b""),
            (b"abc\x03", b""),
            (b"abc\x03de", b"de"),
            (b"a\x03b\x03c", b"c"),
        ] {
            bytes.iter().for_each(|byte| typed.push(*byte, Keyboard));
            assert!(typed.drop_interrupted(), "{bytes:?}");
            assert!(!typed.drop_interrupted(), "{bytes:?}");
            let left: Vec<_> = left.iter().map(|byte| (*byte, Keyboard)).collect();
            assert_eq!(rest(&mut typed), left, "{bytes:?}");
        }
        // One that was read does not interrupt.
        typed.push(CTRL_C, Serial);
        typed.push(b'a', Serial);
        assert_eq!(typed.pop(), Some((3, Serial)));
        assert!(!typed.drop_interrupted());
        assert_eq!(typed.pop(), Some((b'a', Serial)));
    })
    .assert_returned();
}
