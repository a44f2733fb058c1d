//! Boot information of multiboot2 (Multiboot2 specification 2.0, section 3.6).
//!
//! The crate `multiboot2` checks the chain of tags. This module checks the contents of the tags that
//! the kernel uses, since the crate's typed tags panic if a tag has an invalid size.

use core::fmt;

use multiboot2::{BootInformation, TagType};

use super::{BootInfoError, ENTRY_BYTES, LoaderText, PhysWindow, Reserved, Table, u32_at};

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

impl<'a> Multiboot2<'a> {
    pub(super) fn parse(at: u64, window: PhysWindow<'a>) -> Result<Self, BootInfoError> {
        let header = window.aligned(INFORMATION, at, HEADER_BYTES)?;
        let total_size = u64::from(u32_at(header, 0));
        if total_size < HEADER_BYTES {
            return Err(BootInfoError::Truncated { what: INFORMATION, at });
        }
        let bytes = window.aligned(INFORMATION, at, total_size)?;
        // SAFETY: `bytes` covers the whole size that the information states, and does not change
        // during 'a; `load` checks the rest.
        let information = unsafe { BootInformation::load(bytes.as_ptr().cast()) };
        let information =
            information.map_err(|_| BootInfoError::Truncated { what: INFORMATION, at })?;

        let mut memory = None;
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
                _ => {}
            }
        }
        match memory {
            Some(memory) if !memory.bytes.is_empty() => Ok(Self { at, information, memory }),
            _ => Err(BootInfoError::NoMemoryMap { at }),
        }
    }

    pub(super) fn loader(&self) -> Option<LoaderText<'_>> {
        self.payloads(TagType::BootLoaderName).next().map(LoaderText::new)
    }

    pub(super) fn command_line(&self) -> LoaderText<'_> {
        self.payloads(TagType::Cmdline).next().map(LoaderText::new).unwrap_or_default()
    }

    pub(super) fn reserved(&self) -> impl Iterator<Item = Reserved> + Clone {
        let information = Reserved::new(INFORMATION, self.at, self.information.total_size() as u64);
        let modules = self.payloads(TagType::Module).map(|payload| {
            let (start, end) = (u32_at(payload, 0), u32_at(payload, 4));
            Reserved::new("module", u64::from(start), u64::from(end.saturating_sub(start)))
        });
        core::iter::once(information).chain(modules)
    }

    /// The payloads of the tags of one type.
    fn payloads(&self, kind: TagType) -> impl Iterator<Item = &[u8]> + Clone {
        let tags = self.information.tags();
        tags.filter(move |tag| TagType::from(tag.header().typ) == kind).map(|tag| tag.payload())
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
