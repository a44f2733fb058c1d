//! Calls the kernel, and takes page faults, with stacks at every boundary and upcalls that cannot work.
#![no_std]
#![no_main]

use user::prelude::*;
use user::rough::{GATES, fault_with_stack, read};
use user::trial::Trials;
use user::{KERNBASE, UENVS, USTACKTOP, UTEXT, UTOP, UVPT, UXSTACKTOP};

main!(main);

const US: EnvId = EnvId::NONE;
const WORD: usize = size_of::<usize>();
const EXCEPTION_STACK: usize = UXSTACKTOP - PGSIZE;
/// Where the stack pointer may be.
const STACKS: [usize; 12] = [
    0,
    WORD,
    UTEXT,
    EXCEPTION_STACK - WORD,
    USTACKTOP - PGSIZE,
    USTACKTOP,
    UXSTACKTOP,
    UTOP + WORD,
    UVPT,
    KERNBASE,
    1_usize.wrapping_shl(47),
    usize::MAX - WORD + 1,
];

fn main(_: Args) {
    let mut trials = Trials::new();
    for stack in STACKS {
        for gate in GATES {
            let what = format_args!("{} with the stack at {stack:#x}", gate.instruction);
            trials.passes(what, || (gate.call_with_stack)(stack));
        }
        trials.ends(format_args!("a fault with the stack at {stack:#x}"), || fault(stack));
        // The frame goes onto the exception stack, whatever the stack pointer is.
        trials.passes(format_args!("an upcall, the stack at {stack:#x}"), || {
            with_upcall(survived as *const () as usize, PTE_RW);
            fault(stack);
        });
    }
    for stack in [UXSTACKTOP - WORD, UXSTACKTOP - 1, EXCEPTION_STACK + PGSIZE / 2] {
        trials.passes(format_args!("an upcall in one, the stack at {stack:#x}"), || {
            with_upcall(survived as *const () as usize, PTE_RW);
            fault(stack);
        });
    }
    // No room for another frame.
    for stack in
        [EXCEPTION_STACK, EXCEPTION_STACK + 1, EXCEPTION_STACK + WORD, EXCEPTION_STACK + 5 * WORD]
    {
        trials.ends(format_args!("a full exception stack, at {stack:#x}"), || {
            with_upcall(survived as *const () as usize, PTE_RW);
            fault(stack);
        });
    }
    for upcall in [
        1,
        UTEMP,
        UTOP,
        UENVS + 1,
        UVPT,
        KERNBASE,
        KERNBASE + 0x10_0000,
        1_usize.wrapping_shl(47),
        usize::MAX,
    ] {
        // Where the kernel shows its arrays, they may be executed on i386: they are no sensible code.
        trials.ends(format_args!("an upcall at {upcall:#x}"), || {
            with_upcall(upcall, PTE_RW);
            fault(USTACKTOP - PGSIZE / 2);
        });
    }
    trials.ends("an exception stack that is read-only", || {
        with_upcall(survived as *const () as usize, PTE_RW & !2);
        fault(USTACKTOP - PGSIZE / 2);
    });
    trials.ends("an upcall that faults", || {
        with_upcall(faults as *const () as usize, PTE_RW);
        fault(USTACKTOP - PGSIZE / 2);
    });
    trials.end();
}

/// Sets an upcall, and makes an exception stack.
fn with_upcall(upcall: usize, perm: u64) {
    // SAFETY: the exception stack is nobody's, and the child ends at the fault, or in the upcall.
    unsafe {
        sys_page_alloc(US, EXCEPTION_STACK, perm).expect("a page");
        sys_env_set_pgfault_upcall(US, upcall).expect("the caller");
    }
}

fn fault(stack: usize) {
    // SAFETY: the kernel ends the child, or its upcall does.
    unsafe { fault_with_stack(stack) }
}

/// An upcall that tells the parent.
extern "C" fn survived() -> ! {
    let _ = sys_env_set_status(US, ENV_NOT_RUNNABLE);
    unreachable!("this environment is stopped");
}

/// An upcall that takes a page fault itself.
extern "C" fn faults() -> ! {
    loop {
        // SAFETY: nothing is mapped there.
        let _ = unsafe { read(0) };
    }
}
