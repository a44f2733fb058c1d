//! Prints, as JSON, what a debugger must know of a machine: the map, the page-table format, and
//! `PageInfo`. `facts ARCH` names the machine as `make` does.
//!
//! `make` writes it to `obj/ARCH/facts.json`, and gdb's `jos` commands (`tools/gdb`) read it there. So
//! they have no copy of any of these facts: bits of entries come from the encoder, letters for
//! permissions from their `Display`, the drawing of the map from `layout`.

use core::marker::PhantomData;
use core::mem::offset_of;
use std::process::ExitCode;

use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSHIFT, PGSIZE, picture, regions};
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::PageInfo;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use libjos::paging::word::Word;
use monitor::explain::note_permissions;
use monitor::processor::{Register, riscv};

/// A row for each constant of the map that is named.
macro_rules! constants {
    ($($name:ident)*) => {
        object([$((stringify!($name), L::$name.to_string())),*])
    };
}

fn main() -> ExitCode {
    let facts = match std::env::args().nth(1).as_deref() {
        Some("x86_64") => facts::<Jos64, X86_64>(&[]),
        Some("i386") => facts::<Jos32, I386>(&[]),
        Some("riscv64") => facts::<JosSv39, Sv39>(&[&riscv::SSTATUS, &riscv::SATP]),
        _ => {
            eprintln!("usage: facts x86_64|i386|riscv64");
            return ExitCode::FAILURE;
        }
    };
    println!("{facts}");
    ExitCode::SUCCESS
}

