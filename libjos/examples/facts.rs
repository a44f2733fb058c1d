//! Prints, as JSON, what a debugger must know of a machine: the map, the page-table format, and
//! `PageInfo`. `facts ARCH` names the machine as `make` does.
//!
//! `make` writes it to `obj/ARCH/facts.json`, and gdb's `jos` commands (`tools/gdb`) read it there. So
//! they have no copy of any of these facts: bits of entries come from the encoder, letters for
//! permissions from their `Display`, the drawing of the map from `layout`.

use core::marker::PhantomData;
use core::mem::offset_of;
use std::process::ExitCode;

use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE, picture, regions};
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::PageInfo;
use libjos::monitor::explain::note_permissions;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Geometry, Leaf, Perm};
use libjos::paging::word::Word;

/// A row for each constant of the map that is named.
macro_rules! constants {
    ($($name:ident)*) => {
        object([$((stringify!($name), L::$name.to_string())),*])
    };
}

fn main() -> ExitCode {
    let facts = match std::env::args().nth(1).as_deref() {
        Some("x86_64") => facts::<Jos64, X86_64>(),
        Some("i386") => facts::<Jos32, I386>(),
        Some("riscv64") => facts::<JosSv39, Sv39>(),
        _ => {
            eprintln!("usage: facts x86_64|i386|riscv64");
            return ExitCode::FAILURE;
        }
    };
    println!("{facts}");
    ExitCode::SUCCESS
}

/// All facts of the machine with map `L` and format `F`.
fn facts<L: MemLayout, F: Format>() -> String {
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
    object([("map", map), ("format", Facts::<F>::all()), ("page_info", page_info)])
}

/// Everything that can be left out of an entry is left out of that of a page with these.
const PLAIN: Perm = Perm::R.union(Perm::X);

/// The facts of a page-table format, with entries as plain numbers.
struct Facts<F>(PhantomData<F>);

impl<F: Format> Facts<F> {
    /// The entry of a page of `level` at `pa`.
    fn leaf(level: u32, pa: u64, perm: Perm) -> u64 {
        F::leaf(level, PhysAddr::new(pa), perm).to_u64()
    }

    /// The entry of a page at 0.
    fn page(perm: Perm) -> u64 {
        Self::leaf(0, 0, perm)
    }

    /// The entry of a page at 0 that was used.
    fn used(accessed: bool, dirty: bool) -> u64 {
        F::encode(0, &Leaf { pa: PhysAddr::new(0), perm: PLAIN, accessed, dirty }).to_u64()
    }

    /// The entry of a table at `pa`.
    fn table(pa: u64) -> u64 {
        F::table(PhysAddr::new(pa)).to_u64()
    }

    /// The size of level `level`'s pages, whether it may have any, and the bits of their address.
    fn level(level: u32) -> String {
        let last_page = F::PA_END - F::page_size(level);
        let address = Self::leaf(level, last_page, PLAIN) & !Self::leaf(level, 0, PLAIN);
        object([
            ("size", F::page_size(level).to_string()),
            ("page", (F::LEAF_LEVELS >> level & 1).to_string()),
            ("address", address.to_string()),
        ])
    }

    /// The format: its geometry, and which bits mean what, as the encoder sets them.
    fn all() -> String {
        let plain = Self::page(PLAIN);
        let perms = |number: fn(Perm) -> u64| {
            object(Perm::all().iter_names().map(|(name, perm)| (name, number(perm).to_string())))
        };
        let texts = (0..=Perm::all().bits())
            .filter_map(Perm::from_bits)
            .map(|perm| (perm.bits().to_string(), string(perm.to_string())));
        let mut note = String::new();
        note_permissions::<F>(&mut note).expect("a String takes all");
        object([
            ("name", string(F::NAME)),
            ("index_bits", F::INDEX_BITS.to_string()),
            ("entry_bytes", F::Word::BYTES.to_string()),
            ("entry_columns", F::ENTRY_COLUMNS.to_string()),
            ("address_columns", F::ADDRESS_COLUMNS.to_string()),
            ("levels", array((0..F::LEVELS).map(Self::level))),
            ("table_address", (Self::table(F::PA_END - PGSIZE) & !Self::table(0)).to_string()),
            ("present", plain.to_string()),
            ("large", (Self::leaf(1, 0, PLAIN) ^ plain).to_string()),
            ("accessed", (Self::used(true, false) ^ plain).to_string()),
            ("dirty", (Self::used(false, true) ^ plain).to_string()),
            ("perms", perms(|perm| perm.bits().into())),
            // The bits that an entry has to grant a permission, and those that it has to withhold one.
            ("grants", perms(|perm| Self::page(PLAIN | perm) & !Self::page(PLAIN))),
            ("withholds", perms(|perm| Self::page(PLAIN - perm) & !Self::page(PLAIN))),
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
