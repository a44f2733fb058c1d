//! The map drawn in characters, as JOS draws it, from the table of regions.
//!
//! The test `tests/picture.rs` fails if the drawing at the top of a map's file, or the one in the
//! README, differs from this.

use core::fmt;
use core::marker::PhantomData;

use crate::memlayout::{MemLayout, regions};
use crate::{GB, KB, MB};

/// Columns for the names of boundaries, left of the box.
const NAMES_WIDTH: usize = 23;
/// Columns within the box.
const BOX_WIDTH: usize = 27;

/// The drawing of a map, made by [`picture`] and printed by `Display`; at most 76 columns wide.
#[derive(Debug)]
pub struct Picture<L: MemLayout>(PhantomData<L>);

/// The map of `L` as a drawing: each region with the rights of kernel/user and its size, and between
/// the regions their boundaries with names and addresses.
#[must_use]
pub fn picture<L: MemLayout>() -> Picture<L> {
    Picture(PhantomData)
}

/// The names that the map of `L` has for `address`, as JOS writes them: `KERNBASE`, `KSTACKTOP`.
pub fn names_of<L: MemLayout>(address: u64) -> impl Iterator<Item = &'static str> {
    let named = Picture::<L>::BOUNDARIES.iter().filter(move |(_, at)| *at == address);
    named.map(|(name, _)| *name).filter(|name| Picture::<L>::has(name))
}

impl<L: MemLayout> Picture<L> {
    /// The boundaries that have names.
    const BOUNDARIES: [(&'static str, u64); 17] = [
        ("KERNBASE", L::KERNBASE),
        ("KSTACKTOP", L::KSTACKTOP),
        ("KSTACK", L::KSTACK),
        ("MMIOLIM", L::MMIOLIM),
        ("MMIOBASE", L::MMIOBASE),
        ("ULIM", L::ULIM),
        ("PHYSMAP", L::PHYSMAP),
        ("UVPT", L::UVPT),
        ("UPAGES", L::UPAGES),
        ("UENVS", L::UENVS),
        ("UTOP", L::UTOP),
        ("UXSTACKTOP", L::UXSTACKTOP),
        ("USTACKTOP", L::USTACKTOP),
        ("UHEAP", L::UHEAP),
        ("UTEXT", L::UTEXT),
        ("UTEMP", L::UTEMP),
        ("0", 0),
    ];

    /// Whether this machine has the part of the map that begins at this boundary.
    fn has(name: &str) -> bool {
        match name {
            "PHYSMAP" => L::PHYSMAP_MAX != 0,
            "UVPT" => L::SELF_MAP,
            _ => true,
        }
    }

    /// The line between two regions: the names of `address`, and its number.
    fn boundary(f: &mut fmt::Formatter<'_>, address: u64) -> fmt::Result {
        let mut names = Line::default();
        for name in names_of::<L>(address) {
            if !names.text().is_empty() {
                names.push(", ");
            }
            names.push(name);
        }
        write!(f, "{:>NAMES_WIDTH$} +{:-<BOX_WIDTH$}+ ", names.text(), "")?;
        if L::VA_LAST == u64::from(u32::MAX) {
            writeln!(f, "0x{:04x}_{:04x}", address >> 16, address & 0xffff)
        } else {
            let [a, b, c, d] = [48, 32, 16, 0].map(|shift| (address >> shift) & 0xffff);
            writeln!(f, "0x{a:04x}_{b:04x}_{c:04x}_{d:04x}")
        }
    }
}

impl<L: MemLayout> fmt::Display for Picture<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = if L::VA_LAST == u64::MAX { "2^64" } else { "2^32" };
        writeln!(f, "{top:>NAMES_WIDTH$} +{:-<BOX_WIDTH$}+", "")?;
        for region in regions::<L>() {
            write!(f, "{:NAMES_WIDTH$} |{:^BOX_WIDTH$}| {}", "", region.name, region.access)?;
            match [(GB, "GB"), (MB, "MB"), (KB, "KB")]
                .into_iter()
                .find(|(unit, _)| region.size.is_multiple_of(*unit))
            {
                Some((unit, name)) if region.size / unit < 10_000 => {
                    writeln!(f, "  {} {name}", region.size / unit)?;
                }
                _ => writeln!(f)?,
            }
            Self::boundary(f, region.base)?;
        }
        Ok(())
    }
}

/// The names of one boundary, collected without an allocator so that they can be aligned.
#[derive(Default)]
struct Line {
    bytes: [u8; 32],
    len: usize,
}

impl Line {
    fn push(&mut self, text: &str) {
        let end = self.len + text.len();
        self.bytes[self.len..end].copy_from_slice(text.as_bytes());
        self.len = end;
    }

    fn text(&self) -> &str {
        // Only whole strings were copied in.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}
