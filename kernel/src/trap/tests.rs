//! Listeners: who is offered a trap, and in which order.

use std::sync::Mutex;

use super::*;
use crate::arch::host::process::alone;
use crate::arch::host::trap;
use crate::rig;

static CALLED: Mutex<alloc::vec::Vec<u32>> = Mutex::new(alloc::vec::Vec::new());

/// A listener that records its number, and takes the traps whose error code is its number.
fn listener<const NUMBER: u32>(trap: &mut Trap<'_>) -> bool {
    CALLED.lock().expect("nobody panicked").push(NUMBER);
    trap::error_code(trap) == u64::from(NUMBER)
}

#[test]
fn the_latest_comes_first() {
    alone(|| {
        listen(listener::<1>);
        listen(listener::<2>);
        listen(listener::<3>);
        for (taken, called) in [(3, &[3][..]), (2, &[3, 2]), (1, &[3, 2, 1])] {
            CALLED.lock().expect("nobody panicked").clear();
            trap::with(3, taken, 0, offer);
            assert_eq!(*CALLED.lock().expect("nobody panicked"), called);
        }
        listen(listener::<4>);
        CALLED.lock().expect("nobody panicked").clear();
        trap::with(3, 1, 0, offer);
        assert_eq!(*CALLED.lock().expect("nobody panicked"), [4, 3, 2, 1]);
    })
    .assert_returned();
}

#[test]
fn too_many() {
    let ended = alone(|| {
        rig::console();
        rig::kernel_panics();
        for _ in 0..4 {
            listen(listener::<1>);
        }
        println!("four");
        listen(listener::<1>);
    });
    let (four, panic) = ended.printed.split_once("\r\n").expect("lines");
    assert_eq!((four, ended.status), ("four", 35));
    assert!(panic.contains("there is room for another listener"), "{panic}");
}

#[test]
fn nobody() {
    let ended = alone(|| {
        rig::console();
        rig::kernel_panics();
        listen(listener::<1>);
        trap::with(3, 2, 0, offer);
    });
    assert!(ended.printed.contains(": nobody listens to traps\r\n"), "{}", ended.printed);
    assert_eq!(ended.status, 35);
}

/// `init` delivers traps, first to the probes.
#[test]
fn init_listens_for_the_probes() {
    alone(|| {
        init();
        let fault = probe::load(0x7000_0000_0000).expect_err("nothing is mapped there");
        assert_eq!(
            (fault.va.as_u64(), fault.present, fault.write),
            (0x7000_0000_0000, false, false)
        );
        // A trap of other code is not the probes'.
        assert!(!trap::with(14, 0, 0, probe::recover));
    })
    .assert_returned();
}
