//! Has page faults handled, by pages that are allocated and filled then.
#![no_std]
#![no_main]

use user::faultin::{TextAt, handler};
use user::prelude::*;

main!(main);

fn main(_: Args) {
    // SAFETY: this program has no object where it takes page faults.
    unsafe { set_pgfault_handler(handler) };
    for va in [0xDEAD_BEEF, 0xCAFE_BFFE] {
        cprintf!("{}\n", TextAt(va));
    }
}
