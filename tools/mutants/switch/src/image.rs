//! In an image the active mutant's number is the word after a marker, by which `images.py` finds it in the file.
//! The numbers of the mutants that are reached go to QEMU's isa-debugcon device.

use core::arch::asm;

use crate::{NONE, RECORD, is_new};

/// The port of the device. Without it a write has no effect.
const PORT: u16 = 0x4E9;

#[repr(C)]
pub struct Switch {
    marker: [u8; 16],
    active: u32,
}

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.mutant")]
pub static MUTANT_SWITCH: Switch = Switch { marker: *b"\x7fmutant switch\x7f=", active: NONE };

pub(crate) fn is_active(id: u32) -> bool {
    // SAFETY: a reference's target is valid. The read is volatile, since the value is not the compiler's.
    let active = unsafe { (&raw const MUTANT_SWITCH.active).read_volatile() };
    if active == RECORD {
        record(id);
    }
    active == id
}

#[cold]
#[inline(never)]
fn record(id: u32) {
    if !is_new(id) {
        return;
    }
    // An exception may come between two bytes, and reach mutants too. Only the first byte of a number has bit 7 set,
    // so that the reader drops a number that was interrupted.
    for byte in [0x80 | (id >> 14), id >> 7 & 0x7F, id & 0x7F] {
        // SAFETY: on a PC this port belongs to the device or to none; a write does not affect memory.
        unsafe {
            asm!("out dx, al", in("dx") PORT, in("al") byte as u8, options(nomem, nostack, preserves_flags));
        }
    }
}
