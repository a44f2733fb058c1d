//! The calls of an application, and the machine beneath it: [`Platform`].
//!
//! An application names only [`prelude`]. Its calls go through this room to the one platform: in the
//! machine `kernel`'s, which is [installed](install) before `main`; on the host a simulated one
//! (`libjos::sim::SimPlatform`), so that `cargo test` runs an application's logic as the machine does.
//!
//! | module | holds |
//! |---|---|
//! | [`console`] | `print!`, `println!`, `eprintln!`, [`read_line`](console::read_line), `log` |
//! | [`process`] | `application!`, [`ExitCode`], [`exit`](process::exit), the command line |
//! | [`time`] | [`Instant`](time::Instant), [`sleep`](time::sleep) |
//! | [`rate`](mod@rate) | measuring how fast the clock's counter runs |
//! | [`backing`] | the pages beneath a heap |
//! | [`access`] | a page's permissions and translation; errors |
//! | [`memory`] | how much memory there is; operations on pages |
//! | [`area`] | [`VmArea`](area::VmArea): pages of the application's own, and their faults |
//! | [`tables`] | reading the page tables at UVPT and `pages` at UPAGES |

pub mod access;
pub mod area;
pub mod backing;
pub mod console;
pub mod memory;
pub mod prelude;
pub mod process;
pub mod rate;
pub mod tables;
pub mod time;

#[cfg(feature = "std")]
use alloc::rc::Rc;
use alloc::string::String;
#[cfg(feature = "std")]
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;

use spin::{Mutex, Once};

use crate::machine::Fault;
use crate::mem::addr::VirtAddr;
use area::Areas;
pub use area::areas::resolve;
use memory::{HeapUse, Memory};
use process::ExitCode;
use tables::Tables;

/// The machine beneath an application.
///
/// `kernel` implements it for the machine that it runs on, `libjos::sim` for a simulated one. Methods
/// may be called at any time between [`install`] and the end, also by fault handlers, but never by
/// two processors at once.
pub trait Platform: Sync {
    /// Prints on the console. The text brings its own line ends.
    fn print(&self, text: fmt::Arguments<'_>);

    /// Prints `prompt`, waits for a line and returns it without its end. `None` at the end of input.
    fn read_line(&self, prompt: &str) -> Option<String>;

    /// The application's part of the command line.
    fn command_line(&self) -> &str;

    /// The time since the kernel began.
    fn uptime(&self) -> Duration;

    /// Lets the processor rest until [`uptime`](Self::uptime) is `moment`, or returns sooner.
    fn rest_until(&self, _moment: Duration) {
        core::hint::spin_loop();
    }

    /// Ends the machine.
    fn exit(&self, code: ExitCode) -> !;

    /// Calls `work` with the memory system.
    fn with_memory(&self, work: &mut dyn FnMut(&mut dyn Memory));

    /// The size of the heap.
    fn heap_use(&self) -> HeapUse;

    /// The areas of the application.
    fn areas(&self) -> &Mutex<Areas>;

    /// Reads the bytes at `va`, all in one area, into `bytes`. Panics at a fault that [`resolve`]
    /// does not resolve.
    fn read(&self, va: VirtAddr, bytes: &mut [u8]);

    /// Writes `bytes` to `va`, all in one area. Panics as [`read`](Self::read) does.
    fn write(&self, va: VirtAddr, bytes: &[u8]);

    /// Reads the byte at `va`, in an area.
    ///
    /// # Errors
    ///
    /// The fault, if [`resolve`] does not resolve it.
    fn try_read(&self, va: VirtAddr) -> Result<u8, Fault>;

    /// Writes `byte` to `va`, in an area.
    ///
    /// # Errors
    ///
    /// The fault, if [`resolve`] does not resolve it.
    fn try_write(&self, va: VirtAddr, byte: u8) -> Result<(), Fault>;

    /// The places where the page tables and `pages` can be read.
    fn tables(&self) -> Tables;

    /// Reads the 8 bytes at `va`, an aligned address in `[UTOP, ULIM)` that the user may read.
    ///
    /// # Errors
    ///
    /// The fault, if nothing is mapped there.
    fn read_user(&self, va: VirtAddr) -> Result<u64, Fault>;
}

static PLATFORM: Once<&'static dyn Platform> = Once::new();

/// Makes `platform` the one that applications run on, for good. Only the first call counts.
pub fn install(platform: &'static dyn Platform) {
    PLATFORM.call_once(|| platform);
}

#[cfg(feature = "std")]
std::thread_local! {
    /// The platform of this thread alone.
    static OF_THREAD: RefCell<Option<Rc<dyn Platform>>> = const { RefCell::new(None) };
}

/// Makes `platform` the one of this thread, in place of the installed one, and returns its
/// predecessor. On a host, each thread can so have a machine of its own.
#[cfg(feature = "std")]
pub(crate) fn replace_for_thread(platform: Option<Rc<dyn Platform>>) -> Option<Rc<dyn Platform>> {
    OF_THREAD.replace(platform)
}

/// Calls `work` with the platform.
///
/// # Panics
///
/// Panics if there is none: before `main`, or on the host outside of `SimPlatform::run`.
fn with<R>(work: impl FnOnce(&dyn Platform) -> R) -> R {
    #[cfg(feature = "std")]
    if let Some(platform) = OF_THREAD.with_borrow(Clone::clone) {
        return work(&*platform);
    }
    match PLATFORM.get() {
        Some(platform) => work(*platform),
        None => panic!("no machine to run on: applications only (on the host: SimPlatform::run)"),
    }
}
