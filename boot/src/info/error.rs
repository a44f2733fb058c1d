//! The errors of boot information, each with the address of the part that is wrong.

use core::fmt;

/// The reason why boot information cannot be used. `what` names the part in each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootInfoError {
    /// The part lies, wholly or partly, where `entry_pgdir` does not reach.
    OutsideWindow {
        /// The part.
        what: &'static str,
        /// Its physical address.
        at: u64,
        /// Its bytes.
        size: u64,
        /// The bytes of physical memory that can be reached.
        window: u64,
    },
    /// The part lies, wholly or partly, in memory that the kernel writes to: its own, or the screen's.
    Written {
        /// The part.
        what: &'static str,
        /// Its physical address.
        at: u64,
        /// Its bytes.
        size: u64,
    },
    /// The part's address is not the multiple of 8 that the protocol promises.
    Misaligned {
        /// The part.
        what: &'static str,
        /// Its physical address.
        at: u64,
    },
    /// The part is too short for its contents, or the sizes in it do not add up.
    Truncated {
        /// The part.
        what: &'static str,
        /// Its physical address.
        at: u64,
    },
    /// A field has a value that the protocol does not allow.
    Invalid {
        /// The part.
        what: &'static str,
        /// Its physical address.
        at: u64,
        /// The value.
        value: u64,
    },
    /// There is no memory map, or an empty one.
    NoMemoryMap {
        /// The physical address of the boot information.
        at: u64,
    },
    /// The device tree has no memory.
    NoMemoryNode {
        /// The physical address of the tree.
        at: u64,
    },
}

/// Cause and remedy. The kernel prints them after "JOS64 cannot start: ".
impl fmt::Display for BootInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutsideWindow { what, at, size, window } => write!(
                f,
                "the {what} at {at:#x} ({size} bytes) lies outside the {} MB of physical memory \
                 that the entry page tables show; use a loader that puts it lower",
                window.div_ceil(1 << 20)
            ),
            Self::Written { what, at, size } => write!(
                f,
                "the {what} at {at:#x} ({size} bytes) lies in memory that the kernel writes to; use \
                 another loader"
            ),
            Self::Misaligned { what, at } => {
                write!(f, "the {what} at {at:#x} is not aligned to 8 bytes; use another loader")
            }
            Self::Truncated { what, at } => {
                write!(f, "the {what} at {at:#x} is truncated or damaged; use another loader")
            }
            Self::Invalid { what, at, value } => {
                write!(f, "the {what} at {at:#x} is invalid ({value:#x}); use another loader")
            }
            Self::NoMemoryMap { at } => write!(
                f,
                "the boot information at {at:#x} has no memory map; use a loader that gives one \
                 (multiboot2 tag 6, or PVH version 1)"
            ),
            Self::NoMemoryNode { at } => {
                write!(f, "the device tree at {at:#x} has no memory (a node memory with a region)")
            }
        }
    }
}

impl core::error::Error for BootInfoError {}
