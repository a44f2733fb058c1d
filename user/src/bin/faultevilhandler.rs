//! Takes a page fault with an upcall in the kernel.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::write;
use user::{KERNBASE, LOAD_ADDR, UXSTACKTOP};

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe {
        sys_page_alloc(EnvId::NONE, UXSTACKTOP - PGSIZE, PTE_RW).expect("a page");
        sys_env_set_pgfault_upcall(EnvId::NONE, KERNBASE + LOAD_ADDR + 0x20).expect("the caller");
        write(0, 0);
    }
}
