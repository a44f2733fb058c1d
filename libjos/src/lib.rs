//! The library OS of JOS64: MIT JOS's memory system, generic over machine and page-table format.
//!
//! A PC with 16 MB of simulated memory, a range mapped on it, and what the processor makes of that:
//!
//! ```
//! use layout::{Jos64, MB, MemLayout, PGSIZE};
//! use libjos::addr::{PhysAddr, VirtAddr};
//! use libjos::format::Perm;
//! use libjos::mappings::steps;
//! use libjos::range::PageSizes::Largest;
//! use libjos::{pmap::mem_init, sim::SimMachine, x86_64::X86_64};
//!
//! let (machine, boot) = SimMachine::<Jos64, X86_64>::new(16 * MB);
//! let mut pmap = mem_init(machine, boot); // sizes RAM, builds kern_pgdir, proves each step
//! let pgdir = pmap.uvmcreate()?; // an address space beside the kernel's
//! pmap.switchuvm(pgdir);
//!
//! // Memory of a device, by the largest pages that fit: the walk ends two levels above 4 KB pages.
//! let (va, pa) = (VirtAddr::new(Jos64::PTSIZE), PhysAddr::new(0xC000_0000));
//! pmap.map_range(pgdir, va, 1 << 30, pa, Perm::UR, Largest)?;
//! assert_eq!(steps::<X86_64, _>(&pmap.machine, pgdir, va).last().unwrap().level, 2);
//! assert_eq!(pmap.va2pa(pgdir, va + 5 * PGSIZE + 8), Some(pa + 5 * PGSIZE + 8));
//!
//! // Two pages of RAM, written to by the user.
//! pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W)?;
//! assert_eq!(pmap.machine.user_store(VirtAddr::new(PGSIZE), 42), Ok(()));
//!
//! // What is unmapped is free only after the flush: no other order compiles.
//! let removal = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE)?;
//! let freed = removal.flush(&mut pmap.machine).free(&mut pmap.pages);
//! assert_eq!(freed, 2);
//! assert!(pmap.machine.user_load(VirtAddr::new(PGSIZE)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate knows no hardware. It is written against two small traits in [`machine`], which
//! `kernel` implements for a PC and `sim` for simulated machines, so all of it runs, and is
//! tested, on any host. From the bottom up:
//!
//! | module | holds |
//! |---|---|
//! | [`addr`] | physical and virtual addresses that cannot be mixed up |
//! | [`machine`] | what is asked of the machine: words of physical memory, a few instructions |
//! | [`range_set`], [`memory_map`] | the loader's memory map, made fit to be trusted |
//! | [`boot_alloc`] | the allocator of the time before `pages` |
//! | [`pages`] | `pages`, `page_free_list`, `pp_ref`: the page allocator |
//! | [`kaddr`](mod@kaddr) | `KADDR` and `PADDR`: where the kernel sees physical memory |
//! | [`format`](mod@format), [`word`] | what a page-table format is; permissions; entries |
//! | [`x86_64`], [`i386`], [`riscv`] | the formats, as data |
//! | [`pgdir`] | `pgdir_walk`: the walker |
//! | [`range`](mod@range), [`removal`] | ranges: `boot_map_region`, map, unmap, protect, split, merge; what is owed after |
//! | [`mapping`] | `page_insert`, `page_lookup`, `page_remove`, `tlb_invalidate` |
//! | [`mappings`] | looking at tables: walks level by level, all that is mapped |
//! | [`space`] | address spaces: made, taken down, switched to; the kernel's half shared |
//! | [`uvm`], `duplicate`, [`cow`], [`copy`] | user memory: grown, shrunk, copied, copied on write; `copyin`, `copyout` |
//! | [`vmprint`](mod@vmprint) | page tables in print, as xv6's lab has them and folded |
//! | [`explain`] | an address explained: its bits, its walk, why an access was refused |
//! | [`pmap`] | `mem_init`: all of it in order |
//! | [`schemes`] | the textbook's ways of keeping books on frames, to be compared |
//! | [`heap`] | the application's heap: it grows and shrinks, and finds misuse when asked to |
//! | [`line`](mod@line) | a line editor, for the monitor |
//! | [`size`] | numbers of bytes, printed and typed |
//! | [`processor`] | what the bits of control registers and error codes mean |
//! | [`monitor`] | the kernel monitor's commands, as far as they need no processor |
//! | [`symtab`] | the kernel's own names and source lines, carried in its image |
//! | [`check_pages`], `check_page`, `check_kern_pgdir`, `check_installed` | JOS's proofs of each step, and more |
//! | `os`, `prelude` | what an application calls, and the machine beneath it (feature `os`) |
//! | `sim` | a machine to run on (feature `std`) |
//!
//! Names are JOS's wherever the idea is JOS's. Bugs of a caller panic, with the values; what can
//! go wrong in a correct program is an error that carries the address.
//!
//! Unsafe code is in [`word`] (one access to one entry), [`pages`] (the array `pages`), [`heap`]
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

pub mod addr;
pub mod boot_alloc;
mod check_installed;
mod check_kern_pgdir;
mod check_page;
pub mod check_pages;
pub mod copy;
pub mod cow;
mod duplicate;
pub mod explain;
pub mod format;
#[expect(unsafe_code)]
pub mod heap;
pub mod i386;
pub mod kaddr;
pub mod line;
pub mod machine;
pub mod mapping;
pub mod mappings;
pub mod memory_map;
pub mod monitor;
#[cfg(feature = "os")]
pub mod os;
#[expect(unsafe_code)]
pub mod pages;
pub mod pgdir;
#[cfg(test)]
mod planted;
pub mod pmap;
#[cfg(feature = "os")]
pub mod prelude;
pub mod processor;
pub mod range;
pub mod range_set;
pub mod removal;
pub mod riscv;
pub mod schemes;
#[cfg(any(test, feature = "std"))]
pub mod sim;
pub mod size;
pub mod space;
pub mod symtab;
pub mod uvm;
pub mod vmprint;
#[expect(unsafe_code)]
pub mod word;
pub mod x86_64;
