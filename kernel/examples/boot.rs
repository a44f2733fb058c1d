//! `make bench-boot`: the cost of booting, up to an application's `main`.
//!
//! Prints one line for `tools/bench/boottime.py`: the processor's counter, which under QEMU's `-icount`
//! counts instructions from the machine's reset on, and the amount of RAM in use.
#![no_std]
#![no_main]

use kernel::{Layout, clock, pmap};
use layout::{KB, PGSIZE};
use libjos::mem::pages::PageAllocator;
use libjos::prelude::*;

application!(main);

fn main() {
    let (since_reset, since_entry) = clock::fine_counts();
    // SAFETY: this only reads.
    let pmap = unsafe { pmap::memory_system() };
    let ram: u64 = pmap.boot().memory.used::<Layout>().map(|run| run.size()).sum();
    let in_use = (ram - pmap.pages().nfree() as u64 * PGSIZE) / KB;
    drop(pmap);
    println!("boot: {since_reset} since reset, {since_entry} since entry, {in_use} KB in use");
}
