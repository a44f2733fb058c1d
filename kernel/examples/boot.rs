//! `make bench-boot`: what booting takes, up to an application's `main`.
//!
//! Prints one line for `tools/bench/boottime.py`: what the time-stamp counter says, which under QEMU's
//! `-icount` counts instructions from the machine's reset on, and how much RAM is in use.
#![no_std]
#![no_main]

use kernel::{clock, pmap};
use layout::{Jos64, KB, PGSIZE};
use libjos::mem::pages::PageAllocator;
use libjos::prelude::*;

application!(main);

fn main() {
    let (since_reset, since_entry) = clock::counts();
    // SAFETY: this only looks.
    let pmap = unsafe { pmap::memory_system() };
    let ram: u64 = pmap.boot().memory.used::<Jos64>().map(|run| run.size()).sum();
    let in_use = (ram - pmap.pages().nfree() as u64 * PGSIZE) / KB;
    drop(pmap);
    println!("boot: {since_reset} since reset, {since_entry} since entry, {in_use} KB in use");
}
