//! [`Kernel`]: what a linked kernel says of itself, by its ELF symbols and its DWARF.

use std::error::Error;
use std::path::PathBuf;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use libjos::symtab::{Builder, SourceFrame};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use crate::names::{file_name, function_name, is_in_library};
use crate::room::Room;

/// A linked kernel.
pub(crate) struct Kernel<'a> {
    file: object::File<'a>,
    dwarf: Context<EndianSlice<'a, LittleEndian>>,
    /// Where the project is; the names of its files begin after it.
    root: PathBuf,
}

impl<'a> Kernel<'a> {
    /// Reads the kernel that the file has of which these are the `bytes`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Box<dyn Error>> {
        let file = object::File::parse(bytes)?;
        let section = |id: SectionId| -> Result<_, object::Error> {
            let data = file.section_by_name(id.name()).map(|section| section.data());
            Ok(EndianSlice::new(data.transpose()?.unwrap_or_default(), LittleEndian))
        };
        let dwarf = Context::from_dwarf(Dwarf::load(section)?)?;
        Ok(Self { file, dwarf, root: std::env::current_dir()? })
    }

    /// The place for the table.
    pub(crate) fn room(&self) -> Result<Room, Box<dyn Error>> {
        Room::find(&self.file)
    }

    /// Adds all functions and variables at high addresses: what runs before paging is never in a
    /// backtrace, and lies too far from all else.
    pub(crate) fn symbols(&self, builder: &mut Builder) {
        for symbol in self.file.symbols() {
            let wanted = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
            let name = symbol.name().unwrap_or_default();
            // Constants without a name of their own are called `anon` or `.L`, and a number.
            let named = !name.is_empty() && !name.starts_with("anon.") && !name.starts_with('.');
            if wanted && named && is_high(symbol.address()) {
                builder.symbol(symbol.address(), symbol.size(), &function_name(name));
            }
        }
    }

    /// Adds the source lines of all code at high addresses.
    pub(crate) fn rows(&self, builder: &mut Builder) -> Result<(), Box<dyn Error>> {
        for section in self.file.sections() {
            if section.kind() != SectionKind::Text || !is_high(section.address()) {
                continue;
            }
            let (mut at, end) = (section.address(), section.address() + section.size());
            for (address, size, _) in self.dwarf.find_location_range(at, end)? {
                if at < address {
                    builder.row(at, Vec::new());
                }
                builder.row(address, self.frames(address)?);
                at = address + size;
            }
            builder.row(at, Vec::new());
        }
        Ok(())
    }

    /// What `address` is in, from the innermost function out. What was inlined from Rust's own
    /// library is left out: whoever called `map` or `unwrap` is what people look for.
    fn frames(&self, address: u64) -> Result<Vec<SourceFrame>, Box<dyn Error>> {
        let mut frames = Vec::new();
        let mut in_library = Vec::new();
        let mut found = self.dwarf.find_frames(address).skip_all_loads()?;
        while let Some(frame) = found.next()? {
            let function = match &frame.function {
                Some(function) => function_name(&function.raw_name()?),
                None => String::new(),
            };
            let location = frame.location.as_ref();
            let file = location.and_then(|location| location.file).unwrap_or_default();
            let line = location.and_then(|location| location.line).unwrap_or_default();
            in_library.push(is_in_library(file));
            frames.push(SourceFrame { function, file: file_name(file, &self.root), line });
        }
        // The last one is not inlined.
        if let Some(compiled) = in_library.last_mut() {
            *compiled = false;
        }
        let mut in_library = in_library.into_iter();
        frames.retain(|_| in_library.next() == Some(false));
        Ok(frames)
    }
}

/// Whether `address` is in the upper half, where the kernel runs.
fn is_high(address: u64) -> bool {
    address.cast_signed() < 0
}
