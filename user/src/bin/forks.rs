//! Makes children by both forks, side by side and one below the other: each has what its parent wrote last.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};

use user::dumbfork::dumbfork;
use user::prelude::*;

main!(main);

/// A way to make a child.
type Way = fn() -> Result<Fork, Error>;

static DEPTH: AtomicUsize = AtomicUsize::new(0);

fn main(_: Args) {
    // After the first, all pages are copy-on-write, and but for the stack's none is written to before the second.
    [fork, dumbfork].map(start).into_iter().for_each(wait);
    for ways in [[fork, dumbfork], [dumbfork, fork], [fork, fork], [dumbfork, dumbfork]] {
        descend(&ways, 1);
    }
    cprintf!("every child had what its parent wrote\n");
}

/// A child that ends at once.
fn start(way: Way) -> EnvId {
    match way().expect("a child") {
        Fork::Child => exit(),
        Fork::Parent(child) => child,
    }
}

/// Makes a child by the first way, which makes one by the next, and so on; and waits for its end.
fn descend(ways: &[Way], depth: usize) {
    let Some((way, rest)) = ways.split_first() else { return };
    let on_the_stack = black_box([depth; 4]);
    DEPTH.store(depth, Ordering::Relaxed);
    let made = way().expect("a child");
    assert!(DEPTH.load(Ordering::Relaxed) == depth && black_box(on_the_stack) == [depth; 4]);
    match made {
        Fork::Child => {
            descend(rest, depth + 1);
            exit();
        }
        Fork::Parent(child) => {
            wait(child);
            assert!(DEPTH.load(Ordering::Relaxed) == depth);
        }
    }
}
