//! [`Kernel`]: reads a linked kernel's ELF symbols and DWARF.

use std::error::Error;
use std::path::PathBuf;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use libjos::symtab::{Builder, SourceFrame};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use crate::names::{file_name, function_name, is_in_library};

/// A linked kernel.
pub(crate) struct Kernel<'a> {
    file: object::File<'a>,
    dwarf: Context<EndianSlice<'a, LittleEndian>>,
    /// The project's folder, which the names of its files leave out.
    root: PathBuf,
}

impl<'a> Kernel<'a> {
    /// Parses the `bytes` of a linked kernel's file.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Box<dyn Error>> {
        let file = object::File::parse(bytes)?;
        let section = |id: SectionId| -> Result<_, object::Error> {
            let data = file.section_by_name(id.name()).map(|section| section.data());
            Ok(EndianSlice::new(data.transpose()?.unwrap_or_default(), LittleEndian))
        };
        let dwarf = Context::from_dwarf(Dwarf::load(section)?)?;
        Ok(Self { file, dwarf, root: std::env::current_dir()? })
    }

    /// The address and the path of each function, including those at low addresses.
    pub(crate) fn functions(&self) -> Vec<(u64, String)> {
        let symbols = self.file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
        let symbols = symbols.filter(|symbol| symbol.is_definition());
        symbols
            .map(|symbol| (symbol.address(), function_name(symbol.name().unwrap_or_default())))
            .collect()
    }

    /// Adds all functions and variables at high addresses. Code that runs before paging never appears in
    /// a backtrace, and lies too far from the rest.
    pub(crate) fn symbols(&self, builder: &mut Builder) {
        for symbol in self.file.symbols() {
            let wanted = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
            let name = symbol.name().unwrap_or_default();
            // The compiler calls unnamed constants `anon` or `.L` with a number.
            let named = !name.is_empty() && !name.starts_with("anon.") && !name.starts_with('.');
            if wanted && named && self.is_high(symbol.address()) {
                builder.symbol(symbol.address(), symbol.size(), &function_name(name));
            }
        }
    }

    /// Adds the source lines of all code at high addresses.
    pub(crate) fn rows(&self, builder: &mut Builder) -> Result<(), Box<dyn Error>> {
        for section in self.file.sections() {
            if section.kind() != SectionKind::Text || !self.is_high(section.address()) {
                continue;
            }
            let (start, end) = (section.address(), section.address() + section.size());
            let located = self.dwarf.find_location_range(start, end)?;
            let located = located.map(|(address, size, _)| (address, size)).collect();
            for (address, is_located) in cut(start, located) {
                let frames = if is_located { self.frames(address)? } else { Vec::new() };
                builder.row(address, frames);
            }
        }
        Ok(())
    }

    /// Whether `address` is in the upper half, where the kernel runs.
    fn is_high(&self, address: u64) -> bool {
        let bits = if self.file.is_64() { 64 } else { 32 };
        address >> (bits - 1) == 1
    }

    /// The functions that contain `address`, from the innermost out. Functions inlined from Rust's own
    /// library are left out: users look for the caller of `map` or `unwrap`.
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

/// The starts of rows in code that begins at `start`, where the parts `located`, each (address, size),
/// have a known source line. A row begins at each part (true) and at each gap (false), since code
/// without a line does not belong to the line before it.
fn cut(start: u64, mut located: Vec<(u64, u64)>) -> Vec<(u64, bool)> {
    located.sort_by_key(|part| part.0);
    let (mut rows, mut at) = (Vec::new(), start);
    for (address, size) in located {
        if at < address {
            rows.push((at, false));
        }
        rows.push((address, true));
        at = at.max(address + size);
    }
    rows.push((at, false));
    rows
}

#[cfg(test)]
mod tests {
    use libjos::symtab::SymbolTable;

    use super::*;

    #[test]
    fn gaps_have_rows_of_their_own() {
        let (code, gap) = (true, false);
        assert_eq!(cut(100, vec![]), [(100, gap)]);
        assert_eq!(cut(100, vec![(100, 8)]), [(100, code), (108, gap)]);
        assert_eq!(
            cut(100, vec![(104, 4), (108, 2), (120, 10), (140, 1)]),
            [
                (100, gap),
                (104, code),
                (108, code),
                (110, gap),
                (120, code),
                (130, gap),
                (140, code),
                (141, gap)
            ]
        );
    }

    #[test]
    fn units_may_come_in_any_order() {
        let in_order = cut(0, vec![(0, 10), (10, 10), (20, 10)]);
        assert_eq!(cut(0, vec![(20, 10), (0, 10), (10, 10)]), in_order);
        assert_eq!(cut(0, vec![(0, 10), (2, 3)]), [(0, true), (2, true), (10, false)]);
    }

    /// The kernel finds no line in a gap, and finds the line again behind it.
    #[test]
    fn code_in_a_gap_has_no_line() {
        let base = 0xFFFF_FFFF_F010_0000;
        let mut builder = Builder::new();
        builder.symbol(base, 100, "f");
        for (address, is_located) in cut(base, vec![(base, 10), (base + 50, 20)]) {
            let frame = SourceFrame { function: "f".into(), file: "f.rs".into(), line: 7 };
            builder.row(address, if is_located { vec![frame] } else { Vec::new() });
        }
        let bytes = builder.build().unwrap();
        let table = SymbolTable::parse(&bytes).unwrap();
        let line = |offset| {
            let frame = table.frames(base + offset).next().unwrap();
            frame.location.map(|location| location.line)
        };
        for (offset, expected) in [
            (0, Some(7)),
            (9, Some(7)),
            (10, None),
            (49, None),
            (50, Some(7)),
            (69, Some(7)),
            (70, None),
            (99, None),
        ] {
            assert_eq!(line(offset), expected, "{offset}");
        }
    }
}
