//! Physical memory: how much RAM there is, and who has which frame of it.
//!
//! | module | holds |
//! |---|---|
//! | [`addr`] | physical and virtual addresses that cannot be mixed up |
//! | [`range_set`], `sweep` | sets of addresses; long lists of ranges, joined and cut without an allocator |
//! | [`memory_map`], [`reservations`] | the loader's memory map, made fit to be trusted; the memory that the loader still uses |
//! | [`boot`], `detect_memory` | the machine as it was booted; how much RAM there is room for |
//! | [`boot_alloc`] | the allocator before `pages` |
//! | [`pages`] | `pages`, `page_free_list`, `pp_ref`: the page allocator |
//! | [`kaddr`](mod@kaddr) | `KADDR` and `PADDR`: where the kernel sees physical memory |
//! | [`size`] | sizes in bytes, read and printed |

pub mod addr;
pub mod boot;
pub mod boot_alloc;
pub(crate) mod detect_memory;
pub mod kaddr;
pub mod memory_map;
#[expect(unsafe_code)]
pub mod pages;
pub mod range_set;
pub mod reservations;
pub mod size;
mod sweep;
