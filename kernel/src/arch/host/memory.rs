//! The simulated physical memory, which the window shows, and the symbols of `linker.ld`.
//!
//! The window is memory of this process, all zeros at first, wherever the host puts it. The other symbols are
//! mere numbers, as on the machine: the kernel lies from 1 MB on. The room for the table of symbols is
//! memory of its own, which a test can fill.

use core::arch::global_asm;

use layout::MemLayout;

use crate::arch::x86_64::Layout;

/// The room for the table of symbols, in bytes.
pub(crate) const SYMBOLS_ROOM: usize = 64 << 10;

/// The lowest bytes of the boot stack and of an exception's stack, both in the kernel's data.
pub(crate) const BOOT_STACK: u64 = Layout::KERNBASE + 0x1E_0000;
pub(crate) const EXCEPTION_STACK: u64 = Layout::KERNBASE + 0x1F_0000;

/// Defines absolute symbols.
macro_rules! numbers {
    ($($name:ident = $value:expr;)*) => {
        global_asm!(
            $(
                concat!(".globl ", stringify!($name)),
                concat!(".set ", stringify!($name), ", {", stringify!($name), "}"),
            )*
            $($name = const $value,)*
        );
    };
}

numbers! {
    entry = Layout::KERNBASE + 0x10_0040;
    stext = Layout::KERNBASE + 0x10_0000;
    etext = Layout::KERNBASE + 0x18_0123;
    text_end_exclusive = Layout::KERNBASE + 0x18_1000;
    rodata_end_exclusive = Layout::KERNBASE + 0x1C_0000;
    edata = Layout::KERNBASE + 0x1D_0456;
    bootstack = BOOT_STACK;
    bootstacktop = BOOT_STACK + Layout::KSTKSIZE;
    loader_copy = Layout::KERNBASE + 0x20_0000;
    end = Layout::KERNBASE + 0x20_0000;
    programs_start = Layout::KERNBASE + 0x1B_0000;
    programs_end_exclusive = Layout::KERNBASE + 0x1B_0000;
}

global_asm!(
    ".bss",
    ".balign 4096",
    ".globl KERNBASE",
    "KERNBASE:",
    ".skip {SHOWN}",
    ".globl symbols_start, symbols_end_exclusive",
    "symbols_start:",
    ".skip {SYMBOLS_ROOM}",
    "symbols_end_exclusive:",
    ".text",
    SHOWN = const Layout::WINDOW_LAST_FRAME,
    SYMBOLS_ROOM = const SYMBOLS_ROOM,
);

/// Makes memory of this process at the heap's addresses, of the window's size. The heap is read and written there
/// directly, not through the simulated tables.
///
/// # Panics
///
/// If the host has something else there.
#[cfg(test)]
pub(crate) fn map_heap() {
    use core::ffi::c_void;
    unsafe extern "C" {
        fn mmap(
            at: *mut c_void,
            size: usize,
            access: i32,
            kind: i32,
            fd: i32,
            offset: i64,
        ) -> *mut c_void;
    }
    /// PROT_READ and PROT_WRITE; MAP_PRIVATE, MAP_ANONYMOUS and MAP_NORESERVE of Linux.
    const ACCESS: i32 = 1 | 2;
    const KIND: i32 = 0x2 | 0x20 | 0x4000;
    let start = core::ptr::without_provenance_mut(Layout::UHEAP as usize);
    // SAFETY: without MAP_FIXED, the host maps only what is free. Nobody else uses these addresses.
    let mapped = unsafe { mmap(start, Layout::WINDOW_SIZE as usize, ACCESS, KIND, -1, 0) };
    assert_eq!(mapped, start, "the heap's addresses are in use");
    mapped.expose_provenance();
}
