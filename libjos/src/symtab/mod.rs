//! [`SymbolTable`]: the kernel's own names and source lines, looked up without allocating.
//!
//! `tools/build/symtab` makes the table from a linked kernel's symbols and DWARF, by `Builder`
//! (feature `std`), and writes it into the room that `linker.ld` keeps. A backtrace finds function,
//! file and line in it, inlined calls included; the monitor finds addresses by name.
//!
//! The table is bytes, little-endian, in five parts one behind the other:
//!
//! | part | holds |
//! |---|---|
//! | header | magic, base address, the whole size, and the offsets of the other parts |
//! | symbols | 12 bytes each, by address: distance from base, size, name |
//! | marks | 8 bytes each, by address: distance from base, offset in the rows to begin at |
//! | rows | one for each change of file, line or inlining: differences to the row before, in LEB128 |
//! | contexts | one for each inlined call: the function, the place of the call, the context around it |
//! | strings | each once, with its length before it |
//!
//! Every access is checked: a table that is damaged, or missing, names less, and does no harm.

#[cfg(any(test, feature = "std"))]
mod builder;
mod table;
#[cfg(all(test, not(miri)))]
mod tests;

#[cfg(any(test, feature = "std"))]
pub use builder::{Builder, SourceFrame, TooLarge};
pub use table::{CallFrame, Location, Symbol, SymbolTable};
