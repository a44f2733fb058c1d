//! [`SymbolTable`]: reads the table.

use core::fmt;

/// The first bytes of a table.
pub(super) const MAGIC: [u8; 8] = *b"JOS64SYM";
/// Bytes of the header: magic, base, size, and five places.
pub(super) const HEADER_BYTES: usize = 40;
/// Bytes of a symbol.
pub(super) const SYMBOL_BYTES: usize = 12;
/// Bytes of a mark.
pub(super) const MARK_BYTES: usize = 8;

/// The row names another context than the one before.
pub(super) const NEW_CONTEXT: u64 = 1 << 0;
/// The row names another file than the one before.
pub(super) const NEW_FILE: u64 = 1 << 1;
/// The bits of a row's first number that are flags; the rest is the distance in bytes.
pub(super) const ROW_FLAG_BITS: u32 = 2;

/// A function or a variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Symbol<'a> {
    /// Its name, demangled.
    pub name: &'a str,
    /// Its first address.
    pub address: u64,
    /// Bytes; 0 if the size is not known.
    pub size: u64,
}

impl Symbol<'_> {
    /// The last component of the name's path: `page_insert` of
    /// `libjos::paging::mapping::<impl libjos::pmap::Pmap<M>>::page_insert`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(self.name)
    }
}

/// A place in the sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location<'a> {
    /// The file, from the project's root or from its crate's name on.
    pub file: &'a str,
    /// The line, from 1 on.
    pub line: u32,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A line of a backtrace: a function that an address is in, and the place in its source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallFrame<'a> {
    /// The function's name, demangled.
    pub function: &'a str,
    /// The place in the sources, if it is known.
    pub location: Option<Location<'a>>,
    /// Whether the compiler put this function's code into the function of the next frame.
    pub inlined: bool,
}

/// A table: the header's numbers, and the other parts.
#[derive(Clone, Copy, Debug)]
pub struct SymbolTable<'a> {
    base: u64,
    size: usize,
    symbols: &'a [u8],
    marks: &'a [u8],
    rows: &'a [u8],
    contexts: &'a [u8],
    strings: &'a [u8],
}

