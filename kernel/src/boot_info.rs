//! The loader's information: parsed by the crate `boot`, kept here permanently.

use boot::info::PhysWindow;
use boot::{BootInfo, Protocol};
use layout::MemLayout;
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::boot::Boot;
use libjos::mem::memory_map::MemoryMap;
use libjos::mem::reservations::Reservations;
use spin::Once;

use crate::arch::Layout;
use crate::arch::screen::CELLS;
use crate::symbols;
use crate::window;

static BOOT_INFO: Once<BootInfo<'static>> = Once::new();
static MEMORY: Once<MemoryMap> = Once::new();

/// Parses the boot information at physical address `info`.
///
/// # Panics
///
/// If it cannot be used; the message says why.
pub(crate) fn init(magic: u32, info: u32) -> &'static BootInfo<'static> {
    let first = PhysAddr::new(Layout::PHYS_BASE);
    let size = Layout::WINDOW_LAST_FRAME - Layout::PHYS_BASE;
    let start = symbols::kernel_image().text.start;
    let kernel = PhysRange::new(start, symbols::paddr(symbols::loader_copy()));
    let written = [kernel, CELLS.unwrap_or_default()];
    // SAFETY: entry_pgdir and kern_pgdir both map the whole window, permanently. The kernel has written only to
    // `written` yet, and `for_mem_init` keeps the information out of every allocator. The entry code's copy of it lies in
    // the image, where no Rust object lies.
    let window = unsafe { PhysWindow::new(window::at(0), first, size, written) };
    let Some(protocol) = Protocol::from_magic(magic) else {
        panic!("the entry code passed on a loader that it does not know ({magic:#x})");
    };
    BOOT_INFO.call_once(|| match BootInfo::parse(protocol, info.into(), window) {
        Ok(boot_info) => boot_info,
        Err(error) => panic!("JOS64 cannot start: {error}"),
    })
}

/// The parsed boot information.
///
/// # Panics
///
/// Before [`init`].
pub(crate) fn get() -> &'static BootInfo<'static> {
    BOOT_INFO.get().expect("the loader's information is read first of all")
}

/// The machine's memory map, made at the first call. Physical memory from `limit` on is left unused.
#[inline(never)] // a map takes kilobytes of the boot stack while it is made
pub(crate) fn memory(boot_info: &BootInfo<'_>, limit: Option<PhysAddr>) -> &'static MemoryMap {
    MEMORY.call_once(|| MemoryMap::new::<Layout>(boot_info.memory_entries(), limit))
}

/// The input of `mem_init`: `memory`, the kernel's image, and the parts of memory that the loader has filled.
#[must_use]
#[inline(never)] // its temporaries take as much of the boot stack as its result
pub(crate) fn for_mem_init(boot_info: &BootInfo<'_>, memory: &MemoryMap) -> Boot {
    let reserved = boot_info.reserved().map(|part| part.range);
    Boot {
        memory: memory.clone(),
        image: symbols::kernel_image(),
        reserved: Reservations::new(reserved, memory),
    }
}

/// Whether `pa` lies in usable RAM. Before [`memory`] has made the memory map, whether it lies in
/// the kernel.
#[must_use]
pub(crate) fn is_ram(pa: PhysAddr) -> bool {
    match MEMORY.get() {
        Some(memory) => memory.usable().contains(pa),
        None => {
            let image = symbols::kernel_image();
            image.text.start <= pa && pa < image.data.end_exclusive
        }
    }
}

/// Whether a range that the loader has named can be read: `kern_pgdir` shows all of it, as a part of the window or of RAM
/// that is used, and no part of it is the kernel or below 1 MB a device.
#[must_use]
pub(crate) fn is_readable(range: PhysRange) -> bool {
    let part = |start, end| PhysRange::new(PhysAddr::new(start), PhysAddr::new(end));
    let window = part(Layout::PHYS_BASE, Layout::WINDOW_LAST_FRAME);
    let holds = |shown: PhysRange| shown.intersection(&range) == range;
    let is_shown =
        holds(window) || MEMORY.get().is_some_and(|memory| memory.used::<Layout>().any(holds));
    let image = symbols::kernel_image();
    let kernel = PhysRange::new(image.text.start, image.data.end_exclusive);
    let devices = part(Layout::IOPHYSMEM, Layout::EXTPHYSMEM);
    is_shown && ![kernel, devices].iter().any(|other| other.overlaps(&range))
}

#[cfg(test)]
mod tests;
