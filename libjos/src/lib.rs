//! The library OS of JOS64: MIT JOS's memory system, generic over machine and page-table format.
#![doc = include_str!("../README.md")]
//!
//! This crate knows no hardware. It is written against two small traits in [`machine`], which
//! `kernel` implements for a PC and `sim` for simulated machines, so all of it runs, and is
//! tested, on any host. From the bottom up:
//!
//! | room | holds |
//! |---|---|
//! | [`machine`] | what is asked of the machine: words of physical memory, a few instructions |
//! | [`mem`] | physical memory: addresses, the loader's map, `boot_alloc`, `pages` |
//! | [`paging`] | page tables: formats, `pgdir_walk`, `page_insert` and its like, ranges |
//! | [`space`] | address spaces: user memory grown, copied, copied on write; `copyin` |
//! | [`pmap`] | `mem_init`: all of it in order |
//! | [`mod@env`] | environments: programs in user mode, their calls, the scheduler |
//! | [`check`] | the proofs: JOS's `check_*`, and more |
//! | [`heap`] | the application's heap: it grows and shrinks, and finds misuse when asked to |
//! | [`symtab`] | the kernel's own names and source lines, carried in its image |
//! | `app`, `prelude` | what an application calls, and the machine beneath it (feature `os`) |
//! | `sim` | a machine to run on (feature `std`) |
//!
//! Names are JOS's wherever the idea is JOS's. Bugs of a caller panic, with the values; what can
//! go wrong in a correct program is an error that carries the address.
//!
//! Unsafe code is in [`paging::word`] (one access to one entry), [`mem::pages`] (the array `pages`),
//! [`heap`]
//! (memory that has no type yet), where [`pmap`] asks for that array, and in `sim` (its RAM, and
//! its `arena`, pages for a heap on the host); everywhere else the compiler denies it.
//!
//! A memory system can break more than Rust's rules know of. Who holds a `&mut Pmap` can unmap the
//! code that runs, and who holds its `machine` can store to any RAM. libjos keeps its own books
//! right whatever it is asked for; what an address means to the kernel's own code and data is for
//! the caller to know, who should hand neither of the two to those who do not. (`kernel` keeps both to
//! itself, so that its applications need not be trusted.)
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

#[cfg(feature = "os")]
pub extern crate alloc;

#[cfg(feature = "os")]
pub mod app;
pub mod check;
pub mod env;
#[expect(unsafe_code)]
pub mod heap;
#[cfg(all(test, not(miri)))]
mod lab2_tests;
pub mod machine;
pub mod mem;
pub mod paging;
pub mod pmap;
#[cfg(any(test, feature = "std"))]
pub mod sim;
pub mod space;
pub mod symtab;

#[cfg(feature = "os")]
#[doc(inline)]
pub use app::prelude;