impl<'a> SymbolTable<'a> {
    /// The table at the start of `bytes`; `None` if there is none, or a part of one.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if *bytes.first_chunk()? != MAGIC {
            return None;
        }
        let word = |index: usize| Some(u32_at(bytes, 16 + 4 * index)? as usize);
        let size = word(0)?;
        let (marks, rows) = (word(1)?, word(2)?);
        let (contexts, strings) = (word(3)?, word(4)?);
        Some(Self {
            base: u64::from_le_bytes(*bytes.get(8..16)?.first_chunk()?),
            size,
            symbols: bytes.get(HEADER_BYTES..marks)?,
            marks: bytes.get(marks..rows)?,
            rows: bytes.get(rows..contexts)?,
            contexts: bytes.get(contexts..strings)?,
            strings: bytes.get(strings..size)?,
        })
    }

    /// Bytes of the whole table.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// All symbols, by address.
    #[must_use]
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = Symbol<'a>> + use<'a> {
        let table = *self;
        (0..self.symbols.len() / SYMBOL_BYTES).map(move |index| table.symbol(index))
    }

    /// The symbol that `address` lies in.
    #[must_use]
    pub fn symbol_at(&self, address: u64) -> Option<Symbol<'a>> {
        let distance = u32::try_from(address.checked_sub(self.base)?).ok()?;
        let above = partition(self.symbols, SYMBOL_BYTES, distance);
        let symbol = self.symbol(above.checked_sub(1)?);
        (address.checked_sub(symbol.address)? < symbol.size).then_some(symbol)
    }

    /// The address of the symbol called `name`, by its whole name or the last component of it. A whole
    /// name goes before a component, and then the lowest address before others.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u64> {
        let whole = self.symbols().find(|symbol| symbol.name == name);
        let found = whole.or_else(|| self.symbols().find(|symbol| symbol.short_name() == name));
        found.map(|symbol| symbol.address)
    }

    /// The functions that `address` is in, if any is known. The first is the one whose source it is;
    /// each may be inlined in the next; the last is the one that was compiled.
    pub fn frames(&self, address: u64) -> impl Iterator<Item = CallFrame<'a>> + use<'a> {
        let table = *self;
        let mut compiled = table.symbol_at(address).map(|symbol| symbol.name);
        let mut place = compiled.and_then(|_| table.row_at(address)).unwrap_or_default();
        core::iter::from_fn(move || {
            let outermost = compiled?;
            let SourceRow { line, file, .. } = place;
            let location = (line != 0).then_some(Location { file: table.string(file), line });
            let function = table.step_out(&mut place);
            if function.is_none() {
                compiled = None;
            }
            let inlined = function.is_some();
            Some(CallFrame { function: function.unwrap_or(outermost), location, inlined })
        })
    }

    /// Steps out of the inlined call that the code at `place` is in, and gives its function.
    fn step_out(&self, place: &mut SourceRow) -> Option<&'a str> {
        if place.context == 0 {
            return None;
        }
        let mut bytes = self.contexts.get(place.context as usize..)?;
        let mut word = || u32::try_from(number(&mut bytes)?).ok();
        let (function, file, line, around) = (word()?, word()?, word()?, word()?);
        // A context comes after the one around it, so the chain has an end.
        let context = if around < place.context { around } else { 0 };
        *place = SourceRow { file, line, context, ..*place };
        Some(self.string(function))
    }

    fn symbol(&self, index: usize) -> Symbol<'a> {
        let at = index * SYMBOL_BYTES;
        let word = |offset| u32_at(self.symbols, at + offset).unwrap_or(0);
        Symbol {
            name: self.string(word(8)),
            address: self.base.wrapping_add(word(0).into()),
            size: word(4).into(),
        }
    }

    /// The string at `offset`; empty if there is none.
    fn string(&self, offset: u32) -> &'a str {
        let text = || {
            let mut rest = self.strings.get(offset as usize..)?;
            let length = usize::try_from(number(&mut rest)?).ok()?;
            core::str::from_utf8(rest.get(..length)?).ok()
        };
        text().unwrap_or_default()
    }

    /// The last row at or below `address`.
    fn row_at(&self, address: u64) -> Option<SourceRow> {
        let distance = u32::try_from(address.checked_sub(self.base)?).ok()?;
        let mark = partition(self.marks, MARK_BYTES, distance).checked_sub(1)? * MARK_BYTES;
        // The rows of a mark end where those of the next one begin.
        let start = u32_at(self.marks, mark + 4)? as usize;
        let end = u32_at(self.marks, mark + MARK_BYTES + 4);
        let end = end.map_or(self.rows.len(), |end| end as usize);
        let mut bytes = self.rows.get(start..end)?;
        let mut row =
            SourceRow { distance: u32_at(self.marks, mark)?.into(), ..SourceRow::default() };
        let mut found = None;
        while row.step(&mut bytes).is_some() && row.distance <= distance.into() {
            found = Some(row);
        }
        found
    }
}

/// The place in the sources that code comes from, from this distance on up to the next row's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct SourceRow {
    /// Bytes from the base.
    distance: u64,
    /// 0 if the source is not known.
    line: u32,
    file: u32,
    /// The inlined call that the code is in; 0 for none.
    context: u32,
}

impl SourceRow {
    /// Goes on to the next row; `None` at the end.
    fn step(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let first = number(bytes)?;
        let zigzag = number(bytes)?;
        let line_step = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        self.distance = self.distance.checked_add(first >> ROW_FLAG_BITS)?;
        self.line = u32::try_from(i64::from(self.line).checked_add(line_step)?).ok()?;
        if first & NEW_CONTEXT != 0 {
            self.context = u32::try_from(number(bytes)?).ok()?;
        }
        if first & NEW_FILE != 0 {
            self.file = u32::try_from(number(bytes)?).ok()?;
        }
        Some(())
    }
}

/// The number of elements of `array` whose first word is at most `limit`. They are sorted by that
/// word, and have `stride` bytes each.
fn partition(array: &[u8], stride: usize, limit: u32) -> usize {
    let (mut low, mut high) = (0, array.len() / stride);
    while low < high {
        let middle = low.midpoint(high);
        match u32_at(array, middle * stride) {
            Some(word) if word <= limit => low = middle + 1,
            _ => high = middle,
        }
    }
    low
}

/// The little-endian word at `offset`.
fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Takes a number in unsigned LEB128 (DWARF 5, 7.6) off the front of `bytes`.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
