//! Hands the kernel addresses that a program may not use.
#![no_std]
#![no_main]

use user::inc::call;
use user::prelude::*;
use user::trial::Trials;
use user::{KERNBASE, LOAD_ADDR, UENVS, ULIM, UPAGES, USTACKTOP, UTEXT, UTOP, UVPT};

main!(main);

const INVAL: isize = -(Error::Inval as isize);

fn main(_: Args) {
    let mut trials = Trials::new();

    // Memory to print from: address, length.
    let kernel = KERNBASE + LOAD_ADDR;
    for (va, len) in [
        (0, 1),
        (1, 1),
        (UTEMP, 1),
        (UTEXT - 1, 1),
        // One end is the program's, the other not.
        (UTEXT - 1, 0x30),
        (USTACKTOP - 1, 2),
        (USTACKTOP, 1),
        (UTOP - 1, 1),
        (ULIM - 1, 2),
        (ULIM, 1),
        (KERNBASE - 1, 1),
        (kernel, 1),
        (kernel - 1, 2),
        (usize::MAX, 1),
        // The end wraps.
        (usize::MAX, 2),
        (UTEXT + 0x20, usize::MAX),
        (UTEXT + 0x20, usize::MAX - UTEXT),
        (kernel, usize::MAX - kernel + UTEXT),
        (0, usize::MAX),
        // Where addresses are wider than 32 bits, one that is not canonical; else 0.
        (1_usize.checked_shl(47).unwrap_or(0), 1),
    ] {
        trials.ends(format_args!("cputs of {len:#x} bytes at {va:#x}"), || {
            // SAFETY: the kernel ends the child.
            let _ = unsafe { syscall(call::CPUTS, [va, len, 0, 0, 0]) };
        });
    }
    // The kernel shows these to all programs. What is printed is a 0.
    for va in [UENVS + 3, UPAGES + 7, UVPT + 0x1000 - 1] {
        // SAFETY: reads.
        let print = || _ = unsafe { syscall(call::CPUTS, [va, 1, 0, 0, 0]) };
        trials.tries(print);
    }

    // Pages: not aligned, or not the program's.
    let perm = PTE_RW as usize;
    let top = !(PGSIZE - 1);
    for va in [
        1,
        UTEMP + 1,
        UTEMP + PGSIZE - 1,
        UTOP,
        UENVS,
        UPAGES,
        UVPT,
        ULIM,
        KERNBASE,
        kernel,
        top,
        usize::MAX,
    ] {
        for (name, number, arguments) in [
            ("page_alloc", call::PAGE_ALLOC, [0, va, perm, 0, 0]),
            ("page_map from", call::PAGE_MAP, [0, va, 0, UTEMP, perm]),
            ("page_map to", call::PAGE_MAP, [0, USTACKTOP - PGSIZE, 0, va, perm]),
            ("page_unmap", call::PAGE_UNMAP, [0, va, 0, 0, 0]),
        ] {
            // SAFETY: nothing is mapped, if the kernel is right.
            let is = unsafe { syscall(number, arguments) };
            trials.holds(is == INVAL, format_args!("{name} {va:#x}: {is}"));
        }
        if va < UTOP {
            // SAFETY: nothing is mapped, if the kernel is right.
            let is = unsafe { syscall(call::IPC_RECV, [va, 0, 0, 0, 0]) };
            trials.holds(is == INVAL, format_args!("ipc_recv {va:#x}: {is}"));
        }
    }
    // SAFETY: nothing is mapped.
    let is = unsafe { syscall(call::PAGE_MAP, [0, UTEMP, 0, UTEMP + PGSIZE, perm]) };
    trials.holds(is == INVAL, format_args!("page_map from where nothing is mapped: {is}"));
    trials.end();
}
