//! A panic, in JOS's words. It ends in a breakpoint, which leads to the kernel's monitor.

use core::panic::PanicInfo;

use crate::arch;
use crate::start::binaryname;
use crate::syscall::sys_getenvid;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("?", 0), |at| (at.file(), at.line()));
    let (id, name) = (sys_getenvid(), binaryname());
    crate::cprintf!("[{id}] user panic in {name} at {file}:{line}: {}\n", info.message());
    loop {
        arch::breakpoint();
    }
}
