//! [`Room`]: the place that `linker.ld` keeps for the table, and how the file is made to hold no more
//! of it than is used.
//!
//! The place is two sections at the end of a segment: `.symbols`, which is in the file, and
//! `.symbols_rest`, which is not, so that loaders put zeros there. The linker has made the first as
//! large as a table may become. What the table does not need goes over to the second, by the two
//! section headers and the segment's; addresses and all else stay where they are.

use std::error::Error;

use object::elf::{FileHeader64, PT_LOAD, ProgramHeader64, SectionHeader64};
use object::pod::slice_from_bytes_mut;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{File, LittleEndian, Object, ObjectSection};

/// The section that the table goes into.
const TABLE: &str = ".symbols";
/// The section that has the rest.
const REST: &str = ".symbols_rest";

const LE: LittleEndian = LittleEndian;

/// The place for the table in a linked kernel.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// Indices of the sections.
    table: usize,
    rest: usize,
    address: u64,
    /// Where it begins in the file, and how many bytes there are.
    offset: u64,
    size: u64,
}

impl Room {
    /// The room in the kernel that is `file`.
    pub(crate) fn find(file: &File<'_>) -> Result<Self, Box<dyn Error>> {
        let section = |name| file.section_by_name(name).ok_or_else(|| format!("no section {name}"));
        let (table, rest) = (section(TABLE)?, section(REST)?);
        let (offset, size) = table.file_range().ok_or_else(|| format!("{TABLE} is not in it"))?;
        if table.address() + size != rest.address() {
            return Err(format!("{REST} does not follow {TABLE}").into());
        }
        let (address, [table, rest]) = (table.address(), [table, rest].map(|s| s.index().0));
        Ok(Self { table, rest, address, offset, size })
    }

    /// Bytes of the largest table that there is room for.
    pub(crate) fn size(&self) -> usize {
        self.size as usize
    }

    /// Puts `table`, which there is room for, into the kernel that is `bytes`.
    pub(crate) fn fill(&self, bytes: &mut [u8], table: &[u8]) -> Result<(), Box<dyn Error>> {
        let (used, at) = (table.len() as u64, self.offset as usize);
        bytes[at..at + table.len()].copy_from_slice(table);

        let header = FileHeader64::<LittleEndian>::parse(&*bytes).map_err(|_| "no ELF64 file")?;
        let (sections_at, nr_sections) = (header.e_shoff(LE), header.e_shnum(LE).into());
        let (segments_at, nr_segments) = (header.e_phoff(LE), header.e_phnum(LE).into());

        let place = bytes.get_mut(sections_at as usize..).unwrap_or_default();
        let (sections, _) =
            slice_from_bytes_mut::<SectionHeader64<LittleEndian>>(place, nr_sections)
                .map_err(|()| "the section headers are cut off")?;
        let end = sections[self.rest].sh_addr.get(LE) + sections[self.rest].sh_size.get(LE);
        sections[self.table].sh_size.set(LE, used);
        sections[self.rest].sh_addr.set(LE, self.address + used);
        sections[self.rest].sh_offset.set(LE, self.offset + used);
        sections[self.rest].sh_size.set(LE, end - (self.address + used));

        let place = bytes.get_mut(segments_at as usize..).unwrap_or_default();
        let (segments, _) =
            slice_from_bytes_mut::<ProgramHeader64<LittleEndian>>(place, nr_segments)
                .map_err(|()| "the program headers are cut off")?;
        let loaded = |segment: &&mut ProgramHeader64<LittleEndian>| {
            let (start, size) = (segment.p_offset(LE), segment.p_filesz(LE));
            // Nothing of the segment that is in the file may lie behind the table.
            segment.p_type(LE) == PT_LOAD && start + size == self.offset + self.size
        };
        let segment = segments.iter_mut().find(loaded).ok_or("no segment ends with the table")?;
        let start = segment.p_offset(LE);
        segment.p_filesz.set(LE, self.offset + used - start);
        Ok(())
    }
}
