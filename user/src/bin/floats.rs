//! Has several environments keep numbers in the registers for floating point, while they take turns. Others look at
//! these registers first, wait for them while an exception of their parent's is pending there, and use one when there
//! is no memory to save it in.
#![no_std]
#![no_main]

use user::USTACKTOP;
use user::dumbfork::dumbfork;
use user::prelude::*;
use user::rough::{divide_floats, forget_floats, has_first_floats, keep_floats, wait_for_floats};
use user::trial::Trials;

main!(main);

/// Children, and turns of each.
const CHILDREN: usize = 4;
const TURNS: u32 = 20;
/// Where a child maps all memory that there is.
const START: usize = 0x1000_0000;

fn main(_: Args) {
    let id = sys_getenvid();
    for _ in 0..CHILDREN {
        if dumbfork().unwrap_or_else(|error| panic!("dumbfork: {error}")) == Fork::Child {
            let number = 0x3FF0_0000_0000_0000 | u64::from(sys_getenvid().0.cast_unsigned());
            ipc_send(id, usize::from(keep_floats(number, TURNS)));
            return;
        }
    }
    let number = 0x4009_21FB_5444_2D18;
    // Both: the registers are kept while the children run, and while they come and go.
    let mine = keep_floats(number, TURNS);
    let theirs = (0..CHILDREN).map(|_| ipc_recv().value).sum::<usize>();
    cprintf!("floats: {} of {} kept their numbers\n", theirs + usize::from(mine), CHILDREN + 1);
    let mut trials = Trials::new();
    // The processor still has somebody's numbers.
    trials.passes("the registers of a new program", || assert!(has_first_floats(), "numbers"));
    divide_floats();
    trials.passes("a wait, with an exception of another's pending", wait_for_floats);
    trials.ends("a wait, with an exception of its own pending", || {
        divide_floats();
        wait_for_floats();
    });
    forget_floats();
    trials.ends("a number with a floating point, without memory", || {
        take_all_pages();
        let _ = keep_floats(number, 0);
    });
    trials.end();
}

/// Maps all free pages in this environment.
fn take_all_pages() {
    // SAFETY: this program has no object there.
    let take = |va: usize| unsafe { sys_page_alloc(EnvId::NONE, va, PTE_RW) };
    let _ = (START..).step_by(PGSIZE).find(|&va| take(va).is_err());
    // The last page may have lacked a table alone, which is there near the stack.
    let _ = (2..).find(|page| take(USTACKTOP - page * PGSIZE).is_err());
}
