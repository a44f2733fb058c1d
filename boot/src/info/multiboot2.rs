//! Boot information of multiboot2 (Multiboot2 specification 2.0, section 3.6).
//!
//! The crate `multiboot2` checks the chain of tags. This module checks the contents of the tags that
//! the kernel uses, since the crate's typed tags panic if a tag has an invalid size.

use core::fmt;

use multiboot2::{BootInformation, TagType};

use super::{
    BootInfo, BootInfoError, ENTRY_BYTES, LoaderText, Parsed, PhysWindow, Protocol, Reserved,
    Table, u32_at,
};

const INFORMATION: &str = "boot information";
const MEMORY_MAP: &str = "multiboot2 memory map";
const MODULE: &str = "multiboot2 module tag";

/// Bytes of the information before its first tag: its total size, and a reserved word.
const HEADER_BYTES: u64 = 8;
/// Bytes of a tag before its payload: its type and its size.
const TAG_HEADER_BYTES: u64 = 8;

/// Multiboot2 boot information whose chain of tags, memory map and modules were checked.
pub(super) struct Multiboot2<'a> {
    /// The physical address of the information.
    at: u64,
    information: BootInformation<'a>,
    pub(super) memory: Table<'a>,
}

pub(super) fn parse(at: u64, window: PhysWindow<'_>) -> Result<BootInfo<'_>, BootInfoError> {
    let header = window.aligned(INFORMATION, at, HEADER_BYTES)?;
    let total_size = u64::from(u32_at(header, 0));
    if total_size < HEADER_BYTES {
        return Err(BootInfoError::Truncated { what: INFORMATION, at });
    }
    let bytes = window.aligned(INFORMATION, at, total_size)?;
    // SAFETY: `bytes` covers the whole size that the information states, and does not change
    // while the window is there; `load` checks the rest.
    let information = unsafe { BootInformation::load(bytes.as_ptr().cast()) };
    let information =
        information.map_err(|_| BootInfoError::Truncated { what: INFORMATION, at })?;

    let (mut memory, mut loader, mut command_line) = (None, None, None);
    let mut offset = HEADER_BYTES;
    for tag in information.tags() {
        let tag_at = at + offset;
        let payload_at = (offset + TAG_HEADER_BYTES) as usize;
        let payload = &bytes[payload_at..payload_at + tag.payload().len()];
        offset += u64::from(tag.header().size).next_multiple_of(8);
        match TagType::from(tag.header().typ) {
            TagType::Mmap if memory.is_none() => memory = Some(entries(tag_at, payload)?),
            TagType::Module if payload.len() < 8 => {
                return Err(BootInfoError::Truncated { what: MODULE, at: tag_at });
            }
            TagType::BootLoaderName => _ = loader.get_or_insert(LoaderText::new(payload)),
            TagType::Cmdline => _ = command_line.get_or_insert(LoaderText::new(payload)),
            _ => {}
        }
    }
    let memory = memory.filter(|memory: &Table<'_>| !memory.bytes.is_empty());
    let memory = memory.ok_or(BootInfoError::NoMemoryMap { at })?;
    let parsed = Parsed::Multiboot2(Multiboot2 { at, information, memory });
    let command_line = command_line.unwrap_or_default();
    Ok(BootInfo { loader, ..BootInfo::new(Protocol::Multiboot2, command_line, parsed) })
}

impl Multiboot2<'_> {
    pub(super) fn reserved(&self) -> impl Iterator<Item = Reserved> + Clone {
        let information = Reserved::new(INFORMATION, self.at, self.information.total_size() as u64);
        let tags = self.information.tags();
        let modules = tags.filter(|tag| TagType::from(tag.header().typ) == TagType::Module);
        let modules = modules.map(|tag| {
            let (start, end) = (u32_at(tag.payload(), 0), u32_at(tag.payload(), 4));
            Reserved::new("module", u64::from(start), u64::from(end.saturating_sub(start)))
        });
        core::iter::once(information).chain(modules)
    }
}

/// The entries of a memory map tag (section 3.6.8): size and version of an entry come first, and
/// a later version may have longer entries.
fn entries(at: u64, payload: &[u8]) -> Result<Table<'_>, BootInfoError> {
    let Some((header, bytes)) = payload.split_at_checked(8) else {
        return Err(BootInfoError::Truncated { what: MEMORY_MAP, at });
    };
    let stride = u32_at(header, 0) as usize;
    if stride < ENTRY_BYTES || !stride.is_multiple_of(8) {
        return Err(BootInfoError::Invalid { what: MEMORY_MAP, at, value: stride as u64 });
    }
    if !bytes.len().is_multiple_of(stride) {
        return Err(BootInfoError::Truncated { what: MEMORY_MAP, at });
    }
    Ok(Table { bytes, stride })
}

impl fmt::Debug for Multiboot2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multiboot2").field("at", &self.at).finish_non_exhaustive()
    }
}
