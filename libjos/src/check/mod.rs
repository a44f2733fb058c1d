//! JOS's proofs of each step of `mem_init`, and more; and the faults that are planted against them.
//!
//! | module | proves |
//! |---|---|
//! | [`check_pages`] | the free list and the page allocator |
//! | `check_page` | mapping, counting and unmapping single pages |
//! | `check_kern_pgdir` | each page of the kernel's map, and that nothing else is mapped |
//! | `check_installed` | the directory in use |
//!
//! A check never takes its expectation from the code that it checks.

mod check_installed;
mod check_kern_pgdir;
mod check_page;
pub mod check_pages;
#[cfg(test)]
mod tests;
