//! Tries every privileged instruction, every way to the kernel's segments, and calls at the end of user memory. Each is the
//! end of who tries it.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{FAR, LAST_CALLS, PRIVILEGED};
use user::trial::Trials;

main!(main);

fn main(_: Args) {
    let mut trials = Trials::new();
    for (text, instruction) in PRIVILEGED.iter().chain(FAR).chain(LAST_CALLS) {
        trials.ends(text, instruction);
    }
    trials.end();
}
