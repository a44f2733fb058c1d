//! Takes a page fault with an upcall, but without an exception stack.
#![no_std]
#![no_main]

use user::pgfault::upcall;
use user::prelude::*;
use user::rough::write;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    unsafe {
        sys_env_set_pgfault_upcall(EnvId::NONE, upcall()).expect("the caller");
        write(0, 0);
    }
}
