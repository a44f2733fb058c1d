//! What an application calls, and the machine beneath it: [`Platform`].
//!
//! An application names nothing but [`prelude`](crate::prelude). Whatever it asks for comes through
//! here to the one platform that there is: `kernel`'s, which installs itself before `main`, or on
//! the host a simulated one (`libjos::sim::SimPlatform`), so that an application's logic runs under
//! `cargo test` as it does in the machine.
//!
//! | module | holds |
//! |---|---|
//! | [`console`] | `print!`, `println!`, `eprintln!`, [`read_line`](console::read_line), `log` |
//! | [`process`] | `application!`, [`ExitCode`], [`exit`](process::exit), the command line |
//! | [`time`] | [`Instant`](time::Instant), [`sleep`](time::sleep) |
//! | [`rate`](mod@rate) | how fast the clock's counter runs |
//! | [`backing`] | the pages beneath a heap |
//! | [`memory`] | how much memory there is; what a platform does to pages |
//! | [`area`] | [`VmArea`](area::VmArea): addresses of the application's own, and their faults |
//! | [`tables`] | reading the page tables at UVPT and `pages` at UPAGES |

pub mod area;
pub mod backing;
pub mod console;
pub mod memory;
pub mod prelude;
pub mod process;
pub mod rate;
pub mod tables;
pub mod time;

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use spin::{Mutex, Once};

use crate::machine::Fault;
use crate::mem::addr::VirtAddr;
use area::Areas;
use memory::{HeapUse, Memory};
use process::ExitCode;

/// The machine beneath an application.
///
/// `kernel` implements it for a PC, `libjos::sim` for simulated ones. Methods may be called at any
/// time between [`install`] and the end, by fault handlers too; none is called by two processors at
/// once.
pub trait Platform: Sync {
    /// Prints on the console; text comes with its own line ends.
    fn print(&self, text: fmt::Arguments<'_>);

    /// Prints `prompt` and waits for a line, which has no line end; `None` at the end of input.
    fn read_line(&self, prompt: &str) -> Option<String>;

    /// What the command line says to the application.
    fn command_line(&self) -> &str;

    /// The time since the kernel began.
    fn uptime(&self) -> Duration;

    /// Ends the machine.
    fn exit(&self, code: ExitCode) -> !;

    /// Lets `work` have the memory system.
    fn with_memory(&self, work: &mut dyn FnMut(&mut dyn Memory));

    /// What the heap holds.
    fn heap_use(&self) -> HeapUse;

    /// The areas that the application has.
    fn areas(&self) -> &Mutex<Areas>;

    /// Reads the bytes at `va`, which lie in an area, into `bytes`. A fault goes to [`resolve`];
    /// what it does not resolve is a panic.
    fn read(&self, va: VirtAddr, bytes: &mut [u8]);

    /// Writes `bytes` to `va`, in an area, as [`read`](Self::read) reads.
    fn write(&self, va: VirtAddr, bytes: &[u8]);

    /// As [`read`](Self::read), for a byte.
    ///
    /// # Errors
    ///
    /// The fault, where it is not resolved.
    fn try_read(&self, va: VirtAddr) -> Result<u8, Fault>;

    /// As [`write`](Self::write), for a byte.
    ///
    /// # Errors
    ///
    /// The fault, where it is not resolved.
    fn try_write(&self, va: VirtAddr, byte: u8) -> Result<(), Fault>;

    /// Reads the 8 bytes at `va`, an aligned address of `[UTOP, ULIM)`, which is mapped for the
    /// user to read.
    ///
    /// # Errors
    ///
    /// The fault, where nothing is mapped.
    fn read_user(&self, va: VirtAddr) -> Result<u64, Fault>;
}

static PLATFORM: Once<&'static dyn Platform> = Once::new();

/// Makes `platform` the one that applications run on, for good; the first call counts.
pub fn install(platform: &'static dyn Platform) {
    PLATFORM.call_once(|| platform);
}

/// What `work` makes of the platform.
///
/// # Panics
///
/// Where there is none: before `main`, or on the host outside of `SimPlatform::run`.
fn with<R>(work: impl FnOnce(&dyn Platform) -> R) -> R {
    #[cfg(feature = "std")]
    if let Some(platform) = crate::sim::platform::current() {
        return work(&*platform);
    }
    match PLATFORM.get() {
        Some(platform) => work(*platform),
        None => panic!("no machine to run on: applications only (on the host: SimPlatform::run)"),
    }
}

/// What a platform does about a page fault of the application's: asks the handler of the area that
/// it happened in, if there is one. Whether the access can be tried again.
pub fn resolve(platform: &dyn Platform, fault: &Fault) -> bool {
    area::resolve(platform, fault)
}
