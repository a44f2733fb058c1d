//! Does nothing, for ever.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    loop {
        sys_yield();
    }
}
