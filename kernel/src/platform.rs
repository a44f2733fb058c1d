//! The machine's services for applications: [`libjos::app::Platform`], on the console, the clock, the
//! heap and the memory system.

use alloc::string::String;
use core::fmt;
use core::ops::Range;
use core::time::Duration;

use libjos::app::area::{Areas, area_addresses};
use libjos::app::memory::{HeapUse, Memory};
use libjos::app::process::ExitCode;
use libjos::app::tables::Tables;
use libjos::app::{self, Platform};
use libjos::machine::AccessKind;
use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use spin::Mutex;

use crate::application;
use crate::arch::clock::alarm;
use crate::arch::trap::Trap;
use crate::arch::{Format, Layout, interrupts, probe};
use crate::clock;
use crate::cmdline;
use crate::console;
use crate::heap;
use crate::lock::interrupts_off;
use crate::pmap;
use crate::readline::{Answer, read_line};
use crate::trap;
use crate::trap::cause::Cause;

/// The services of this machine.
struct ThisMachine;

static THIS: ThisMachine = ThisMachine;
static AREAS: Mutex<Areas> = Mutex::new(Areas::new::<Layout>());

/// Lets `print!` reach the console, for the kernel and for applications.
pub(crate) fn install() {
    app::install(&THIS);
}

/// Gives applications the log, and the page faults in their areas.
pub(crate) fn init() {
    app::console::init_log(cmdline::options().log);
    trap::listen(resolve);
}

/// Offers a page fault in an area to the application's handler. Returns whether the instruction can be
/// tried again.
fn resolve(trap: &mut Trap<'_>) -> bool {
    let Cause::PageFault(fault) = trap.cause() else { return false };
    // A handler can resolve reads and writes only. It can neither make a page executable nor repair a
    // malformed entry, so the fault would repeat for ever.
    let handles = fault.access != AccessKind::Fetch && !fault.malformed;
    handles && AREA_ADDRESSES.contains(&fault.va.as_u64()) && app::resolve(&THIS, &fault.into())
}

/// The addresses of areas. No Rust object lies there.
const AREA_ADDRESSES: Range<u64> = area_addresses::<Layout>();

/// Panics if the `length` bytes at `va` do not lie within the addresses of areas, or `kern_pgdir` is not loaded.
fn assert_area(va: VirtAddr, length: usize) {
    pmap::assert_application_half();
    let end = va.as_u64().checked_add(length as u64);
    let inside =
        va.as_u64() >= AREA_ADDRESSES.start && end.is_some_and(|end| end <= AREA_ADDRESSES.end);
    assert!(inside, "{length} bytes at {va} are in no area");
}

impl Platform for ThisMachine {
    fn print(&self, text: fmt::Arguments<'_>) {
        console::print(text);
    }

    fn read_line(&self, prompt: &str) -> Option<String> {
        loop {
            match read_line(prompt) {
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

    fn rest_until(&self, moment: Duration) {
        let _off = interrupts_off();
        let time = moment.saturating_sub(clock::monotonic());
        if !time.is_zero() && alarm(time) {
            interrupts::wait();
        }
    }

    fn exit(&self, code: ExitCode) -> ! {
        application::end(code)
    }

    fn with_memory(&self, work: &mut dyn FnMut(&mut dyn Memory)) {
        pmap::assert_application_half();
        work(&mut *pmap::lock());
    }

    fn heap_use(&self) -> HeapUse {
        heap::stats().map_or_else(HeapUse::default, |stats| HeapUse {
            asked: stats.asked as u64,
            held: stats.held as u64,
        })
    }

    fn areas(&self) -> &Mutex<Areas> {
        pmap::assert_application_half();
        &AREAS
    }

    fn read(&self, va: VirtAddr, bytes: &mut [u8]) {
        assert_area(va, bytes.len());
        let to = bytes.as_mut_ptr().expose_provenance() as u64;
        // SAFETY: reading an area's addresses is harmless, and a fault there is the application's
        // error; the caller owns `bytes`.
        unsafe { probe::copy(to, va.as_u64(), bytes.len()) };
    }

    fn write(&self, va: VirtAddr, bytes: &[u8]) {
        assert_area(va, bytes.len());
        // SAFETY: no Rust object lies in an area, and a fault there is the application's error.
        unsafe { probe::copy(va.as_u64(), bytes.as_ptr().expose_provenance() as u64, bytes.len()) };
    }

    fn try_read(&self, va: VirtAddr) -> Result<u8, Fault> {
        probe::load_byte(va.as_u64())
    }

    fn try_write(&self, va: VirtAddr, byte: u8) -> Result<(), Fault> {
        assert_area(va, 1);
        // SAFETY: no Rust object lies in an area.
        unsafe { probe::store_byte(va.as_u64(), byte) }
    }

    fn tables(&self) -> Tables {
        Tables::of::<Layout, Format>()
    }

    fn read_user(&self, va: VirtAddr) -> Result<u64, Fault> {
        probe::load_user(va.as_u64())
    }
}

#[cfg(test)]
mod tests;
