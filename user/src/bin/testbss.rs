//! Checks that a large array begins as zeros and keeps what it is given, then writes beyond it.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use user::prelude::*;
use user::rough::write;

main!(main);

const LENGTH: usize = 1 << 20;
static ARRAY: [AtomicU32; LENGTH] = [const { AtomicU32::new(0) }; LENGTH];

fn main(_: Args) {
    cprintf!("Making sure bss works right...\n");
    for (n, word) in ARRAY.iter().enumerate() {
        assert!(word.load(Ordering::Relaxed) == 0, "bigarray[{n}] isn't cleared!");
    }
    for (n, word) in ARRAY.iter().enumerate() {
        word.store(n as u32, Ordering::Relaxed);
    }
    for (n, word) in ARRAY.iter().enumerate() {
        assert!(word.load(Ordering::Relaxed) == n as u32, "bigarray[{n}] didn't hold its value!");
    }

    cprintf!("Yes, good.  Now doing a wild write off the end...\n");
    // SAFETY: nothing is mapped there, since the array is the last and by far the largest object: the kernel ends this
    // program.
    unsafe { write(ARRAY.as_ptr_range().end as usize + 4096, 0) };
    panic!("SHOULD HAVE TRAPPED!!!");
}
