//! The loader's description of the machine: three formats, one [`BootInfo`].
//!
//! `multiboot2`, `pvh` and `device_tree` parse; [`PhysWindow`] is how they reach physical memory. Nothing from a
//! loader is trusted: every address is checked before it is read, and a failed check is a
//! [`BootInfoError`] that names the address. The entries of the memory map are passed on raw, with
//! holes and overlaps; [`libjos::mem::memory_map`] turns them into a map.

#[cfg_attr(not(device_tree), path = "no_device_tree.rs")]
mod device_tree;
mod error;
mod multiboot2;
mod pvh;
mod text;
mod window;

#[cfg(test)]
mod tests;

pub use device_tree::DEVICE_TREE_MAGIC;
#[cfg(device_tree)]
pub use device_tree::{DeviceTree, Wire};
pub use error::BootInfoError;
pub use pvh::START_INFO_MAGIC;
pub use text::LoaderText;
pub use window::PhysWindow;

#[cfg(not(device_tree))]
use device_tree::DeviceTree;
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};

/// How the kernel was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// By a multiboot2 loader, such as GRUB.
    Multiboot2,
    /// By a PVH loader, such as `qemu -kernel`.
    Pvh,
    /// By firmware that passes a device tree, such as OpenSBI.
    DeviceTree,
}

impl Protocol {
    /// The protocol whose magic the entry code found.
    #[must_use]
    pub const fn from_magic(magic: u32) -> Option<Self> {
        match magic {
            ::multiboot2::MAGIC => Some(Self::Multiboot2),
            START_INFO_MAGIC => Some(Self::Pvh),
            DEVICE_TREE_MAGIC if cfg!(device_tree) => Some(Self::DeviceTree),
            _ => None,
        }
    }

    /// The name that users know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Multiboot2 => "multiboot2",
            Self::Pvh => "PVH",
            Self::DeviceTree => "device tree",
        }
    }
}

/// Bytes of an entry of the memory map, the same under multiboot2 and PVH: base, length, type.
const ENTRY_BYTES: usize = 24;
/// The type of an entry that is RAM. Both protocols of a PC use the BIOS's numbers (ACPI specification 6.5,
/// table 15.4 "Address Range Types").
const ENTRY_USABLE: u32 = 1;

/// The unchecked entries of the firmware's memory map: they may wrap, overlap, or be empty.
///
/// `mem_init` makes many copies of this on the small boot stack.
#[derive(Clone, Debug)]
pub struct MemoryEntries<'a>(Entries<'a>);

#[derive(Clone, Debug)]
enum Entries<'a> {
    Table(Table<'a>),
    Tree(device_tree::Regions<'a>),
}

impl Iterator for MemoryEntries<'_> {
    type Item = MemoryMapEntry;

    fn next(&mut self) -> Option<MemoryMapEntry> {
        match &mut self.0 {
            Entries::Table(table) => table.next(),
            Entries::Tree(regions) => regions.next(),
        }
    }
}

/// The entries of a PC firmware's memory map.
#[derive(Clone, Debug)]
struct Table<'a> {
    /// Whole entries, `stride` bytes each.
    bytes: &'a [u8],
    stride: usize,
}

impl Iterator for Table<'_> {
    type Item = MemoryMapEntry;

    fn next(&mut self) -> Option<MemoryMapEntry> {
        let (entry, rest) = self.bytes.split_at_checked(self.stride)?;
        self.bytes = rest;
        let kind = match u32_at(entry, 16) {
            ENTRY_USABLE => MemoryKind::Usable,
            _ => MemoryKind::Reserved,
        };
        Some(MemoryMapEntry { base: u64_at(entry, 0), length: u64_at(entry, 8), kind })
    }
}

/// Physical memory that the loader filled for the kernel, and that must not be handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reserved {
    /// A name for the contents.
    pub name: &'static str,
    /// The physical addresses, which may lie outside RAM if the loader says so.
    pub range: PhysRange,
}

impl Reserved {
    fn new(name: &'static str, base: u64, size: u64) -> Self {
        Self { name, range: PhysRange::from_size(PhysAddr::new(base), size) }
    }
}

/// The loader's description of the machine, with every address in it checked.
#[derive(Debug)]
pub struct BootInfo<'a> {
    /// How the kernel was started.
    pub protocol: Protocol,
    /// The kernel's command line; empty if the loader gives none.
    pub command_line: LoaderText<'a>,
    /// The loader's name, if it gives one.
    pub loader: Option<LoaderText<'a>>,
    /// The processor's name, if the loader gives it: the standard and the extensions that a hart follows.
    pub processor: Option<LoaderText<'a>>,
    parsed: Parsed<'a>,
}

/// The description in the format of each protocol.
#[derive(Debug)]
enum Parsed<'a> {
    Multiboot2(multiboot2::Multiboot2<'a>),
    Pvh(pvh::Pvh<'a>),
    #[cfg_attr(not(device_tree), expect(dead_code, reason = "no loader passes one"))]
    DeviceTree(DeviceTree<'a>),
}

impl<'a> BootInfo<'a> {
    /// A description that says no more than this.
    fn new(protocol: Protocol, command_line: LoaderText<'a>, parsed: Parsed<'a>) -> Self {
        Self { protocol, command_line, loader: None, processor: None, parsed }
    }

    /// Parses the boot information at physical address `info`.
    ///
    /// # Errors
    ///
    /// If a part of it cannot be read or is invalid, or if it has no memory map.
    pub fn parse(
        protocol: Protocol,
        info: u64,
        memory: PhysWindow<'a>,
    ) -> Result<Self, BootInfoError> {
        match protocol {
            Protocol::Multiboot2 => multiboot2::parse(info, memory),
            Protocol::Pvh => pvh::parse(info, memory),
            Protocol::DeviceTree => device_tree::parse(info, memory),
        }
    }

    /// The firmware's memory map.
    #[must_use]
    pub fn memory_entries(&self) -> MemoryEntries<'a> {
        MemoryEntries(match &self.parsed {
            Parsed::Multiboot2(info) => Entries::Table(info.memory.clone()),
            Parsed::Pvh(info) => Entries::Table(info.memory.clone()),
            Parsed::DeviceTree(tree) => Entries::Tree(tree.memory_regions()),
        })
    }

    /// The memory that the loader filled for the kernel: the boot information and the modules.
    pub fn reserved(&self) -> impl Iterator<Item = Reserved> + Clone + '_ {
        let (multiboot2, pvh, tree) = match &self.parsed {
            Parsed::Multiboot2(info) => (Some(info), None, None),
            Parsed::Pvh(info) => (None, Some(info), None),
            Parsed::DeviceTree(tree) => (None, None, Some(tree)),
        };
        let multiboot2 = multiboot2.into_iter().flat_map(|info| info.reserved());
        let pvh = pvh.into_iter().flat_map(|info| info.reserved());
        let tree = tree.into_iter().flat_map(|tree| tree.reserved());
        multiboot2.chain(pvh).chain(tree)
    }
}

/// The little-endian word at `offset`, which the caller has checked to lie inside.
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(word)
}

/// The little-endian double word at `offset`, which the caller has checked to lie inside.
fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}
