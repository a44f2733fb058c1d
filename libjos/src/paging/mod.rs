//! Page tables: their formats, the walk down them, and what is done to what they map.
//!
//! | module | holds |
//! |---|---|
//! | [`format`](mod@format), [`word`] | what a page-table format is; permissions; entries |
//! | [`pgdir`] | `pgdir_walk`: the walker |
//! | [`error`] | why an operation on mappings was refused |
//! | [`mapping`] | `page_insert`, `page_lookup`, `page_remove`, `tlb_invalidate` |
//! | [`range`](mod@range) | ranges: `boot_map_region`, map, unmap, protect, split, merge |
//! | [`unmapping`], `flush` | pages on the way from mapped to free; the TLB told |
//! | [`mappings`] | looking at tables: walks level by level, all that is mapped |
//! | [`vmprint`](mod@vmprint) | page tables in print, as xv6's lab has them and folded |

pub mod directory;
pub mod error;
pub(crate) mod flush;
pub mod format;
pub mod mapping;
pub mod mappings;
pub mod pgdir;
pub mod range;
mod shared;
pub mod unmapping;
pub mod vm;
pub mod vmprint;
#[expect(unsafe_code)]
pub mod word;
