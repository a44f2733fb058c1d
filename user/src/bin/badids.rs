//! Makes every call with an id for environments that do not exist, or that belong to others; then calls that do not
//! exist.
#![no_std]
#![no_main]

use user::USTACKTOP;
use user::dumbfork::dumbfork;
use user::inc::call;
use user::prelude::*;
use user::rough::read;
use user::trial::Trials;

main!(main);

const BAD_ENV: isize = -(Error::BadEnv as isize);
const INVAL: isize = -(Error::Inval as isize);

fn main(_: Args) {
    let mut trials = Trials::new();
    let me = sys_getenvid().0;

    let stale = match dumbfork().expect("dumbfork") {
        Fork::Child => exit(),
        Fork::Parent(child) => child,
    };
    while Environment::of(stale).id() == stale && Environment::of(stale).status() != ENV_FREE {
        sys_yield();
    }

    for id in [stale.0, me + 0x1000, me | 1 << 30, 1, 0x3FF, 0x400, i32::MAX, i32::MIN, -1, -me] {
        for (name, is) in calls(id) {
            trials.holds(is == BAD_ENV, format_args!("{name} of {id:#x}: {is}"));
        }
    }
    // A child may not change its parent.
    trials.passes("calls of the parent's id", || {
        let refused =
            calls(me).filter(|&(name, is)| is == BAD_ENV && name != "ipc_try_send").count();
        if refused != 7 {
            // SAFETY: the kernel ends the child, which tells the parent.
            let _ = unsafe { read(0) };
        }
    });

    // Numbers that would be calls if they were cut to fewer bits, and negative ones.
    let cut = (0..13).flat_map(|n| [n | 1 << 8, n | 1 << 16, n | 1 << 31]);
    let wide = (0..13).filter(|_| usize::BITS == 64).flat_map(|n| [n | 1 << 32, n | 1 << 63]);
    let negative = (1..16).map(|n| u64::MAX - n + 1);
    let further = [255, 500, 0x7FFF_FFFF, 0x8000_0000];
    for number in (13..32).chain(42..64).chain(cut).chain(wide).chain(negative).chain(further) {
        // SAFETY: there is no such call.
        let is = unsafe { syscall(number, [0, UTEMP, PTE_RW as usize, 0, 0]) };
        trials.holds(is == INVAL, format_args!("call {number:#x}: {is}"));
    }
    trials.end();
}

/// The results of all calls with an id.
fn calls(id: i32) -> impl Iterator<Item = (&'static str, isize)> {
    let (id, perm, own) = (id as usize, PTE_RW as usize, USTACKTOP - PGSIZE);
    [
        ("env_destroy", call::ENV_DESTROY, [id, 0, 0, 0, 0]),
        ("page_alloc", call::PAGE_ALLOC, [id, UTEMP, perm, 0, 0]),
        ("page_map from", call::PAGE_MAP, [id, UTEMP, 0, UTEMP, perm]),
        ("page_map to", call::PAGE_MAP, [0, own, id, UTEMP, perm]),
        ("page_unmap", call::PAGE_UNMAP, [id, UTEMP, 0, 0, 0]),
        ("env_set_status", call::ENV_SET_STATUS, [id, ENV_RUNNABLE as usize, 0, 0, 0]),
        ("env_set_pgfault_upcall", call::ENV_SET_PGFAULT_UPCALL, [id, 0, 0, 0, 0]),
        ("ipc_try_send", call::IPC_TRY_SEND, [id, 0, NO_PAGE, 0, 0]),
    ]
    .into_iter()
    // SAFETY: no call concerns this environment, if the kernel is right.
    .map(|(name, number, arguments)| (name, unsafe { syscall(number, arguments) }))
}
