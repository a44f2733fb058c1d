//! Prints, as JSON, what a debugger must know of the machine that boots: the map, the page-table
//! format, and `PageInfo`.
//!
//! `make` writes it to `obj/ARCH/facts.json`, and gdb's `jos` commands (`tools/gdb`) read it there. So
//! they have no copy of any of these facts: bits of entries come from the encoder, letters for
//! permissions from their `Display`, the drawing of the map from `layout`.

use core::mem::offset_of;

use layout::{Jos64, MemLayout, PGSIZE, picture, regions};
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::PageInfo;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Geometry, Leaf, Perm};

/// A row for each constant of the map that is named.
macro_rules! constants {
    ($($name:ident)*) => {
        object([$((stringify!($name), Jos64::$name.to_string())),*])
    };
}

fn main() {
    let addresses = constants!(KERNBASE KSTACKTOP KSTACK MMIOLIM MMIOBASE ULIM PHYSMAP UVPT UPAGES
        UENVS UTOP UXSTACKTOP USTACKTOP UHEAP UTEXT UTEMP);
    let sizes = constants!(PTSIZE KSTKSIZE KSTKGAP WINDOW_SIZE PHYSMAP_MAX);
    let physical = constants!(PHYS_BASE IOPHYSMEM EXTPHYSMEM);
    let regions = regions::<Jos64>().map(|region| {
        object([
            ("name", string(region.name)),
            ("base", region.base.to_string()),
            ("last", region.last().to_string()),
            ("access", string(region.access)),
        ])
    });
    let picture = picture::<Jos64>().to_string();
    let map = object([
        ("addresses", addresses),
        ("sizes", sizes),
        ("physical", physical),
        ("PGSIZE", PGSIZE.to_string()),
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
    println!("{}", object([("map", map), ("format", format()), ("page_info", page_info)]));
}

/// Everything that can be left out of an entry is left out of that of a page with these.
const PLAIN: Perm = Perm::R.union(Perm::X);

/// The entry of a page at 0.
fn page(perm: Perm) -> u64 {
    X86_64::leaf(0, PhysAddr::new(0), perm)
}

/// The page-table format: its geometry, and which bits mean what, as the encoder sets them.
fn format() -> String {
    type F = X86_64;
    let leaf = |level, pa| F::leaf(level, PhysAddr::new(pa), PLAIN);
    let used = |accessed, dirty| {
        F::encode(0, &Leaf { pa: PhysAddr::new(0), perm: PLAIN, accessed, dirty })
    };
    let plain = page(PLAIN);
    let perms = |number: fn(Perm) -> u64| {
        object(Perm::all().iter_names().map(|(name, perm)| (name, number(perm).to_string())))
    };
    let table = |pa| F::table(PhysAddr::new(pa));
    let levels = (0..F::LEVELS).map(|level| {
        let last_page = F::PA_END - F::page_size(level);
        object([
            ("size", F::page_size(level).to_string()),
            ("page", (F::LEAF_LEVELS >> level & 1).to_string()),
            ("address", (leaf(level, last_page) & !leaf(level, 0)).to_string()),
        ])
    });
    let texts = (0..=Perm::all().bits())
        .filter_map(Perm::from_bits)
        .map(|perm| (perm.bits().to_string(), string(perm.to_string())));
    object([
        ("name", string(F::NAME)),
        ("index_bits", F::INDEX_BITS.to_string()),
        ("levels", array(levels)),
        ("table_address", (table(F::PA_END - PGSIZE) & !table(0)).to_string()),
        ("present", plain.to_string()),
        ("large", (leaf(1, 0) ^ plain).to_string()),
        ("accessed", (used(true, false) ^ plain).to_string()),
        ("dirty", (used(false, true) ^ plain).to_string()),
        ("perms", perms(|perm| perm.bits().into())),
        // The bits that an entry has to grant a permission, and those that it has to withhold one.
        ("grants", perms(|perm| page(PLAIN | perm) & !page(PLAIN))),
        ("withholds", perms(|perm| page(PLAIN - perm) & !page(PLAIN))),
        ("texts", object(texts)),
    ])
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
