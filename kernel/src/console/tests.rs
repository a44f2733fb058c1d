//! Tests of the console, on the simulated serial line, keyboard and screen.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::arch::host::{pc, vga};
use crate::rig;

/// Locks the console for good.
pub(crate) fn hold() {
    mem::forget(CONSOLE.lock());
}

/// The bytes that the terminal on the serial line received.
fn received() -> String {
    String::from_utf8_lossy(&pc().serial.received).into_owned()
}

/// All bytes that can be read now.
fn typed() -> Vec<(u8, Source)> {
    core::iter::from_fn(try_read).collect()
}

/// `bytes`, as typed on the serial line.
fn from_serial(bytes: &[u8]) -> Vec<(u8, Source)> {
    bytes.iter().map(|byte| (*byte, Source::Serial)).collect()
}

#[test]
fn line_ends() {
    let cases = [
        ("one\ntwo\n", "one\r\ntwo\r\n", &["one", "two"][..]),
        ("\n", "\r\n", &[]),
        ("a\n\nb", "a\r\n\r\nb", &["a", "", "b"]),
        ("", "", &[]),
    ];
    let ended = each_alone(&cases, |(text, serial, screen)| {
        rig::console();
        print(format_args!("{text}"));
        assert_eq!(received(), *serial);
        assert_eq!(vga::text(), *screen);
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// Text comes whole and in order, whether its pieces are kept or too long for that; and each print is out when it ends.
#[test]
fn pieces_of_any_length() {
    let cases = [0, 1, 126, 127, 128, 129, 300];
    let ended = each_alone(&cases, |length| {
        rig::console();
        let piece = match length {
            0 | 1 => "-".repeat(*length),
            _ => format!("\u{fc}{}", "-".repeat(length - 2)),
        };
        let mut wanted = String::new();
        for (before, after) in [("a", "z"), ("", ""), ("b\n", "")] {
            print(format_args!("{before}{piece}{piece}{after}"));
            wanted += &format!("{before}{piece}{piece}{after}");
            assert_eq!(received(), wanted.replace('\n', "\r\n"));
        }
        let columns: usize = wanted.rsplit('\n').next().map_or(0, |line| line.chars().count());
        assert_eq!(vga::cursor().1, columns % 80);
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// A new line begins only if something is on the current one.
#[test]
fn fresh_lines() {
    let cases = [("", ""), ("a", "\r\n"), ("a\n", ""), ("a\nb", "\r\n"), ("\n", "")];
    let ended = each_alone(&cases, |(text, end)| {
        rig::console();
        // An empty text leaves the line as it is.
        print(format_args!("{text}"));
        print(format_args!(""));
        pc().serial.received.clear();
        fresh_line();
        assert_eq!(received(), *end);
        fresh_line();
        assert_eq!(received(), *end, "it is fresh already");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

#[test]
fn the_cursor_follows_each_print() {
    alone(|| {
        rig::console();
        print(format_args!("{}bc", 'a'));
        assert_eq!(vga::cursor(), (0, 3));
        print(format_args!("\nd"));
        assert_eq!(vga::cursor(), (1, 1));
    })
    .assert_returned();
}

#[test]
fn clearing() {
    alone(|| {
        rig::console();
        print(format_args!("one\ntwo"));
        pc().serial.received.clear();
        clear();
        assert_eq!(received(), "\x1b[2J\x1b[H");
        assert_eq!((vga::text().len(), vga::cursor()), (0, (0, 0)));
        fresh_line();
        assert_eq!(received(), "\x1b[2J\x1b[H", "nothing is on the line");
        print(format_args!("three"));
        assert_eq!(vga::text(), ["three"]);
    })
    .assert_returned();
}

#[test]
fn a_screen_that_is_left() {
    alone(|| {
        rig::console();
        print(format_args!("one\n"));
        leave_screen();
        print(format_args!("two\n"));
        assert_eq!(received(), "one\r\ntwo\r\n");
        assert_eq!(vga::text(), ["one"]);
    })
    .assert_returned();
}

#[test]
fn no_serial_port() {
    alone(|| {
        pc().serial.present = false;
        rig::console();
        pc().keyboard.send(&[0x1E]);
        print(format_args!("one\n"));
        assert_eq!(vga::text(), ["one"]);
        assert_eq!(typed(), [(b'a', Source::Keyboard)]);
        flush();
    })
    .assert_printed(0, &[]);
}

#[test]
fn each_byte_has_its_source() {
    alone(|| {
        rig::console();
        assert_eq!(try_read(), None);
        pc().keyboard.send(&[0x1E, 0x9E, 0xE0, 0x48, 0x1C]);
        pc().serial.type_bytes(b"x\r");
        assert_eq!(read(), (b'x', Source::Serial));
        // An Enter is a line end from either device.
        let keyboard = b"a\x1b[A\n".map(|byte| (byte, Source::Keyboard));
        assert_eq!(typed(), [&from_serial(b"\n")[..], &keyboard].concat());
    })
    .assert_returned();
}

/// A real serial port keeps 16 bytes. None is lost while the kernel prints to a slow terminal.
#[test]
fn a_slow_reader_who_types() {
    let cases = [0, 1, 7, 100];
    let ended = each_alone(&cases, |slowness| {
        rig::console();
        let input: Vec<u8> = (b'!'..=b'~').cycle().take(600).collect();
        pc().serial.is_real = true;
        pc().serial.slowness = *slowness;
        pc().serial.type_bytes(&input);
        let output = format!("{:0>300}\n{:0>77}\n\n{:0>500}", 1, 2, 3);
        print(format_args!("{output}"));
        flush();
        assert_eq!(received(), output.replace('\n', "\r\n"));
        assert_eq!(typed(), from_serial(&input));
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// 4089 bytes wait in the queue, which has room for one more key; the others wait in the devices.
#[test]
fn a_full_queue() {
    alone(|| {
        rig::console();
        let input: Vec<u8> = (b'!'..=b'~').cycle().take(5000).collect();
        pc().serial.type_bytes(&input);
        pc().keyboard.send(&[0x1E, 0x30]);
        assert!(!interrupted());
        assert_eq!(pc().serial.waiting(), 5000 - 4089);
        assert_eq!(pc().keyboard.waiting(), 2);
        // Printing changes nothing.
        print(format_args!("{:>100}", 'x'));
        assert_eq!(pc().serial.waiting(), 5000 - 4089);
        let keyboard = b"ab".map(|byte| (byte, Source::Keyboard));
        assert_eq!(typed(), [&from_serial(&input)[..], &keyboard].concat());
    })
    .assert_returned();
}

#[test]
fn interruptions() {
    let cases = [
        (&b""[..], false, &b""[..]),
        (b"ab", false, b"ab"),
        (b"\x03", true, b""),
        (b"ab\x03", true, b""),
        (b"ab\x03cd", true, b"cd"),
        (b"ab\x03cd\x03ef", true, b"ef"),
        (b"\x03\x03", true, b""),
    ];
    let ended = each_alone(&cases, |(bytes, any, rest)| {
        rig::console();
        pc().serial.type_bytes(bytes);
        let kind = if *any { Unread::Interrupt } else { Unread::Bytes };
        assert_eq!(unread(), if bytes.is_empty() { Unread::Nothing } else { kind });
        assert_eq!(interrupted(), *any);
        assert!(!interrupted(), "once each");
        assert_eq!(typed(), from_serial(rest));
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// A `Display` may print: the console is not locked while a value is formatted.
#[test]
fn a_value_that_prints() {
    struct Talkative;
    impl fmt::Display for Talkative {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            print(format_args!("[within]"));
            f.write_str("value")
        }
    }
    alone(|| {
        rig::console();
        println!("before {Talkative} after");
    })
    .assert_printed(0, &["before [within]value after"]);
}

#[test]
fn a_seized_console_prints() {
    alone(|| {
        rig::console();
        hold();
        // SAFETY: the guard is gone.
        unsafe { seize() };
        println!("out");
    })
    .assert_printed(0, &["out"]);
}

/// Setting up the serial port keeps the bytes that were typed before; the line has 115200 baud and 8 bits.
#[test]
fn setting_up() {
    alone(|| {
        vga::fill(0x1F21);
        pc().serial.type_bytes(b"early, and longer than the FIFO of the port");
        rig::console();
        assert_eq!(typed(), from_serial(b"early, and longer than the FIFO of the port"));
        assert_eq!(pc().serial.line(), (1, 0b011));
        assert_eq!((vga::text().len(), vga::cursor()), (0, (0, 0)));
        assert_eq!(received(), "");
    })
    .assert_returned();
}

/// Early bytes beyond those that are kept are lost only if they lie in the port's FIFO or its set-up reads them.
#[test]
fn more_early_bytes_than_are_kept() {
    alone(|| {
        let input: Vec<u8> = (b'!'..=b'~').cycle().take(200).collect();
        pc().serial.type_bytes(&input);
        rig::console();
        let read = typed();
        let lost = input.len() - read.len();
        assert!(lost <= 2 * 16, "{lost} bytes are lost");
        assert_eq!(read, from_serial(&[&input[..64], &input[64 + lost..]].concat()));
    })
    .assert_returned();
}

/// Each device must interrupt the processor, or somebody looks for typed bytes.
#[test]
fn devices_that_do_not_interrupt() {
    // Whether the serial line's requests reach the controllers, and whether the keyboard's controller answers.
    let cases = [(true, true), (true, false), (false, true)];
    let ended = each_alone(&cases, |(has_controllers, answers)| {
        pc().interrupts.present = *has_controllers;
        pc().keyboard.answers = *answers;
        rig::console();
        interrupts::init();
        wake_when_typed();
        assert_eq!(CONSOLE.lock().wakes, *has_controllers && *answers);
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// Waiting for a byte halts the processor if each device's requests reach the interrupt controller.
#[test]
fn waiting() {
    // Whether the board has the controllers and a serial port; the halts, and the lines that are not let through.
    let cases = [(true, true, 1, 0b1110_1001), (true, false, 1, 0b1111_1001), (false, true, 0, 0)];
    let ended = each_alone(&cases, |(has_controllers, has_serial, halts, mask)| {
        pc().interrupts.present = *has_controllers;
        pc().serial.present = *has_serial;
        rig::console();
        interrupts::init();
        wake_when_typed();
        assert_eq!(pc().interrupts.masks[0], *mask);
        pc().processor.at_halt = || {
            assert!(interrupts::are_on());
            pc().keyboard.send(&[0x1E]);
        };
        if !has_controllers {
            pc().serial.type_bytes(b"a");
        }
        assert_eq!(read().0, b'a');
        assert_eq!(pc().processor.halts, *halts);
        assert!(!interrupts::are_on(), "they were off");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}