/// All facts of the machine with map `L` and format `F`, and the fields of those of its control registers that gdb
/// knows as numbers alone.
fn facts<L: MemLayout, F: Format>(registers: &[&'static Register]) -> String {
    let addresses = constants!(KERNBASE KSTACKTOP KSTACK MMIOLIM MMIOBASE ULIM PHYSMAP UVPT UPAGES
        UENVS UTOP UXSTACKTOP USTACKTOP UHEAP UTEXT UTEMP);
    let sizes = constants!(PTSIZE KSTKSIZE KSTKGAP WINDOW_SIZE PHYSMAP_MAX);
    let physical = constants!(PHYS_BASE IOPHYSMEM EXTPHYSMEM);
    let regions = regions::<L>().map(|region| {
        object([
            ("name", string(region.name)),
            ("base", region.base.to_string()),
            ("last", region.last().to_string()),
            ("access", string(region.access)),
        ])
    });
    let picture = picture::<L>().to_string();
    let map = object([
        ("addresses", addresses),
        ("sizes", sizes),
        ("physical", physical),
        ("PGSIZE", PGSIZE.to_string()),
        ("last", L::VA_LAST.to_string()),
        ("regions", array(regions)),
        ("picture", array(picture.lines().map(string))),
    ]);
    let page_info = object([
        ("size", size_of::<PageInfo>().to_string()),
        ("pp_link", offset_of!(PageInfo, pp_link).to_string()),
        ("pp_ref_or_prev", offset_of!(PageInfo, pp_ref_or_prev).to_string()),
        ("IN_USE", PageInfo::IN_USE.to_string()),
        ("RESERVED", PageInfo::RESERVED.to_string()),
        ("END", PageInfo::END.to_string()),
    ]);
    let registers = registers.iter().map(|register| (register.name, fields(register)));
    object([
        ("map", map),
        ("format", Facts::<F>::all()),
        ("page_info", page_info),
        ("registers", object(registers)),
    ])
}

/// The fields of a register, each its lowest bit, its width and its name.
fn fields(register: &Register) -> String {
    array(
        register.fields.iter().map(|field| {
            array([field.bit.to_string(), field.width.to_string(), string(field.name)])
        }),
    )
}

/// The entry of a page with these has no more bits than it needs.
const PLAIN: Perm = Perm::R.union(Perm::X);

/// The facts of a page-table format, with entries as plain numbers. Bits are found by trying each one in an entry and
/// decoding that.
struct Facts<F>(PhantomData<F>);

impl<F: Format> Facts<F> {
    /// The entry of a page of `level` at `pa`.
    fn leaf(level: u32, pa: u64, perm: Perm) -> u64 {
        F::leaf(level, PhysAddr::new(pa), perm).to_u64()
    }

    /// The entry of a table at `pa`.
    fn table(pa: u64) -> u64 {
        F::table(PhysAddr::new(pa)).to_u64()
    }

    /// The meaning of an entry.
    fn decode(level: u32, entry: u64) -> Entry {
        F::decode(level, F::Word::from_u64(entry))
    }

    /// The bits of an entry that are true of `test` alone.
    fn bits(test: impl Fn(u64) -> bool) -> u64 {
        (0..8 * F::Word::BYTES).map(|bit| 1 << bit).filter(|bit| test(*bit)).sum()
    }

    /// The bits that an entry of a page must have set, for `says` to be true of it; and those that must be clear.
    fn switches(says: impl Fn(&Leaf) -> bool) -> (u64, u64) {
        let page = |entry| match Self::decode(0, entry) {
            Entry::Leaf(leaf) => Some(says(&leaf)),
            _ => None,
        };
        let plain = Self::leaf(0, 0, PLAIN);
        let both = |bit: u64| Some((page(plain & !bit)?, page(plain | bit)?));
        (
            Self::bits(|bit| both(bit) == Some((false, true))),
            Self::bits(|bit| both(bit) == Some((true, false))),
        )
    }

    /// Whether a table's entry can withhold `perm` from all pages below it.
    fn table_withholds(perm: Perm) -> bool {
        let withholds = |entry| matches!(Self::decode(1, entry), Entry::Table { allows, .. } if !allows.contains(perm));
        Self::bits(|bit| withholds(Self::table(0) ^ bit)) != 0
    }

    /// The size of level `level`'s pages, whether it may have any, the bits of their address, and which entries are
    /// pages: those with one of the bits `leaf`, and perhaps all others.
    fn level(level: u32) -> String {
        let last_page = F::PA_END - F::page_size(level);
        let address = Self::leaf(level, last_page, PLAIN) & !Self::leaf(level, 0, PLAIN);
        let may = F::LEAF_LEVELS >> level & 1;
        let is_page = |entry| may == 1 && matches!(Self::decode(level, entry), Entry::Leaf(_));
        let others = match Self::decode(level, Self::table(0)) {
            Entry::Leaf(_) => "page",
            Entry::Table { .. } => "table",
            Entry::Absent | Entry::Pending { .. } => "absent",
        };
        object([
            ("size", F::page_size(level).to_string()),
            ("page", may.to_string()),
            ("address", address.to_string()),
            (
                "leaf",
                Self::bits(|bit| others != "page" && is_page(Self::table(0) | bit)).to_string(),
            ),
            ("others", string(others)),
        ])
    }

    /// The format: its geometry, and which bits mean what.
    fn all() -> String {
        let perms = |number: fn(Perm) -> u64| {
            object(Perm::all().iter_names().map(|(name, perm)| (name, number(perm).to_string())))
        };
        let texts = (0..=Perm::all().bits())
            .filter_map(Perm::from_bits)
            .map(|perm| (perm.bits().to_string(), string(perm.to_string())));
        let mut note = String::new();
        note_permissions::<F>(&mut note).expect("a String takes all");
        let table_address = Self::table(F::PA_END - PGSIZE) & !Self::table(0);
        object([
            ("name", string(F::NAME)),
            ("index_bits", F::INDEX_BITS.to_string()),
            ("entry_bytes", F::Word::BYTES.to_string()),
            ("entry_columns", F::ENTRY_COLUMNS.to_string()),
            ("address_columns", F::ADDRESS_COLUMNS.to_string()),
            ("levels", array((0..F::LEVELS).map(Self::level))),
            ("table_address", table_address.to_string()),
            // How far to the left of its place in an entry an address has its bits.
            ("address_shift", (PGSHIFT - table_address.trailing_zeros()).to_string()),
            ("present", (Self::table(0) & Self::leaf(0, 0, PLAIN)).to_string()),
            ("accessed", Self::switches(|leaf| leaf.accessed).0.to_string()),
            ("dirty", Self::switches(|leaf| leaf.dirty).0.to_string()),
            ("perms", perms(|perm| perm.bits().into())),
            // The bits that an entry has to grant a permission, and those that it has to withhold one.
            ("grants", perms(|perm| Self::switches(|leaf| leaf.perm.contains(perm)).0)),
            ("withholds", perms(|perm| Self::switches(|leaf| leaf.perm.contains(perm)).1)),
            // 1 for the permissions that a table's entry can withhold.
            ("tables", perms(|perm| Self::table_withholds(perm).into())),
            ("texts", object(texts)),
            // A sentence about a permission that no entry can withhold.
            ("note", string(note.trim_end())),
        ])
    }
}

fn object<K: AsRef<str>>(members: impl IntoIterator<Item = (K, String)>) -> String {
    let members = members.into_iter().map(|(key, value)| format!("\"{}\": {value}", key.as_ref()));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

fn array(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(",\n"))
}

/// A string of plain characters, for which Rust's quotation is JSON's.
fn string(text: impl AsRef<str>) -> String {
    format!("{:?}", text.as_ref())
}
