//! The kernel of JOS64: the machine beneath `libjos`, and the way from its entry to an application.
//!
//! This file is the table of contents. `kernel_main` is where the entry code of the crate `boot`
//! arrives, at KERNBASE and on the boot stack; `on_kernel_stack` is the rest of the way, on the
//! stack at KSTACKTOP. What each line of the two does is in the module that it names:
//!
//! | module | holds |
//! |---|---|
//! | [`console`] | serial line, VGA text and keyboard behind one lock; `print!` |
//! | `arch` | the one door to the architecture: what differs from machine to machine |
//! | `trap` | every exception: offered to those who listen, or else a panic that explains it |
//! | `boot_info` | what the loader says, and what `mem_init` is told of it |
//! | `cmdline` | the words of the kernel's command line |
//! | [`machine`] | [`Hardware`](machine::Hardware): physical memory and the processor, for `libjos` |
//! | `inspect` | looking at memory that may be broken |
//! | [`pmap`] | the one memory system, behind its lock |
//! | `globals` | JOS's globals, by their plain names for gdb |
//! | `stack` | the stacks, and the move to KSTACKTOP |
//! | `faults` | the deliberate faults of `test=NAME` |
//! | [`monitor`], `readline` | the prompt `K> `, and its commands |
//! | `application` | its begin and its end |
//! | `platform`, `heap` | what an application has of the machine |
//! | [`clock`] | time |
//! | `panic`, `backtrace`, `exit` | the ways down |
//! | `symbols` | what `linker.ld` knows: where the kernel begins and ends; names and source lines |
//!
//! An application is a function handed to [`libjos::application!`]; `main.rs` hands over the monitor.
//!
//! An application without `unsafe` cannot corrupt memory, whatever it calls of this crate: what could
//! is private, or `unsafe` with its terms ([`pmap::memory_system`]). `tools/build/test_applications.py`
//! tries. The monitor changes memory as it is told to at the prompt, and whoever types there is
//! trusted, as at a debugger.
#![no_std]
#![cfg_attr(not(target_os = "none"), allow(dead_code, reason = "only a machine calls it"))]

extern crate alloc;

#[macro_use]
pub mod console;
mod application;
mod arch;
mod backtrace;
mod boot_info;
pub mod clock;
mod cmdline;
mod exit;
mod faults;
mod globals;
mod heap;
mod inspect;
pub mod machine;
pub mod monitor;
mod panic;
mod platform;
pub mod pmap;
mod readline;
mod stack;
mod symbols;
mod trap;

/// Where the crate `boot` hands over: `entry_pgdir` loaded, on the boot stack.
///
/// `magic` names the loader's protocol, `info` is the physical address of what it says.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(magic: u32, info: u32) -> ! {
    // Be able to speak, and to say what went wrong: from here on an exception is a decoded panic.
    clock::init();
    console::init();
    trap::listen(panic::take);
    trap::init();

    // What the loader says, and the command line in it.
    let boot_info = boot_info::init(magic, info);
    cmdline::init(boot_info.command_line());

    // The memory system: prints how much RAM there is, and a line for each check.
    pmap::init(boot_info, cmdline::options().memory_limit);

    // kern_pgdir is loaded; leave the boot stack for the one whose overflow faults.
    stack::move_to_kstacktop(on_kernel_stack)
}

/// The rest of the way, on the stack at KSTACKTOP.
extern "C" fn on_kernel_stack() -> ! {
    // What only holds on this stack.
    pmap::lock().checks().check_page_installed_pgdir();

    // Free pages are watched from here on, if the command line says so.
    if cmdline::options().pages_poison {
        pmap::poison();
    }

    // The heap, from UHEAP up: empty, until somebody allocates.
    heap::init(cmdline::options().heap_poison);
    // What an application calls.
    platform::init();

    // The fault that the command line asks for, if any: does not return.
    if let Some(fault) = cmdline::options().fault {
        faults::run(fault);
    }

    // The application's `main`, and the end.
    application::run()
}
