//! Calls the kernel by each instruction that can do so, with flags that it must not trust: it takes none over, and gives
//! each back.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{GATES, Gate, IGNORED_FLAGS, INTERRUPT_FLAG, KEPT_FLAGS, TRAP_FLAG, clear_flags};
use user::trial::Trials;

main!(main);

fn main(_: Args) {
    let mut trials = Trials::new();
    for gate in GATES {
        with(gate, &mut trials);
    }
    let left = clear_flags(INTERRUPT_FLAG);
    trials.holds(left & INTERRUPT_FLAG != 0, "IF: cleared by a program");
    trials.end();
}

/// Makes the calls by one instruction.
fn with(&Gate { instruction, call, call_with_flags, .. }: &Gate, trials: &mut Trials) {
    trials.holds(call() == thisenv().id(), format_args!("{instruction}: no id"));
    // SAFETY: the kernel ends the child.
    let trap = || _ = unsafe { call_with_flags(TRAP_FLAG) };
    let child = trials.ends(format_args!("{instruction}: the trap flag"), trap);
    // The call's result is the child's id, and each instruction after it adds 1.
    let stepped = child.result().wrapping_sub(child.id().0 as usize);
    trials.holds(stepped == 1, format_args!("{instruction}: trapped after {stepped} instructions"));
    // SAFETY: the kernel gives these flags back, and `call_with_flags` resets them.
    let after = |flags| unsafe { call_with_flags(flags) };
    for (name, flag) in KEPT_FLAGS {
        trials.passes(format_args!("{instruction}: {name}"), || _ = after(flag));
        let is_kept = after(flag) & flag == flag;
        trials.holds(is_kept, format_args!("{instruction}: {name}: lost in the kernel"));
    }
    for (name, flag) in IGNORED_FLAGS {
        trials.passes(format_args!("{instruction}: {name}"), || _ = after(flag));
        let is_ignored = after(flag) & flag == 0;
        trials.holds(is_ignored, format_args!("{instruction}: {name}: set by a program"));
    }
}
