//! Tries every privileged instruction, every way to the kernel's segments, and calls at the end of user memory, each in
//! a child. The kernel must end the child.
#![no_std]
#![no_main]

use user::UTOP;
use user::prelude::*;
use user::rough::{FAR, LAST_CALLS, PRIVILEGED};
use user::trial::Trials;

main!(main);

fn main(_: Args) {
    let mut trials = Trials::new();
    for (text, instruction) in PRIVILEGED.iter().chain(FAR) {
        trials.ends(text, instruction);
    }
    // The call returns, and there is no instruction behind it.
    for (text, calls) in LAST_CALLS {
        let pc = trials.ends(text, calls).pc();
        trials.holds(pc == UTOP, format_args!("{text}: the end was at {pc:#x}"));
    }
    trials.end();
}
