//! Calls the kernel with flags that it must not trust: it takes none over, and gives each back.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::call_with_flags;
use user::trial::Trials;

main!(main);

const TF: usize = 1 << 8;
const DF: usize = 1 << 10;
const IOPL: usize = 3 << 12;
const NT: usize = 1 << 14;
const VM: usize = 1 << 17;
const AC: usize = 1 << 18;

fn main(_: Args) {
    let mut trials = Trials::new();
    // Each instruction would trap.
    // SAFETY: the kernel ends the child.
    trials.ends("TF", || unsafe {
        let _ = call_with_flags(TF);
    });
    // SAFETY: the kernel gives these flags back, and `call_with_flags` resets them.
    let after = |flags| unsafe { call_with_flags(flags) };
    for (name, flag) in [("DF", DF), ("NT", NT), ("AC", AC), ("all three", DF | NT | AC)] {
        trials.passes(name, || _ = after(flag));
        trials.holds(after(flag) & flag == flag, format_args!("{name}: lost in the kernel"));
    }
    // A program cannot set these: the processor ignores them.
    for (name, flag) in [("IOPL", IOPL), ("VM", VM)] {
        trials.passes(name, || _ = after(flag));
        trials.holds(after(flag) & flag == 0, format_args!("{name}: set by a program"));
    }
    trials.end();
}
