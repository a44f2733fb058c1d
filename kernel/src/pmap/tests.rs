//! The lock of the memory system.

use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::process::alone;
use crate::rig;

#[test]
fn before_mem_init() {
    let ended = alone(|| {
        rig::console();
        rig::kernel_panics();
        drop(lock());
    });
    assert!(ended.printed.contains(": mem_init has not run yet\r\n"), "{ended:?}");
    ended.assert_ended(35);
}

#[test]
fn locked_twice() {
    let ended = alone(|| {
        rig::boot("", || {
            // SAFETY: nothing is changed.
            let first = unsafe { memory_system() };
            assert!(first.pages().nfree() > 0);
            drop(lock());
            ExitCode::SUCCESS
        })
    });
    let words = ": the memory system is asked for pages while it works\r\n";
    assert!(ended.printed.contains(words), "{ended:?}");
    ended.assert_ended(35);
}
