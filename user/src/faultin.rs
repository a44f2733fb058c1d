//! A page-fault handler that fills pages with a text, for `faultalloc` and `faultallocbad`.

use core::fmt::{self, Write};

use crate::PGSIZE;
use crate::inc::{EnvId, FEC_PR, PTE_RW, UTrapframe};
use crate::rough::read_byte;
use crate::syscall::sys_page_alloc;

/// Allocates the page that was accessed, and writes a text there.
///
/// # Panics
///
/// If there is no page, or if one is mapped there already.
///
/// # Safety
///
/// The kernel has reported this page fault, at an address where no Rust object lies.
pub unsafe fn handler(frame: &mut UTrapframe) {
    let va = frame.utf_fault_va;
    crate::cprintf!("fault {va:x}\n");
    assert!(frame.utf_err as u64 & FEC_PR == 0, "the page at {va:x} forbids the access");
    // SAFETY: nothing is mapped there.
    unsafe { sys_page_alloc(EnvId::NONE, va & !(PGSIZE - 1), PTE_RW) }
        .unwrap_or_else(|error| panic!("allocating at {va:x} in page fault handler: {error}"));
    let mut text = Writer(va);
    // It takes all bytes. Where the page ends, they fault in the next one.
    let _ = write!(text, "this string was faulted in at {va:x}\0");
}

/// Writes text at an address.
struct Writer(usize);

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            // SAFETY: the handler has mapped a page there, or maps one now; it is nobody else's.
            unsafe { core::ptr::with_exposed_provenance_mut::<u8>(self.0).write_volatile(byte) };
            self.0 += 1;
        }
        Ok(())
    }
}

/// The text at an address, up to a 0. Reading it may fault.
#[derive(Clone, Copy, Debug)]
pub struct TextAt(pub usize);

impl fmt::Display for TextAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the handler maps pages that are absent.
        let bytes = (self.0..).map(|va| unsafe { read_byte(va) });
        bytes.take_while(|&byte| byte != 0).try_for_each(|byte| f.write_char(byte.into()))
    }
}
