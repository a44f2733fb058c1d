//! Asks for permissions that a program may not have.
#![no_std]
#![no_main]

use user::inc::{PTE_AVAIL, PTE_P, PTE_SYSCALL, PTE_U, PTE_W, call};
use user::prelude::*;
use user::trial::Trials;
use user::{USTACKTOP, UTEXT};

main!(main);

const INVAL: isize = -(Error::Inval as isize);

fn main(_: Args) {
    let mut trials = Trials::new();
    let (own, read_only) = (USTACKTOP - PGSIZE, UTEXT);
    let (good, bad) = (PTE_P | PTE_U, 1 << 3);
    let bits = (0..usize::BITS).map(|bit| 1 << bit).filter(|bit| bit & PTE_SYSCALL == 0);
    for perm in
        bits.map(|bit| good | bit).chain([0, PTE_P, PTE_U, PTE_W, PTE_AVAIL, good | bad, u64::MAX])
    {
        let perm = perm as usize;
        for (name, number, arguments) in [
            ("page_alloc", call::PAGE_ALLOC, [0, UTEMP, perm, 0, 0]),
            ("page_map", call::PAGE_MAP, [0, own, 0, UTEMP, perm]),
        ] {
            // SAFETY: nothing is mapped, if the kernel is right.
            let is = unsafe { syscall(number, arguments) };
            trials.holds(is == INVAL, format_args!("{name} with {perm:#x}: {is}"));
        }
    }
    // SAFETY: nothing is mapped, if the kernel is right.
    let is = unsafe { syscall(call::PAGE_MAP, [0, read_only, 0, UTEMP, PTE_RW as usize]) };
    trials.holds(is == INVAL, format_args!("page_map of the code, writable: {is}"));
    let wide = (ENV_RUNNABLE as usize).checked_add(1_usize.checked_shl(32).unwrap_or(3));
    for status in [0, 1, 3, 5, usize::MAX, wide.unwrap_or(0)] {
        // SAFETY: changes nothing.
        let is = unsafe { syscall(call::ENV_SET_STATUS, [0, status, 0, 0, 0]) };
        trials.holds(is == INVAL, format_args!("env_set_status to {status}: {is}"));
    }
    trials.end();
}
