//! [`AddressBits`]: the bits of an address, drawn in boxes: sign, index of each level, offset.

use core::fmt;
use core::marker::PhantomData;

use layout::PGSHIFT;

use libjos::mem::addr::VirtAddr;
use libjos::paging::format::{Format, Geometry};

/// Columns of a field's box, without its edges.
const BOX_COLUMNS: usize = 11;

/// The bits of an address, in boxes. [`address_bits`] makes it.
#[derive(Debug)]
pub struct AddressBits<F> {
    va: VirtAddr,
    /// The level at which the walk ends; all bits below are the offset.
    level: u32,
    format: PhantomData<fn() -> F>,
}

/// The bits of `va`, for a walk that ends at an entry of `level`.
#[must_use]
pub fn address_bits<F: Format>(va: VirtAddr, level: u32) -> AddressBits<F> {
    AddressBits { va, level, format: PhantomData }
}

/// Bits that belong together.
struct BitField {
    kind: BitKind,
    high: u32,
    low: u32,
}

/// The part that a field plays in a walk.
enum BitKind {
    /// Copies of the highest bit that is translated.
    Sign,
    /// The index into the table of this level.
    Index(u32),
    /// The offset in the page.
    Offset,
}

impl<F: Format> AddressBits<F> {
    /// The fields, from the top down.
    fn fields(&self) -> impl Iterator<Item = BitField> {
        let width = if F::VA_BITS == 32 { 32 } else { 64 };
        let sign = BitField { kind: BitKind::Sign, high: width - 1, low: F::VA_BITS };
        let low = |level| PGSHIFT + level * F::INDEX_BITS;
        let indices = (self.level..F::LEVELS).rev().map(move |level| BitField {
            kind: BitKind::Index(level),
            high: low(level + 1) - 1,
            low: low(level),
        });
        let offset = BitField { kind: BitKind::Offset, high: low(self.level) - 1, low: 0 };
        (F::VA_BITS < width).then_some(sign).into_iter().chain(indices).chain([offset])
    }

    /// Draws the upper or the lower edge of all boxes.
    fn write_edge(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().try_for_each(|_| write!(f, "+{:-<BOX_COLUMNS$}", ""))?;
        f.write_str("+\n")
    }
}

impl<F: Format> fmt::Display for AddressBits<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for BitField { high, low, .. } in self.fields() {
            write!(f, " {high:>2}{low:>0$}", BOX_COLUMNS - 2)?;
        }
        f.write_str("\n")?;
        self.write_edge(f)?;
        for BitField { kind, high, low } in self.fields() {
            let value = self.va.as_u64() >> low & (u64::MAX >> (63 - (high - low)));
            match kind {
                BitKind::Index(_) => write!(f, "|{value:^BOX_COLUMNS$}")?,
                _ => write!(f, "|{value:^#BOX_COLUMNS$x}")?,
            }
        }
        f.write_str("|\n")?;
        self.write_edge(f)?;
        for field in self.fields() {
            match field.kind {
                BitKind::Sign => write!(f, " {:^BOX_COLUMNS$}", "sign")?,
                // Centred by hand: a text put together from parts takes no width.
                BitKind::Index(level) => write!(f, "   level {level}  ")?,
                BitKind::Offset => write!(f, " {:^BOX_COLUMNS$}", "offset")?,
            }
        }
        Ok(())
    }
}
