//! Takes all slots for environments, and all memory, and gives them back: twice, with the same result.
#![no_std]
#![no_main]

use user::inc::{NENV, PTE_P, PTE_U};
use user::prelude::*;
use user::rough::read;
use user::trial::Trials;
use user::{USTACKTOP, UTEXT};

main!(main);

const US: EnvId = EnvId::NONE;
/// Where the pages go.
const PAGES: usize = 0x2000_0000;

fn main(_: Args) {
    let mut trials = Trials::new();
    let slots = [fill_slots(), fill_slots()];
    trials.holds(slots[0] == slots[1], format_args!("slots: {slots:?}"));
    for _ in 0..2 {
        trials.passes("all memory", fill_memory);
    }
    trials.end();
}

/// Makes children until there is no slot or no memory, and ends them all; returns how many there were.
fn fill_slots() -> usize {
    extern "C" fn leave(child: EnvId) -> isize {
        child.0 as isize
    }
    let me = sys_getenvid();
    let mut made = 0;
    let error = loop {
        match sys_exofork(leave) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    // All slots but this environment's: the machine has memory for more.
    assert!(error == Error::NoFreeEnv && made == NENV - 1, "{made}: {error}");
    for child in envs().filter(|env| env.status() == ENV_NOT_RUNNABLE && env.parent() == me) {
        sys_env_destroy(child.id()).expect("a child");
    }
    made
}

/// Allocates pages until there are none. Then every call that needs one must say so, and the others still work.
fn fill_memory() {
    extern "C" fn leave(child: EnvId) -> isize {
        child.0 as isize
    }
    let mut va = PAGES;
    // SAFETY: this program has no object there.
    while unsafe { sys_page_alloc(US, va, PTE_RW) } == Ok(()) {
        va += PGSIZE;
    }
    // The last page may have lacked a table alone, which is there near the stack.
    let mut below = USTACKTOP - 16 * PGSIZE;
    let error = loop {
        // SAFETY: as above.
        match unsafe { sys_page_alloc(US, below, PTE_RW) } {
            Ok(()) => below -= PGSIZE,
            Err(error) => break error,
        }
    };
    let is_well = error == Error::NoMem
        && sys_exofork(leave) == Err(Error::NoMem)
        // SAFETY: this program has no object at these addresses. The page is the last one that was allocated.
        && unsafe {
            // A page in place of another needs none.
            sys_page_map((US, va - PGSIZE), (US, PAGES), PTE_RW) == Ok(())
                && sys_page_alloc(US, va - PGSIZE, PTE_RW) == Ok(())
                && sys_page_alloc(US, PAGES + 1, PTE_RW) == Err(Error::Inval)
                && sys_page_map((US, UTEXT), (US, va - PGSIZE), PTE_P | PTE_U) == Ok(())
        };
    if !is_well {
        // SAFETY: the kernel ends this child, which tells its parent.
        let _ = unsafe { read(0) };
    }
}
