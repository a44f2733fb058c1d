//! Tests of the keyboard: scan codes of set 1 in, bytes of a terminal out.

use alloc::vec::Vec;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::{alone, each_alone};

/// The bytes of each key that can be read now.
fn keys(keyboard: &mut Keyboard) -> Vec<Vec<u8>> {
    let key = || {
        let mut bytes = Vec::new();
        keyboard.try_read(|byte| bytes.push(byte))?;
        Some(bytes)
    };
    core::iter::from_fn(key).collect()
}

#[test]
fn bytes_of_keys() {
    type Bytes = &'static [u8];
    let cases: [(&str, Bytes, &[Bytes]); 26] = [
        ("nothing", &[], &[]),
        ("a, pressed and released", &[0x1E, 0x9E], &[b"a"]),
        ("a, held down", &[0x1E, 0x1E, 0x1E, 0x9E], &[b"a", b"a", b"a"]),
        ("Shift-a, then a", &[0x2A, 0x1E, 0x9E, 0xAA, 0x1E], &[b"A", b"a"]),
        ("right Shift-1", &[0x36, 0x02, 0xB6, 0x02], &[b"!", b"1"]),
        ("Caps Lock, a, 1", &[0x3A, 0xBA, 0x1E, 0x02], &[b"A", b"1"]),
        ("Ctrl-c, then c", &[0x1D, 0x2E, 0xAE, 0x9D, 0x2E], &[b"\x03", b"c"]),
        ("right Ctrl-d", &[0xE0, 0x1D, 0x20, 0xA0, 0xE0, 0x9D], &[b"\x04"]),
        ("Ctrl-l", &[0x1D, 0x26], &[b"\x0c"]),
        ("Enter", &[0x1C, 0x9C], &[b"\n"]),
        ("the keypad's Enter", &[0xE0, 0x1C, 0xE0, 0x9C], &[b"\n"]),
        ("backspace", &[0x0E], &[b"\x08"]),
        ("Tab", &[0x0F], &[b"\t"]),
        ("space", &[0x39], &[b" "]),
        ("Escape", &[0x01], &[b"\x1b"]),
        ("signs of a sum", &[0x0C, 0x2A, 0x0D, 0xAA, 0x0D], &[b"-", b"+", b"="]),
        ("up", &[0xE0, 0x48, 0xE0, 0xC8], &[b"\x1b[A"]),
        ("down", &[0xE0, 0x50, 0xE0, 0xD0], &[b"\x1b[B"]),
        ("right", &[0xE0, 0x4D, 0xE0, 0xCD], &[b"\x1b[C"]),
        ("left", &[0xE0, 0x4B, 0xE0, 0xCB], &[b"\x1b[D"]),
        ("Home", &[0xE0, 0x47, 0xE0, 0xC7], &[b"\x1b[H"]),
        ("End", &[0xE0, 0x4F, 0xE0, 0xCF], &[b"\x1b[F"]),
        ("Delete", &[0xE0, 0x53, 0xE0, 0xD3], &[b"\x1b[3~"]),
        ("F1 has no character; b", &[0x3B, 0xBB, 0x30, 0xB0], &[b"b"]),
        ("an invalid code; a", &[0x7F, 0x1E], &[b"a"]),
        ("up and a, as they come", &[0xE0, 0x48, 0x1E], &[b"\x1b[A", b"a"]),
    ];
    let ended = each_alone(&cases, |(name, codes, wanted)| {
        pc().keyboard.send(codes);
        assert_eq!(keys(&mut Keyboard::new()), *wanted, "{name}");
        assert_eq!(pc().keyboard.waiting(), 0, "{name}");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// A key that comes in two parts, with time between them.
#[test]
fn half_a_key() {
    alone(|| {
        let mut keyboard = Keyboard::new();
        pc().keyboard.send(&[0xE0]);
        assert_eq!(keys(&mut keyboard).len(), 0);
        pc().keyboard.send(&[0x48]);
        assert_eq!(keys(&mut keyboard), [b"\x1b[A"]);
    })
    .assert_returned();
}

#[test]
fn one_key_at_a_time() {
    alone(|| {
        pc().keyboard.send(&[0x1E, 0x30]);
        assert_eq!(Keyboard::new().try_read(drop), Some(()));
        assert_eq!(pc().keyboard.waiting(), 1);
    })
    .assert_returned();
}

#[test]
fn the_mouse_types_nothing() {
    alone(|| {
        pc().keyboard.send_from_mouse(&[0x1E, 0x30]);
        pc().keyboard.send(&[0x1E]);
        pc().keyboard.send_from_mouse(&[0x30]);
        assert_eq!(keys(&mut Keyboard::new()), [b"a"]);
        assert_eq!(pc().keyboard.waiting(), 0);
    })
    .assert_returned();
}

/// All bits of an absent controller's status are set.
#[test]
fn no_keyboard() {
    alone(|| {
        pc().keyboard.present = false;
        assert_eq!(keys(&mut Keyboard::new()).len(), 0);
    })
    .assert_returned();
}

/// A key that is pressed while the controller is asked for its configuration is not taken for that. If there is no answer,
/// the keyboard goes on.
#[test]
fn a_key_while_the_controller_is_set_up() {
    for (answers, configuration) in [(true, 0x43), (false, 0x60)] {
        let ended = alone(move || {
            (pc().keyboard.answers, pc().keyboard.late) = (answers, [0x30].to_vec());
            crate::arch::interrupts::init();
            let mut keyboard = Keyboard::new();
            assert_eq!(keyboard.allow_interrupts(), answers);
            // The next look at the status shows that the last byte was taken.
            pc().keyboard.send(&[0x1E]);
            assert_eq!(keys(&mut keyboard), [b"b", b"a"]);
            assert_eq!(pc().keyboard.configuration, configuration);
        });
        ended.assert_returned();
    }
}

/// Keys and the mouse interrupt; a key typed before is lost, and so is the configuration of a controller that is silent.
#[test]
fn interrupts() {
    // Whether there is a controller, and whether it answers; the result, and the configuration afterwards.
    let cases = [(true, true, true, 0x43), (true, false, false, 0x60), (false, true, true, 0x40)];
    let ended = each_alone(&cases, |(present, answers, wakes, configuration)| {
        (pc().keyboard.present, pc().keyboard.answers) = (*present, *answers);
        pc().keyboard.send(&[0x1E]);
        crate::arch::interrupts::init();
        assert_eq!(Keyboard::new().allow_interrupts(), *wakes);
        assert_eq!(pc().keyboard.configuration, *configuration);
        assert_eq!(keys(&mut Keyboard::new()).len(), 0);
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}
