//! [`Boot`]: the machine as `mem_init` finds it.

use layout::MB;

use crate::mem::addr::PhysRange;
use crate::mem::memory_map::MemoryMap;
use crate::mem::reservations::Reservations;

/// The least RAM, in bytes, that a machine must have in the window at KERNBASE.
pub const MIN_RAM: u64 = 4 * MB;

/// Where the kernel lies in physical memory. Each range is of whole pages, in this order, one
/// behind the other.
#[derive(Clone, Copy, Debug)]
pub struct KernelImage {
    /// The code, from the image's start.
    pub text: PhysRange,
    /// The constants, which are only read.
    pub rodata: PhysRange,
    /// The data, to the image's end.
    pub data: PhysRange,
    /// The memory of the first kernel stack, in `data`; KSTKSIZE bytes.
    pub stack: PhysRange,
}

/// The machine that was booted, as `mem_init` must know it.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The RAM.
    pub memory: MemoryMap,
    /// The kernel.
    pub image: KernelImage,
    /// The loader's memory that must stay: boot information, modules.
    pub reserved: Reservations,
}
