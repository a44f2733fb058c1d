//! Symbols: the kernel's bounds, from `linker.ld` and the entry code, and the table of all other names,
//! which `tools/build/symtab` puts into the image.

use layout::MemLayout;
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::boot::KernelImage;
use libjos::symtab::SymbolTable;

use crate::arch::Layout;

/// Defines a function for each address that the linker script or the entry code defines.
macro_rules! symbols {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub(crate) fn $name() -> VirtAddr {
            unsafe extern "C" {
                static $name: u8;
            }
            VirtAddr::new((&raw const $name).addr() as u64)
        }
    )*};
}

symbols! {
    /// The entry point's address in the window.
    entry
    /// The start of the kernel's code, and of its image.
    stext
    /// The end of the code, exact to the byte (JOS's name).
    etext
    /// The end of the code's pages; the constants follow.
    text_end_exclusive
    /// The end of the constants' pages; the data follow.
    rodata_end_exclusive
    /// The end of the initialised data (JOS's name).
    edata
    /// The start of the entry code's copy of the loader's information, which reaches to `end`, on
    /// machines where it makes one.
    loader_copy
    /// The end of the kernel (JOS's name).
    end
    /// The lowest byte of the boot stack.
    bootstack
    /// The end of the boot stack, from which it grows down.
    bootstacktop
}

/// The symbols that the linker script defines, with their addresses.
#[must_use]
pub(crate) fn linker_symbols() -> [(&'static str, VirtAddr); 8] {
    [
        // The symbol `_start` has the name of the start of any host's program.
        ("_start", VirtAddr::new(paddr(entry()).as_u64())),
        ("entry", entry()),
        ("stext", stext()),
        ("etext", etext()),
        ("text_end_exclusive", text_end_exclusive()),
        ("rodata_end_exclusive", rodata_end_exclusive()),
        ("edata", edata()),
        ("end", end()),
    ]
}

/// The name of the kernel's part that `va` lies in, if it lies in one.
#[must_use]
pub(crate) fn part_of(va: VirtAddr) -> Option<&'static str> {
    [
        (stext(), text_end_exclusive(), "code"),
        (text_end_exclusive(), rodata_end_exclusive(), "constants"),
        (rodata_end_exclusive(), end(), "data"),
    ]
    .into_iter()
    .find_map(|(start, end, part)| (start..end).contains(&va).then_some(part))
}

/// The kernel's names and source lines; `None` if the image has none.
#[must_use]
pub(crate) fn table() -> Option<SymbolTable<'static>> {
    unsafe extern "C" {
        static symbols_start: u8;
        static symbols_end_exclusive: u8;
    }
    let start = &raw const symbols_start;
    let size = (&raw const symbols_end_exclusive).addr() - start.addr();
    // SAFETY: the linker script keeps these bytes for the table, among the constants, which are
    // mapped and never written. The compiler makes no assumption about their contents.
    SymbolTable::parse(unsafe { core::slice::from_raw_parts(start, size) })
}

/// The archive of programs that the image carries; empty if it carries none.
#[must_use]
pub(crate) fn programs() -> &'static [u8] {
    unsafe extern "C" {
        static programs_start: u8;
        static programs_end_exclusive: u8;
    }
    let start = &raw const programs_start;
    let size = (&raw const programs_end_exclusive).addr() - start.addr();
    // SAFETY: the linker script puts the archive there, among the constants, which are mapped and never written.
    unsafe { core::slice::from_raw_parts(start, size) }
}

/// The boot stack: the lowest address, and the end.
#[must_use]
pub(crate) fn boot_stack() -> (VirtAddr, VirtAddr) {
    (bootstack(), bootstacktop())
}

/// The physical address that the window shows at `va` (JOS's `PADDR`).
///
/// # Panics
///
/// If `va` lies below the window.
#[must_use]
pub(crate) fn paddr(va: VirtAddr) -> PhysAddr {
    PhysAddr::new(Layout::PHYS_BASE) + (va - VirtAddr::new(Layout::KERNBASE))
}

/// The parts of the kernel in physical memory, as `mem_init` maps them.
#[must_use]
pub(crate) fn kernel_image() -> KernelImage {
    let range = |start, end| PhysRange::new(paddr(start), paddr(end));
    let (stack_start, stack_end) = boot_stack();
    KernelImage {
        text: range(stext(), text_end_exclusive()),
        rodata: range(text_end_exclusive(), rodata_end_exclusive()),
        data: range(rodata_end_exclusive(), end()),
        stack: range(stack_start, stack_end),
    }
}

#[cfg(test)]
mod tests;
