//! The kernel of JOS64: the machine beneath `libjos`, and everything from its entry to an application.
//!
//! This file is the table of contents. The entry code of the crate `boot` calls `kernel_main`, at
//! KERNBASE and on the boot stack; `on_kernel_stack` continues on the stack at KSTACKTOP. Each line of
//! the two names the module that does the work:
//!
//! | module | holds |
//! |---|---|
//! | [`console`] | serial line, VGA text and keyboard behind one lock |
//! | `arch` | the one door to the architecture: what differs from machine to machine |
//! | `interrupts`, `lock` | interrupts of the devices; the locks that keep them off |
//! | `trap` | every exception: offered to the listeners; the last one panics with an explanation |
//! | `boot_info` | the loader's information, and the part of it that `mem_init` gets |
//! | `cmdline` | the options on the kernel's command line |
//! | `window` | the window at KERNBASE, which shows physical memory |
//! | [`machine`] | [`Hardware`](machine::Hardware): physical memory and the processor, for `libjos` |
//! | `inspect` | reads of memory that may be damaged |
//! | [`pmap`] | the one memory system, behind its lock |
//! | `globals` | JOS's globals, by their plain names for gdb |
//! | `stack` | the stacks, and the move to KSTACKTOP |
//! | `faults` | the deliberate faults of `test=NAME` |
//! | `user`, `programs` | programs in user mode; the files of programs |
//! | [`monitor`], `readline` | the prompt `K> `, and its commands |
//! | `application` | the application's start and end |
//! | `platform`, `heap` | the machine as an application sees it; `print!` goes through `platform` |
//! | [`clock`] | time |
//! | `panic`, `backtrace`, `exit` | the end of the machine, and the report before it |
//! | `symbols` | the kernel's bounds from `linker.ld`; names and source lines |
//!
//! An application is a function given to [`libjos::application!`]; `main.rs` gives it the monitor.
//!
//! An application without `unsafe` cannot corrupt memory, whatever it calls in this crate: functions
//! that could are private, or `unsafe` with stated terms ([`pmap::memory_system`]).
//! `tools/build/test_applications.py` checks this. The monitor changes memory on command: its user is
//! trusted, as a debugger's is.
#![no_std]
#![cfg_attr(not(jos_machine), allow(dead_code, reason = "only a machine has an entry"))]

extern crate alloc;
#[macro_use] // print!, println!
extern crate libjos;
#[cfg(not(jos_machine))]
extern crate std;

mod application;
mod arch;
mod backtrace;
mod boot_info;
pub mod clock;
mod cmdline;
pub mod console;
mod exit;
mod faults;
mod globals;
mod heap;
mod inspect;
mod interrupts;
mod lock;
pub mod machine;
pub mod monitor;
mod panic;
mod platform;
pub mod pmap;
mod programs;
mod readline;
#[cfg(test)]
mod rig;
mod stack;
mod symbols;
mod trap;
mod user;
mod window;

pub use arch::{Format, Layout};

/// The first Rust function to run: the crate `boot` calls it with `entry_pgdir` loaded, on the boot
/// stack (JOS's `i386_init`).
///
/// `magic` names the loader's protocol, `info` is the physical address of the boot information.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(magic: u32, info: u32) -> ! {
    // Console and traps first: from here on the kernel can print, and an exception is a decoded panic.
    platform::install();
    clock::init();
    console::init();
    trap::listen(panic::report_trap);
    trap::init();
    interrupts::init();

    // The loader's information, and the command line in it.
    let boot_info = boot_info::init(magic, info);
    cmdline::init(boot_info.command_line);

    // The memory system: prints how much RAM there is, and a line for each check.
    pmap::init(boot_info, cmdline::options().memory_limit);

    // kern_pgdir is loaded; leave the boot stack for the one whose overflow faults.
    stack::move_to_kstacktop(on_kernel_stack)
}

/// Continues [`kernel_main`] on the stack at KSTACKTOP.
extern "C" fn on_kernel_stack() -> ! {
    // This check holds only on this stack.
    pmap::lock().checks().check_page_installed_pgdir();

    // Free pages are watched from here on, if the command line says so.
    if cmdline::options().pages_poison {
        pmap::poison();
    }

    // The heap, from UHEAP up: empty until the first allocation.
    heap::init(cmdline::options().heap_poison);
    // The services that an application calls.
    platform::init();

    // The fault that the command line asks for, if any; it does not return.
    if let Some(fault) = cmdline::options().fault {
        faults::run(fault);
    }

    // The application's `main`; then the machine ends.
    application::run()
}

#[cfg(test)]
mod tests;
