//! This machine as applications know it: [`libjos::app::Platform`], on the console, the clock, the
//! heap and the memory system.

use alloc::string::String;
use core::arch::asm;
use core::fmt;
use core::ops::Range;
use core::time::Duration;

use libjos::app::area::{AREAS_END, AREAS_START, Areas};
use libjos::app::memory::{HeapUse, Memory};
use libjos::app::process::ExitCode;
use libjos::app::{self, Platform};
use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use spin::Mutex;
use x86_64::structures::idt::{ExceptionVector, PageFaultErrorCode};

use crate::application;
use crate::clock;
use crate::cmdline;
use crate::console;
use crate::heap;
use crate::pmap;
use crate::probe;
use crate::readline::{Answer, read_line};
use crate::traps::TrapFrame;

/// The machine beneath the application.
struct Pc;

static PC: Pc = Pc;
static AREAS: Mutex<Areas> = Mutex::new(Areas::new());

/// Lets applications reach the machine.
pub(crate) fn init() {
    app::console::init_log(cmdline::options().log);
    app::install(&PC);
}

/// Asks the application about an exception, if it is a page fault in one of its areas. Whether the
/// instruction can be tried again.
pub(crate) fn resolve(frame: &TrapFrame, cr2: u64) -> bool {
    let va = VirtAddr::new(cr2);
    if frame.vector != ExceptionVector::Page as u64 || !AREA_ADDRESSES.contains(&cr2) {
        return false;
    }
    let error = PageFaultErrorCode::from_bits_truncate(frame.error);
    // What an application handles are reads and writes. It cannot make a page executable, and a
    // broken table is not its own: the same fault would come again for ever.
    if error.intersects(PageFaultErrorCode::INSTRUCTION_FETCH | PageFaultErrorCode::MALFORMED_TABLE)
    {
        return false;
    }
    let present = error.contains(PageFaultErrorCode::PROTECTION_VIOLATION);
    let write = error.contains(PageFaultErrorCode::CAUSED_BY_WRITE);
    app::resolve(&PC, &Fault { va, present, write })
}

/// Where areas may lie, and nothing of Rust's does.
const AREA_ADDRESSES: Range<u64> = AREAS_START..AREAS_END;

/// Panics where the `length` bytes at `va` may not be an area's.
fn assert_area(va: VirtAddr, length: usize) {
    let end = va.as_u64().checked_add(length as u64);
    let inside = va.as_u64() >= AREAS_START && end.is_some_and(|end| end <= AREAS_END);
    assert!(inside, "{length} bytes at {va} are in no area");
}

/// Copies `length` bytes by one instruction that may fault in the middle and be tried again.
///
/// # Safety
///
/// `from` can be read and `to` be written, or it is an area's; no Rust object lies at `to` but the
/// caller's own.
unsafe fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: the caller's promise; the ABI keeps the direction flag clear.
    unsafe {
        asm!(
            "rep movsb",
            inout("rdi") to => _,
            inout("rsi") from => _,
            inout("rcx") length => _,
            options(nostack, preserves_flags),
        );
    }
}

impl Platform for Pc {
    fn print(&self, text: fmt::Arguments<'_>) {
        console::print(text);
    }

    fn read_line(&self, prompt: &str) -> Option<String> {
        loop {
            match read_line(prompt, None, None) {
                Answer::Line { line, .. } => return Some(line),
                Answer::EndOfInput => return None,
                Answer::TooLong => {
                    println!("this line needs more memory than there is, and is refused");
                }
            }
        }
    }

    fn command_line(&self) -> &str {
        cmdline::application()
    }

    fn uptime(&self) -> Duration {
        clock::monotonic()
    }

    fn exit(&self, code: ExitCode) -> ! {
        application::end(code)
    }

    fn with_memory(&self, work: &mut dyn FnMut(&mut dyn Memory)) {
        work(&mut *pmap::lock());
    }

    fn heap_use(&self) -> HeapUse {
        heap::stats().map_or_else(HeapUse::default, |stats| HeapUse {
            asked: stats.asked as u64,
            held: stats.held as u64,
        })
    }

    fn areas(&self) -> &Mutex<Areas> {
        &AREAS
    }

    fn read(&self, va: VirtAddr, bytes: &mut [u8]) {
        assert_area(va, bytes.len());
        // SAFETY: an area's addresses can be read, or the fault is the application's; the bytes are
        // the caller's own.
        unsafe { copy(bytes.as_mut_ptr().expose_provenance() as u64, va.as_u64(), bytes.len()) };
    }

    fn write(&self, va: VirtAddr, bytes: &[u8]) {
        assert_area(va, bytes.len());
        // SAFETY: no Rust object lies in an area, and a fault there is the application's.
        unsafe { copy(va.as_u64(), bytes.as_ptr().expose_provenance() as u64, bytes.len()) };
    }

    fn try_read(&self, va: VirtAddr) -> Result<u8, Fault> {
        probe::load_byte(va.as_u64())
    }

    fn try_write(&self, va: VirtAddr, byte: u8) -> Result<(), Fault> {
        assert_area(va, 1);
        // SAFETY: no Rust object lies in an area.
        unsafe { probe::store_byte(va.as_u64(), byte) }
    }

    fn read_user(&self, va: VirtAddr) -> Result<u64, Fault> {
        probe::load_user(va.as_u64())
    }
}
