//! Takes a page fault with an upcall where nothing is mapped: the upcall faults, and so on, until the exception stack ends.
#![no_std]
#![no_main]

use user::UXSTACKTOP;
use user::prelude::*;
use user::rough::write;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe {
        sys_page_alloc(EnvId::NONE, UXSTACKTOP - PGSIZE, PTE_RW).expect("a page");
        sys_env_set_pgfault_upcall(EnvId::NONE, 0xDEAD_BEEF).expect("the caller");
        write(0, 0);
    }
}
