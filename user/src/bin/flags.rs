//! Calls the kernel with flags that it must not trust: it takes none over, and gives each back.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{
    IGNORED_FLAGS, INTERRUPT_FLAG, KEPT_FLAGS, TRAP_FLAG, call_with_flags, clear_flags,
};
use user::trial::Trials;

main!(main);

fn main(_: Args) {
    let mut trials = Trials::new();
    // SAFETY: the kernel ends the child.
    trials.ends("the trap flag", || _ = unsafe { call_with_flags(TRAP_FLAG) });
    // SAFETY: the kernel gives these flags back, and `call_with_flags` resets them.
    let after = |flags| unsafe { call_with_flags(flags) };
    for (name, flag) in KEPT_FLAGS {
        trials.passes(name, || _ = after(flag));
        trials.holds(after(flag) & flag == flag, format_args!("{name}: lost in the kernel"));
    }
    for (name, flag) in IGNORED_FLAGS {
        trials.passes(name, || _ = after(flag));
        trials.holds(after(flag) & flag == 0, format_args!("{name}: set by a program"));
    }
    let left = clear_flags(INTERRUPT_FLAG);
    trials.holds(left & INTERRUPT_FLAG != 0, "IF: cleared by a program");
    trials.end();
}
