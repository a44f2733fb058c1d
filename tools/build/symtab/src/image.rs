//! [`Image`]: the kernel's ELF file, with room for the table of symbols.
//!
//! The room for the table is two sections at the end of a segment: `.symbols`, which is in the file, and
//! `.symbols_rest`, which is not, so that loaders fill it with zeros. The linker makes `.symbols` as large
//! as a table may become. The part that the table does not need moves to `.symbols_rest`; addresses and
//! all other loaded bytes stay where they are.

use std::error::Error;

use object::build::elf::{Builder, SectionData, SectionId};
use object::elf::{STB_LOCAL, STT_FUNC};

/// The section for the table.
const TABLE: &str = ".symbols";
/// The section for the unused room.
const REST: &str = ".symbols_rest";

/// A linked kernel's ELF file, to be changed and written.
pub(crate) struct Image<'a> {
    elf: Builder<'a>,
    table: SectionId,
    rest: SectionId,
}

impl<'a> Image<'a> {
    /// Parses the `bytes` of a linked kernel's file.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Box<dyn Error>> {
        let elf = Builder::read(bytes)?;
        let section = |name: &str| {
            let found = elf.sections.iter().find(|section| *section.name == *name.as_bytes());
            found.ok_or_else(|| format!("no section {name}"))
        };
        let (table, rest) = (section(TABLE)?, section(REST)?);
        if table.sh_addr + table.sh_size != rest.sh_addr {
            return Err(format!("{REST} does not follow {TABLE}").into());
        }
        let (table, rest) = (table.id(), rest.id());
        Ok(Self { elf, table, rest })
    }

    /// Bytes of the largest table that fits.
    pub(crate) fn room(&self) -> usize {
        self.elf.sections.get(self.table).sh_size as usize
    }

    /// Puts `table`, which must fit, into the image.
    pub(crate) fn fill(&mut self, table: Vec<u8>) -> Result<(), Box<dyn Error>> {
        let used = table.len() as u64;
        let section = self.elf.sections.get_mut(self.table);
        let (address, offset, size) = (section.sh_addr, section.sh_offset, section.sh_size);
        section.data = SectionData::Data(table.into());

        // The table must be the end of the segment's part in the file.
        let mut segments = self.elf.segments.iter_mut();
        let segment =
            segments.find(|it| it.is_load() && it.p_offset + it.p_filesz == offset + size);
        let segment = segment.ok_or("no segment ends with the table")?;
        segment.p_filesz = offset + used - segment.p_offset;

        // The rest of the file moves up, by whole pages, so that loaders can still map it.
        let spare = (size - used) / self.elf.load_align * self.elf.load_align;
        let sections = self.elf.sections.iter_mut().map(|section| &mut section.sh_offset);
        let segments = self.elf.segments.iter_mut().map(|segment| &mut segment.p_offset);
        sections.chain(segments).filter(|it| **it >= offset + size).for_each(|it| *it -= spare);

        let rest = self.elf.sections.get_mut(self.rest);
        let end = rest.sh_addr + rest.sh_size;
        rest.sh_addr = address + used;
        rest.sh_offset = offset + used;
        rest.data = SectionData::UninitializedData(end - rest.sh_addr);
        Ok(())
    }

    /// Adds a symbol `name` for the function at `address`. It is local and has no size, so that gdb and
    /// objdump still show the function's full name for an address.
    pub(crate) fn call(&mut self, address: u64, name: &'a str) {
        let section = self.elf.sections.iter().find(|section| {
            section.is_alloc()
                && (section.sh_addr..section.sh_addr + section.sh_size).contains(&address)
        });
        let symbol = self.elf.symbols.add();
        symbol.name = name.into();
        symbol.section = section.map(|section| section.id());
        symbol.set_st_info(STB_LOCAL, STT_FUNC);
        symbol.st_value = address;
    }

    /// The bytes of the file.
    pub(crate) fn write(self) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut bytes = Vec::new();
        self.elf.write(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use object::elf::{PT_LOAD, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB};
    use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol};

    use super::*;

    const BASE: u64 = 0xFFFF_FFFF_F010_0000;

    /// A kernel: 16 bytes of code, and room for a table of 64 KB; a segment of data; debugging information.
    fn linked() -> Vec<u8> {
        let mut elf = Builder::new(Endianness::Little, true);
        elf.header.e_phoff = 64;
        let data = |bytes: Vec<u8>| SectionData::Data(bytes.into());
        for (name, kind, start, size, data) in [
            (".text", SHT_PROGBITS, 0, 16, data(vec![0xC3; 16])),
            (TABLE, SHT_PROGBITS, 16, 0x1_0000, data(vec![0; 0x1_0000])),
            (REST, SHT_NOBITS, 0x1_0010, 0xFF0, SectionData::UninitializedData(0xFF0)),
            (".data", SHT_PROGBITS, 0x1_1000, 8, data(vec![7; 8])),
            (".debug_str", SHT_PROGBITS, 0, 0, data(b"said by the compiler".to_vec())),
            (".symtab", SHT_SYMTAB, 0, 0, SectionData::Symbol),
            (".strtab", SHT_STRTAB, 0, 0, SectionData::String),
            (".shstrtab", SHT_STRTAB, 0, 0, SectionData::SectionString),
        ] {
            let section = elf.sections.add();
            (section.name, section.sh_type, section.data) = (name.into(), kind, data);
            section.sh_addralign = 1;
            if size > 0 {
                section.sh_flags = SHF_ALLOC;
                (section.sh_addr, section.sh_offset, section.sh_size) =
                    (BASE + start, 0x1000 + start, size);
            }
        }
        for (start, in_file, size) in [(0, 0x1_0010, 0x1_1000), (0x1_1000, 8, 8)] {
            let segment = elf.segments.add();
            (segment.p_type, segment.p_align) = (PT_LOAD, 0x1000);
            (segment.p_offset, segment.p_filesz) = (0x1000 + start, in_file);
            (segment.p_vaddr, segment.p_memsz) = (BASE + start, size);
        }
        let mut bytes = Vec::new();
        elf.write(&mut bytes).unwrap();
        bytes
    }

    /// Filling in the table keeps every address, and drops the unused room from the file.
    #[test]
    fn the_file_holds_what_is_used() {
        let bytes = linked();
        let mut image = Image::parse(&bytes).unwrap();
        assert_eq!(image.room(), 0x1_0000);
        image.fill(b"table".to_vec()).unwrap();
        image.call(BASE + 8, "mem_init");
        let bytes = image.write().unwrap();
        assert!(bytes.len() < 0x4000, "{}", bytes.len());

        let file = object::File::parse(&*bytes).unwrap();
        let section = |name| file.section_by_name(name).unwrap();
        let place = |name| (section(name).address() - BASE, section(name).size());
        assert_eq!((place(".text"), place(TABLE)), ((0, 16), (16, 5)));
        assert_eq!(place(REST), (21, 0x1_1000 - 21));
        assert_eq!(section(TABLE).data().unwrap(), b"table");
        assert_eq!(section(".debug_str").data().unwrap(), b"said by the compiler");
        let segments = file.segments().map(|it| (it.address() - BASE, it.size(), it.file_range()));
        let expected = [(0, 0x1_1000, (0x1000, 21)), (0x1_1000, 8, (0x3000, 8))];
        assert_eq!(segments.collect::<Vec<_>>(), expected);
        assert_eq!(section(".data").file_range(), Some((0x3000, 8)));
        let symbol = file.symbols().next().unwrap();
        assert_eq!((symbol.name(), symbol.address()), (Ok("mem_init"), BASE + 8));
        assert_eq!(
            (symbol.section_index(), symbol.is_local()),
            (Some(section(".text").index()), true)
        );
    }
}
