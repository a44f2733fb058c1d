//! The simulated physical memory, which the window shows, and the symbols of `linker.ld`.
//!
//! The window is memory of this process, all zeros at first, at whatever address it has. The other symbols are
//! mere numbers, as on the machine: the kernel lies from 1 MB on. The room for the table of symbols is
//! memory of its own, which a test can fill.

use core::arch::global_asm;

use layout::{MemLayout, PGSIZE};

use super::Layout;

/// The room for the table of symbols, in bytes.
pub(crate) const SYMBOLS_ROOM: usize = 64 << 10;

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
    multiboot2_start = 0x10_0040_u64;
    entry = Layout::KERNBASE + 0x10_0040;
    stext = Layout::KERNBASE + 0x10_0000;
    etext = Layout::KERNBASE + 0x18_0123;
    text_end_exclusive = Layout::KERNBASE + 0x18_1000;
    rodata_end_exclusive = Layout::KERNBASE + 0x1C_0000;
    edata = Layout::KERNBASE + 0x1D_0456;
    bootstack = Layout::KERNBASE + 0x1E_0000;
    bootstacktop = Layout::KERNBASE + 0x1E_0000 + Layout::KSTKSIZE;
    end = Layout::KERNBASE + 0x20_0000;
}

global_asm!(
    ".bss",
    ".balign 4096",
    ".globl KERNBASE",
    "KERNBASE:",
    ".skip {WINDOW}",
    ".globl symbols_start, symbols_end_exclusive",
    "symbols_start:",
    ".skip {SYMBOLS_ROOM}",
    "symbols_end_exclusive:",
    ".text",
    WINDOW = const Layout::WINDOW_SIZE - PGSIZE,
    SYMBOLS_ROOM = const SYMBOLS_ROOM,
);
