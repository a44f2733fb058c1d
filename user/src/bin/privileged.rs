//! Tries every privileged instruction, and every way to the kernel's segments. Each is the end of who tries it.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{FAR, PRIVILEGED};
use user::trial::Trials;

main!(main);

fn main(_: Args) {
    let mut trials = Trials::new();
    for (text, instruction) in PRIVILEGED.iter().chain(FAR) {
        trials.ends(text, instruction);
    }
    trials.end();
}
