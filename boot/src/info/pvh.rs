//! Boot information of PVH: `hvm_start_info` and what it points to.
//!
//! The layouts are those of xen/include/public/arch-x86/hvm/start_info.h. All words are little
//! endian, all addresses physical; an address of 0 means that the part is missing.

use super::{
    BootInfo, BootInfoError, ENTRY_BYTES, LoaderText, Parsed, PhysWindow, Protocol, Reserved,
    Table, u32_at, u64_at,
};

/// The first word of `hvm_start_info` (xen/include/public/arch-x86/hvm/start_info.h).
pub const START_INFO_MAGIC: u32 = 0x336E_C578;

const START_INFO: &str = "boot information";
const MEMORY_MAP: &str = "PVH memory map";
const MODULE_LIST: &str = "PVH module list";
const COMMAND_LINE: &str = "PVH command line";

/// Bytes of `hvm_start_info` up to the end of version 0.
const START_INFO_V0_BYTES: u64 = 40;
/// Bytes of `hvm_start_info` from version 1 on, which added the memory map.
const START_INFO_V1_BYTES: u64 = 56;
/// Bytes of an `hvm_modlist_entry`.
const MODULE_BYTES: usize = 32;

/// PVH boot information whose tables can all be read.
#[derive(Debug)]
pub(super) struct Pvh<'a> {
    /// The physical address of `hvm_start_info`.
    at: u64,
    command_line: LoaderText<'a>,
    pub(super) memory: Table<'a>,
    /// The module list: whole entries.
    modules: &'a [u8],
    command_line_at: u64,
    memory_at: u64,
    modules_at: u64,
}

pub(super) fn parse(at: u64, window: PhysWindow<'_>) -> Result<BootInfo<'_>, BootInfoError> {
    let info = window.bytes(START_INFO, at, START_INFO_V0_BYTES)?;
    let (magic, version) = (u32_at(info, 0), u32_at(info, 4));
    if magic != START_INFO_MAGIC {
        let value = u64::from(magic);
        return Err(BootInfoError::Invalid { what: START_INFO, at, value });
    }
    if version == 0 {
        return Err(BootInfoError::NoMemoryMap { at });
    }
    let info = window.bytes(START_INFO, at, START_INFO_V1_BYTES)?;

    let memory_at = u64_at(info, 40);
    let nentries = u64::from(u32_at(info, 48));
    if memory_at == 0 || nentries == 0 {
        return Err(BootInfoError::NoMemoryMap { at });
    }
    // A count of 32 bits times an entry's bytes fits in 64.
    let stride = ENTRY_BYTES;
    let bytes = window.bytes(MEMORY_MAP, memory_at, nentries * stride as u64)?;

    let (nmodules, modules_at) = (u64::from(u32_at(info, 12)), u64_at(info, 16));
    let modules = if nmodules == 0 {
        &[]
    } else {
        window.bytes(MODULE_LIST, modules_at, nmodules * MODULE_BYTES as u64)?
    };

    let command_line_at = u64_at(info, 24);
    let command_line = match command_line_at {
        0 => LoaderText::default(),
        _ => LoaderText::new(window.string(COMMAND_LINE, command_line_at)?),
    };
    let memory = Table { bytes, stride };
    let pvh = Pvh { at, command_line, memory, modules, command_line_at, memory_at, modules_at };
    Ok(BootInfo::new(Protocol::Pvh, command_line, Parsed::Pvh(pvh)))
}

impl Pvh<'_> {
    pub(super) fn reserved(&self) -> impl Iterator<Item = Reserved> + Clone {
        let length = |bytes: &[u8]| bytes.len() as u64;
        let command_line_bytes = match self.command_line_at {
            0 => 0,
            _ => length(self.command_line.as_bytes()) + 1, // and its NUL
        };
        let tables = [
            Reserved::new(START_INFO, self.at, START_INFO_V1_BYTES),
            Reserved::new(MEMORY_MAP, self.memory_at, length(self.memory.bytes)),
            Reserved::new(MODULE_LIST, self.modules_at, length(self.modules)),
            Reserved::new(COMMAND_LINE, self.command_line_at, command_line_bytes),
        ];
        let modules = self.modules.chunks_exact(MODULE_BYTES);
        let modules = modules.map(|m| Reserved::new("module", u64_at(m, 0), u64_at(m, 8)));
        tables.into_iter().filter(|reserved| !reserved.range.is_empty()).chain(modules)
    }
}
