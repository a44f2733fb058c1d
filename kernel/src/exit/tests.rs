//! Tests of the machine's end, on PCs with and without the devices for it.

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::{
    HALTED, RESET_BY_CHIPSET, RESET_BY_KEYBOARD, SHUT_DOWN, alone, each_alone,
};
use crate::rig;

#[test]
fn statuses() {
    let cases = [(Status::Success, 33), (Status::Failure, 35)];
    let ended = each_alone(&cases, |(status, _)| {
        rig::console();
        println!("the end");
        exit(*status)
    });
    for ((_, status), ended) in cases.iter().zip(ended) {
        ended.assert_printed(*status, &["the end"]);
    }
}

/// The last bytes reach a slow reader.
#[test]
fn output_leaves_before_the_end() {
    let ended = each_alone(&[(exit as fn(_) -> !), |_| reboot()], |end| {
        rig::console();
        pc().serial.slowness = 100;
        println!("the end");
        end(Status::Success)
    });
    ended[0].assert_printed(33, &["the end"]);
    ended[1].assert_printed(RESET_BY_CHIPSET, &["the end"]);
}

#[test]
fn no_device_to_end_the_machine() {
    alone(|| {
        rig::console();
        pc().has_debug_exit = false;
        exit(Status::Success)
    })
    .assert_printed(
        HALTED,
        &["Halted: there is no isa-debug-exit device. The machine can be turned off."],
    );
}

#[test]
fn silently() {
    alone(|| {
        rig::console();
        pc().has_debug_exit = false;
        exit_silently(Status::Failure);
        pc().has_debug_exit = true;
        exit_silently(Status::Failure);
    })
    .assert_printed(35, &[]);
}

#[test]
fn resets() {
    // Whether there is a chipset's reset control, and a keyboard controller.
    let cases = [
        (true, true, RESET_BY_CHIPSET),
        (true, false, RESET_BY_CHIPSET),
        (false, true, RESET_BY_KEYBOARD),
        (false, false, SHUT_DOWN),
    ];
    let ended = each_alone(&cases, |(has_chipset, has_keyboard, _)| {
        rig::console();
        pc().has_reset_control = *has_chipset;
        pc().keyboard.present = *has_keyboard;
        reboot()
    });
    for ((_, _, status), ended) in cases.iter().zip(ended) {
        ended.assert_printed(*status, &[]);
    }
}
