//! Reads from address 0.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::read;

main!(main);

fn main(_: Args) {
    // SAFETY: the kernel ends this program.
    cprintf!("I read {:08x} from location 0!\n", unsafe { read(0) });
}
