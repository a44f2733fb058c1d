//! Hands the kernel addresses that a program may not use.
#![no_std]
#![no_main]

use user::inc::{PTE_W, call};
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
        // An end that wraps back into the program.
        (UTEXT + 0x20, usize::MAX - UTEXT - 0x20 + 2),
        // Where addresses are wider than 32 bits, those that are not canonical; else 0.
        (wide(1 << 47), 1),
        (wide((1 << 47) - 1), 2),
        (wide(1 << 62 | UTEXT as u64), 1),
        (wide(1 << 63), 1),
        (wide(1 << 32 | UTEXT as u64), 1),
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
        wide(1 << 47).max(UTOP),
        wide(1 << 63).max(UTOP),
        wide(1 << 62 | UTEXT as u64).max(UTOP),
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
    // A page that may only be read cannot be written elsewhere; in its own place another page can.
    // SAFETY: nothing lies at UTEMP.
    let are = unsafe {
        [
            syscall(call::PAGE_ALLOC, [0, UTEMP, perm & !PTE_W as usize, 0, 0]),
            syscall(call::PAGE_MAP, [0, UTEMP, 0, UTEMP + PGSIZE, perm]),
            syscall(call::PAGE_MAP, [0, UTEMP, 0, UTEMP, perm]),
            syscall(call::PAGE_MAP, [0, USTACKTOP - PGSIZE, 0, UTEMP, perm]),
            syscall(call::PAGE_UNMAP, [0, UTEMP, 0, 0, 0]),
        ]
    };
    trials.holds(are == [0, INVAL, INVAL, 0, 0], format_args!("a page that is read-only: {are:?}"));
    // SAFETY: nothing is mapped.
    let is = unsafe { syscall(call::PAGE_MAP, [0, UTEMP, 0, UTEMP + PGSIZE, perm]) };
    trials.holds(is == INVAL, format_args!("page_map from where nothing is mapped: {is}"));
    trials.end();
}

/// An address of more than 32 bits; 0 where there are none.
fn wide(va: u64) -> usize {
    usize::try_from(va).unwrap_or(0)
}
