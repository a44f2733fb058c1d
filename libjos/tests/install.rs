//! The platform that a kernel installs is the one that applications call.

use std::fmt;
use std::time::Duration;

use libjos::app::area::Areas;
use libjos::app::memory::{HeapUse, Memory};
use libjos::app::process::ExitCode;
use libjos::app::time::uptime;
use libjos::app::{Platform, install};
use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use spin::Mutex;

/// A machine with a clock.
struct Clock(u64);

impl Platform for Clock {
    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0)
    }

    fn print(&self, _: fmt::Arguments<'_>) {
        unreachable!()
    }

    fn read_line(&self, _: &str) -> Option<String> {
        unreachable!()
    }

    fn command_line(&self) -> &str {
        unreachable!()
    }

    fn exit(&self, _: ExitCode) -> ! {
        unreachable!()
    }

    fn with_memory(&self, _: &mut dyn FnMut(&mut dyn Memory)) {
        unreachable!()
    }

    fn heap_use(&self) -> HeapUse {
        unreachable!()
    }

    fn areas(&self) -> &Mutex<Areas> {
        unreachable!()
    }

    fn read(&self, _: VirtAddr, _: &mut [u8]) {
        unreachable!()
    }

    fn write(&self, _: VirtAddr, _: &[u8]) {
        unreachable!()
    }

    fn try_read(&self, _: VirtAddr) -> Result<u8, Fault> {
        unreachable!()
    }

    fn try_write(&self, _: VirtAddr, _: u8) -> Result<(), Fault> {
        unreachable!()
    }

    fn read_user(&self, _: VirtAddr) -> Result<u64, Fault> {
        unreachable!()
    }
}

#[test]
fn the_first_platform_stays() {
    install(&Clock(7));
    install(&Clock(8));
    assert_eq!(uptime(), Duration::from_secs(7));
}
