//! What the loader says about the machine: two formats, one [`BootInfo`].
//!
//! `multiboot2` and `pvh` parse; [`PhysWindow`] is how they reach physical memory. Nothing that a
//! loader says is trusted: every address is checked before it is read, and what does not hold is
//! a [`BootInfoError`] that names the address. What is said about memory is passed on as raw
//! entries, holes, overlaps and all; [`libjos::mem::memory_map`] makes a map of them.

mod error;
mod multiboot2;
mod pvh;
mod text;
mod window;

#[cfg(test)]
mod tests;

pub use error::BootInfoError;
pub use pvh::START_INFO_MAGIC;
pub use text::Text;
pub use window::PhysWindow;

use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};

/// How the kernel was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// By a multiboot2 loader, such as GRUB.
    Multiboot2,
    /// By a PVH loader, such as `qemu -kernel`.
    Pvh,
}

impl Protocol {
    /// The protocol whose magic the entry code found.
    #[must_use]
    pub const fn from_magic(magic: u32) -> Option<Self> {
        match magic {
            ::multiboot2::MAGIC => Some(Self::Multiboot2),
            START_INFO_MAGIC => Some(Self::Pvh),
            _ => None,
        }
    }

    /// What users call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Multiboot2 => "multiboot2",
            Self::Pvh => "PVH",
        }
    }
}

/// Bytes of an entry of the memory map, the same under both protocols: base, length, type.
const ENTRY_BYTES: usize = 24;
/// The type of an entry that is RAM. The numbers are those of the BIOS, which both protocols took
/// over (ACPI specification 6.5, table 15.4 "Address Range Types").
const ENTRY_USABLE: u32 = 1;

/// The entries of the firmware's memory map, as they stand there: they may wrap, overlap, or be empty.
#[derive(Clone, Debug)]
pub struct MemoryEntries<'a> {
    /// Whole entries, `stride` bytes each.
    bytes: &'a [u8],
    stride: usize,
}

impl Iterator for MemoryEntries<'_> {
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
    /// What is there.
    pub name: &'static str,
    /// Where; may lie outside RAM, where the loader says so.
    pub range: PhysRange,
}

impl Reserved {
    fn new(name: &'static str, base: u64, size: u64) -> Self {
        Self { name, range: PhysRange::from_size(PhysAddr::new(base), size) }
    }
}

/// What the loader says, checked so far that all of it can be read.
#[derive(Debug)]
pub struct BootInfo<'a>(Source<'a>);

/// In whose words.
#[derive(Debug)]
enum Source<'a> {
    Multiboot2(multiboot2::Multiboot2<'a>),
    Pvh(pvh::Pvh<'a>),
}

impl<'a> BootInfo<'a> {
    /// Reads what the loader left at physical address `info`.
    ///
    /// # Errors
    ///
    /// Where a part of it cannot be read, or makes no sense, or there is no memory map in it.
    pub fn parse(
        protocol: Protocol,
        info: u64,
        memory: PhysWindow<'a>,
    ) -> Result<Self, BootInfoError> {
        let source = match protocol {
            Protocol::Multiboot2 => {
                Source::Multiboot2(multiboot2::Multiboot2::parse(info, memory)?)
            }
            Protocol::Pvh => Source::Pvh(pvh::Pvh::parse(info, memory)?),
        };
        Ok(Self(source))
    }

    /// How the kernel was started.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match &self.0 {
            Source::Multiboot2(_) => Protocol::Multiboot2,
            Source::Pvh(_) => Protocol::Pvh,
        }
    }

    /// The loader's name, where it gives one.
    #[must_use]
    pub fn loader(&self) -> Option<Text<'_>> {
        match &self.0 {
            Source::Multiboot2(info) => info.loader(),
            Source::Pvh(_) => None,
        }
    }

    /// The kernel's command line; empty where there is none.
    #[must_use]
    pub fn command_line(&self) -> Text<'_> {
        match &self.0 {
            Source::Multiboot2(info) => info.command_line(),
            Source::Pvh(info) => info.command_line,
        }
    }

    /// The firmware's memory map.
    #[must_use]
    pub fn memory_entries(&self) -> MemoryEntries<'a> {
        match &self.0 {
            Source::Multiboot2(info) => info.memory.clone(),
            Source::Pvh(info) => info.memory.clone(),
        }
    }

    /// What the loader filled for the kernel: this information itself and the modules.
    pub fn reserved(&self) -> impl Iterator<Item = Reserved> + Clone + '_ {
        let (multiboot2, pvh) = match &self.0 {
            Source::Multiboot2(info) => (Some(info), None),
            Source::Pvh(info) => (None, Some(info)),
        };
        let multiboot2 = multiboot2.into_iter().flat_map(|info| info.reserved());
        let pvh = pvh.into_iter().flat_map(|info| info.reserved());
        multiboot2.chain(pvh)
    }
}

/// The little-endian word at `offset`, which the caller knows to be inside.
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(word)
}

/// The little-endian double word at `offset`, which the caller knows to be inside.
fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}
