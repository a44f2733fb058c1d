//! The library beneath programs in ring 3: JOS's `lib/`.
//!
//! | file | JOS's | holds |
//! |---|---|---|
//! | [`start`] | `entry.S`, `libmain.c`, `exit.c` | from the entry to `umain`; arguments; the end |
//! | [`syscall`](mod@syscall) | `syscall.c` | the system calls |
//! | [`console`] | `printf.c` | `cprintf!` |
//! | `panic` | `panic.c` | a panic in JOS's words |
//! | [`env`](mod@env) | `envs`, `thisenv` | the environments, as the kernel shows them |
//! | [`uvpt`](mod@uvpt) | `uvpt`, `uvpd` | the program's own page tables, as the kernel shows them |
//! | [`pages`] | `pages` | the machine's frames, as the kernel shows them |
//! | [`pgfault`] | `pfentry.S`, `pgfault.c` | page faults handled by the program |
//! | [`fork`](mod@fork) | `fork.c` | copy-on-write fork, by the program itself |
//! | [`dumbfork`](mod@dumbfork) | `dumbfork.c` | fork without copy-on-write |
//! | [`ipc`] | `ipc.c` | messages |
//! | [`faultin`] | | a page-fault handler that fills pages with a text, for two programs |
//! | [`registers`] | | a page fault amid known registers, for a program that tests the kernel |
//! | [`rough`] | | accesses that break the rules, for programs that test the kernel |
//! | [`trial`] | | deeds that may end the environment that does them |
//! | `arch` | | code and numbers of one machine; nothing else here knows one |
//!
//! A program is a file in `src/bin`. It names its main function by [`main!`].
#![no_std]
#![deny(unsafe_code)]

#[expect(unsafe_code)]
mod arch;
pub mod console;
#[expect(unsafe_code)]
pub mod dumbfork;
#[expect(unsafe_code)]
pub mod env;
#[expect(unsafe_code)]
pub mod faultin;
#[expect(unsafe_code)]
pub mod fork;
pub mod inc;
pub mod ipc;
#[expect(unsafe_code)]
pub mod pages;
mod panic;
#[expect(unsafe_code)]
pub mod pgfault;
pub mod prelude;
pub mod registers;
pub mod rough;
#[expect(unsafe_code)]
pub mod start;
#[expect(unsafe_code)]
pub mod syscall;
pub mod trial;
#[expect(unsafe_code)]
pub mod uvpt;

use ::layout::MemLayout;

/// Bytes of a page.
pub const PGSIZE: usize = layout::PGSIZE as usize;
/// Scratch addresses for temporary mappings.
pub const UTEMP: usize = arch::Layout::UTEMP as usize;
/// The start of the program.
pub const UTEXT: usize = arch::Layout::UTEXT as usize;
/// The top of the stack.
pub const USTACKTOP: usize = arch::Layout::USTACKTOP as usize;
/// The page that is kept for the handler of copy-on-write faults. The stack's page table maps it too, so that it needs none
/// of its own; a page between the two stays free, to guard the stack.
pub const PFTEMP: usize = USTACKTOP - 3 * PGSIZE;
/// The top of the exception stack.
pub const UXSTACKTOP: usize = arch::Layout::UXSTACKTOP as usize;
/// The end of the addresses that a program may map.
pub const UTOP: usize = arch::Layout::UTOP as usize;
/// Where the kernel shows the environments, the frames and the page tables.
pub const UENVS: usize = arch::Layout::UENVS as usize;
/// See [`UENVS`].
pub const UPAGES: usize = arch::Layout::UPAGES as usize;
/// See [`UENVS`].
pub const UVPT: usize = arch::Layout::UVPT as usize;
/// The first address that no program has access to.
pub const ULIM: usize = arch::Layout::ULIM as usize;
/// The kernel's physical address.
pub const LOAD_ADDR: usize = arch::Layout::LOAD_ADDR as usize;
/// The start of the kernel's window: no program has access.
pub const KERNBASE: usize = arch::Layout::KERNBASE as usize;
