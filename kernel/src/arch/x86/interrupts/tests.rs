//! Tests of the interrupt controllers' set-up, and of what the kernel tells them.

use std::vec::Vec;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::{alone, each_alone};

/// Bit 9 of leaf 1's EDX: the processor has a controller of its own. Bits 8 to 11 of EAX: its family.
const HAS_APIC: u32 = 1 << 9;

#[test]
fn set_up() {
    alone(|| {
        init();
        let controllers = &pc().interrupts;
        // The vector of the lowest line, the other controller's line, and the processor's kind.
        assert_eq!(controllers.setup, [[32, 1 << 2, 1], [40, 2, 1]]);
        assert_eq!(controllers.masks, [!(1 << 2), !0], "only the second controller's line is open");
    })
    .assert_returned();
}

#[test]
fn lines_are_let_through_one_by_one() {
    alone(|| {
        init();
        let opened = [(SERIAL, [0b1110_1011, 0xFF]), (MOUSE, [0b1110_1011, 0b1110_1111])];
        for (line, masks) in opened {
            allow(line);
            assert_eq!(pc().interrupts.masks, masks);
        }
    })
    .assert_returned();
}

/// No device at the ports: nothing is requested.
#[test]
fn absent() {
    alone(|| {
        pc().interrupts.present = false;
        init();
        assert!(!allow(SERIAL));
        assert!(!is_requested(SERIAL));
    })
    .assert_returned();
}

/// An interrupt is ended at each controller that it came through; a request that was taken back, at no controller that
/// does not have it in service.
#[test]
fn ends() {
    let cases: [(u64, u16, bool, &[usize]); 6] = [
        (TIMER, 1 << TIMER, true, &[0]),
        (MOUSE, 1 << MOUSE, true, &[1, 0]),
        (7, 1 << 7, true, &[0]),
        (7, 0, false, &[]),
        (15, 1 << 15, true, &[1, 0]),
        (15, 0, false, &[0]),
    ];
    let ended = each_alone(&cases, |(line, in_service, is_real, told)| {
        init();
        pc().interrupts.in_service = *in_service;
        assert_eq!(acknowledge(*line), *is_real);
        assert_eq!(pc().interrupts.ended, *told);
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

#[test]
fn interrupts_by_line() {
    let interrupts: Vec<_> = (0..NLINES).map(interrupt).collect();
    for (line, interrupt) in interrupts.into_iter().enumerate() {
        let expected = match line {
            0 => Interrupt::Timer,
            1 | 4 | 12 => Interrupt::Typed,
            _ => Interrupt::Other,
        };
        assert_eq!(interrupt, expected, "{line}");
    }
}

/// The processor's own controller is turned off if the register for that exists.
#[test]
fn local_controller() {
    let cases =
        [(0x600, HAS_APIC, 0xFEE0_0100), (0x600, 0, 0xFEE0_0D00), (0x500, HAS_APIC, 0xFEE0_0D00)];
    let ended = each_alone(&cases, |(family, features, left)| {
        pc().processor.cpuid.insert((0, 0), [1, 0, 0, 0]);
        pc().processor.cpuid.insert((1, 0), [*family, 0, 0, *features]);
        pc().processor.msrs.insert(APIC_BASE, 0xFEE0_0D00);
        init();
        assert_eq!(pc().processor.msrs[&APIC_BASE], *left);
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}
