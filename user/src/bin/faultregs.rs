//! Checks that a page-fault handler is given all registers as they were, and that they are so again when it has
//! returned.
#![no_std]
#![no_main]

use user::prelude::*;
use user::registers::{AFTER, BEFORE, NAMES, PC, fault_with_registers, of_frame, values};
use user::rough::read;

main!(main);

/// Hexadecimal digits of a register.
const DIGITS: usize = 2 * size_of::<usize>();

fn main(_: Args) {
    // SAFETY: the handler maps UTEMP, where nothing lies, and no other page.
    unsafe { set_pgfault_handler(handler) };
    // SAFETY: the handler maps UTEMP.
    unsafe { fault_with_registers() };
    let mut after = values(&AFTER);
    // Had it not gone on at the instruction that faulted, the value would not be there.
    // SAFETY: UTEMP is mapped.
    after[PC] = if unsafe { read(UTEMP) } == 42 { values(&BEFORE)[PC] } else { 0 };
    compare("after", &after, "after page-fault");
}

fn handler(frame: &mut UTrapframe) {
    assert!(
        frame.utf_fault_va == UTEMP,
        "pgfault expected at UTEMP, got {:#010x} (pc {:08x})",
        frame.utf_fault_va,
        frame.utf_eip
    );
    compare("during", &of_frame(frame), "in UTrapframe");
    // SAFETY: nothing is mapped at UTEMP.
    unsafe { sys_page_alloc(EnvId::NONE, UTEMP, PTE_RW) }
        .unwrap_or_else(|error| panic!("sys_page_alloc: {error}"));
}

/// Compares registers with those before the fault.
fn compare(name: &str, registers: &[usize; NAMES.len()], whole: &str) {
    let before = values(&BEFORE);
    let mut all = "OK";
    cprintf!("{:6} {:DIGITS$} {name:DIGITS$}\n", "", "before");
    for (n, name) in NAMES.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        let verdict = if before[n] == registers[n] { "OK" } else { "MISMATCH" };
        if before[n] != registers[n] {
            all = verdict;
        }
        cprintf!("{name:6} {:0DIGITS$x} {:0DIGITS$x} {verdict}\n", before[n], registers[n]);
    }
    cprintf!("Registers {whole} {all}\n");
}
