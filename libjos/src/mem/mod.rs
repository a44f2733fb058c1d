//! Physical memory: what RAM there is, and who has which frame of it.
//!
//! | module | holds |
//! |---|---|
//! | [`addr`] | physical and virtual addresses that cannot be mixed up |
//! | [`range_set`], [`memory_map`] | the loader's memory map, made fit to be trusted |
//! | [`boot_alloc`] | the allocator of the time before `pages` |
//! | [`pages`] | `pages`, `page_free_list`, `pp_ref`: the page allocator |
//! | [`kaddr`](mod@kaddr) | `KADDR` and `PADDR`: where the kernel sees physical memory |
//! | [`size`] | sizes in bytes, read and printed |

pub mod addr;
pub mod boot_alloc;
pub mod kaddr;
pub mod memory_map;
#[expect(unsafe_code)]
pub mod pages;
pub mod range_set;
pub mod size;
