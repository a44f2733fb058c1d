//! Makes a child and copies all pages to it at once; then the two take turns.
#![no_std]
#![no_main]

use core::ptr;

use user::prelude::*;
use user::uvpt::mapped_below;
use user::{UTEMP, UTOP};

main!(main);

fn main(_: Args) {
    let child = sys_exofork(copy).unwrap_or_else(|error| panic!("sys_exofork: {error}"));
    let (who, turns) = if child == EnvId::NONE { ("child", 20) } else { ("parent", 10) };
    for i in 0..turns {
        cprintf!("{i}: I am the {who}!\n");
        sys_yield();
    }
}

/// Copies all pages to the child, and starts it.
extern "C" fn copy(child: EnvId) -> isize {
    for (va, _) in mapped_below(UTOP).filter(|&(va, _)| va != UTEMP) {
        duppage(child, va).unwrap_or_else(|error| panic!("copying {va:#x}: {error}"));
    }
    sys_env_set_status(child, ENV_RUNNABLE)
        .unwrap_or_else(|error| panic!("sys_env_set_status: {error}"));
    child.0 as isize
}

/// Copies one page, by way of UTEMP.
fn duppage(child: EnvId, va: usize) -> Result<(), Error> {
    // SAFETY: the child has no object yet, and in this program nothing else uses UTEMP.
    unsafe {
        sys_page_alloc(child, va, PTE_RW)?;
        sys_page_map((child, va), (EnvId::NONE, UTEMP), PTE_RW)?;
        ptr::copy_nonoverlapping(
            ptr::with_exposed_provenance::<u8>(va),
            ptr::with_exposed_provenance_mut(UTEMP),
            PGSIZE,
        );
        sys_page_unmap(EnvId::NONE, UTEMP)
    }
}
