//! [`Builder`]: makes the bytes of a [`SymbolTable`](super::SymbolTable), on the host.

use std::collections::HashMap;
use std::fmt;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::table::{
    HEADER_BYTES, MAGIC, MARK_BYTES, NEW_CONTEXT, NEW_FILE, ROW_FLAG_BITS, SYMBOL_BYTES,
};

/// Rows from one mark to the next: a lookup goes through so many at most.
const ROWS_PER_MARK: usize = 64;

/// A [`CallFrame`](super::CallFrame) that owns its names, as the debugging information has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SourceFrame {
    /// The function's name, demangled.
    pub function: String,
    /// The file.
    pub file: String,
    /// The line; 0 if it is not known.
    pub line: u32,
}

/// An address lies too far from the lowest one, or a part is too large, for 32 bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooLarge {
    /// The part, and the number that is too large.
    pub what: String,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the symbol table cannot hold {}", self.what)
    }
}

impl std::error::Error for TooLarge {}

/// Collects symbols and rows, and makes a table of them.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    symbols: Vec<(u64, u64, String)>,
    rows: Vec<(u64, Vec<SourceFrame>)>,
}

impl Builder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function or a variable.
    pub fn symbol(&mut self, address: u64, size: u64, name: &str) {
        self.symbols.push((address, size, name.into()));
    }

    /// Adds the functions that the code from `address` to the next row is in: first the one whose
    /// source it is, last the one that was compiled; none if they are not known.
    pub fn row(&mut self, address: u64, frames: Vec<SourceFrame>) {
        self.rows.push((address, frames));
    }

    /// The bytes.
    ///
    /// # Errors
    ///
    /// [`TooLarge`].
    pub fn build(mut self) -> Result<Vec<u8>, TooLarge> {
        self.symbols.sort();
        self.symbols.dedup_by(|b, a| a.0 == b.0 && a.2 == b.2);
        self.rows.sort_by_key(|row| row.0);
        self.rows.dedup_by(|next, row| next.1 == row.1);
        let first =
            [self.symbols.first().map(|symbol| symbol.0), self.rows.first().map(|row| row.0)];
        let base = first.into_iter().flatten().min().unwrap_or(u64::MAX);

        let mut pool = Pool::new();
        let mut symbols = Vec::new();
        for (address, size, name) in &self.symbols {
            for word in [address - base, *size, pool.string(name)] {
                push(&mut symbols, word, name)?;
            }
        }
        let (mut marks, mut rows) = (Vec::new(), Vec::new());
        let (mut line, mut state) = (0, (base, 0, 0));
        for (index, (address, frames)) in self.rows.iter().enumerate() {
            if index % ROWS_PER_MARK == 0 {
                push(&mut marks, address - base, "the rows")?;
                push(&mut marks, rows.len() as u64, "the rows")?;
                (line, state) = (0, (*address, 0, 0));
            }
            let (context, file, new_line) = pool.place(frames);
            let flag = |differs, flag| if differs { flag } else { 0 };
            let flags = flag(context != state.1, NEW_CONTEXT) | flag(file != state.2, NEW_FILE);
            leb128(&mut rows, (address - state.0) << ROW_FLAG_BITS | flags);
            let step = i64::from(new_line) - i64::from(line);
            leb128(&mut rows, (step << 1 ^ step >> 63).cast_unsigned());
            if context != state.1 {
                leb128(&mut rows, context);
            }
            if file != state.2 {
                leb128(&mut rows, file);
            }
            (line, state) = (new_line, (*address, context, file));
        }

        let mut parts = [symbols, marks, rows, pool.contexts, pool.strings];
        debug_assert!(parts[0].len().is_multiple_of(SYMBOL_BYTES));
        debug_assert!(parts[1].len().is_multiple_of(MARK_BYTES));
        let mut table: Vec<u8> = MAGIC.into();
        table.extend(base.to_le_bytes());
        let size = HEADER_BYTES + parts.iter().map(Vec::len).sum::<usize>();
        push(&mut table, size as u64, "its size")?;
        let mut at = HEADER_BYTES;
        for part in &parts[..4] {
            at += part.len();
            push(&mut table, at as u64, "its size")?;
        }
        table.resize(HEADER_BYTES, 0);
        parts.iter_mut().for_each(|part| table.append(part));
        Ok(table)
    }
}

/// Strings and inlined calls, each kept once.
struct Pool {
    strings: Vec<u8>,
    string_at: HashMap<String, u64>,
    contexts: Vec<u8>,
    context_at: HashMap<[u64; 4], u64>,
}

impl Pool {
    fn new() -> Self {
        // Place 0 is the empty string, and no context.
        let (strings, contexts) = (Vec::from([0]), Vec::from([0]));
        let string_at = HashMap::from([(String::new(), 0)]);
        Self { strings, string_at, contexts, context_at: HashMap::new() }
    }

    fn string(&mut self, text: &str) -> u64 {
        if let Some(at) = self.string_at.get(text) {
            return *at;
        }
        let at = self.strings.len() as u64;
        leb128(&mut self.strings, text.len() as u64);
        self.strings.extend(text.as_bytes());
        self.string_at.insert(text.into(), at);
        at
    }

    /// The context, the file and the line of a row.
    fn place(&mut self, frames: &[SourceFrame]) -> (u64, u64, u32) {
        let Some(innermost) = frames.first() else { return (0, 0, 0) };
        let mut context = 0;
        for pair in frames.windows(2).rev() {
            let [callee, caller] = pair else { unreachable!("a window of two") };
            let function = self.string(&callee.function);
            let key = [function, self.string(&caller.file), caller.line.into(), context];
            context = *self.context_at.entry(key).or_insert_with(|| {
                let at = self.contexts.len() as u64;
                key.iter().for_each(|number| leb128(&mut self.contexts, *number));
                at
            });
        }
        (context, self.string(&innermost.file), innermost.line)
    }
}

fn push(bytes: &mut Vec<u8>, word: u64, what: &str) -> Result<(), TooLarge> {
    let word = u32::try_from(word).map_err(|_| TooLarge { what: format!("{what}: {word:#x}") })?;
    bytes.extend(word.to_le_bytes());
    Ok(())
}

/// Appends a number in unsigned LEB128 (DWARF 5, 7.6).
fn leb128(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
