//! The simulated processor against the manuals: entries written by hand, bit by bit, and the exact
//! exception that each access must raise. And this library's tables on that processor: what may be
//! executed, and what must be flushed.

mod caches;
mod fences;
mod flushes;
mod i386;
mod left_out;
mod permissions;
mod rig;
mod riscv;
mod x86_64;
