//! `make run APP=tour`: an application looks at its own page tables through UVPT, and at `pages`
//! through UPAGES. Both are mapped for the user to read and for nobody to write.
#![no_std]
#![no_main]

use kernel as _;
use layout::{Jos64, MemLayout};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Geometry, Perm};
use libjos::prelude::*;

application!(main);

/// What there is in the page tables.
#[derive(Default)]
struct Found {
    /// Tables, by level.
    tables: [u64; 4],
    /// Pages, by level.
    pages: [u64; 4],
    writable_and_executable: u64,
    /// The largest run of regions' bytes that are mapped, by the region's name.
    regions: BTreeMap<&'static str, u64>,
}

fn main() -> Result<(), VmError> {
    // Something of the application's own, to be found.
    let area = VmArea::allocate(3)?;
    area.protect(1..2, Access::Read)?;

    let mut found = Found::default();
    found.tables[X86_64::ROOT as usize] = 1;
    visit(X86_64::ROOT, VirtAddr::new(0), &mut found);
    let [ptes, pdes, pdpes, pml4] = found.tables;
    println!("tables by level: {pml4} + {pdpes} + {pdes} + {ptes}");
    println!(
        "pages of 4 KB: {}, of 2 MB: {}, of 1 GB: {}",
        found.pages[0], found.pages[1], found.pages[2]
    );
    println!("both writable and executable: {}", found.writable_and_executable);
    for (name, bytes) in &found.regions {
        println!("  {:>9} KB in \"{name}\"", bytes / 1024);
    }

    println!("the area's pages:");
    for page in 0..area.npages() {
        let va = area.base() + page as u64 * PGSIZE;
        let (Some(Entry::Leaf(leaf)), Some(seen)) = (tables::entry(0, va), area.translate(page))
        else {
            println!("  {page}: not found");
            continue;
        };
        let frame = (leaf.pa.as_u64() / PGSIZE) as usize;
        let pp_ref = tables::page_info(frame).map_or(0, |info| info.pp_ref());
        println!(
            "  {page}: {} pp_ref {pp_ref}, as translate says: {}",
            leaf.perm,
            leaf.pa == seen.pa
        );
    }
    directory_shows_itself();
    count_frames();
    Ok(())
}

/// Goes through the table of `level` whose first entry maps `base`, and all below it.
fn visit(level: u32, base: VirtAddr, found: &mut Found) {
    for index in 0..X86_64::ENTRIES {
        let va = X86_64::address(level, base, index);
        // There the tables are seen as pages: this would go round in circles.
        if level == X86_64::ROOT && va == VirtAddr::new(Jos64::UVPT) {
            continue;
        }
        match tables::entry(level, va) {
            Some(Entry::Table { .. }) => {
                found.tables[level as usize - 1] += 1;
                visit(level - 1, va, found);
            }
            Some(Entry::Leaf(leaf)) => {
                found.pages[level as usize] += 1;
                let both = leaf.perm.contains(Perm::W | Perm::X);
                found.writable_and_executable += u64::from(both);
                let name =
                    layout::region_of::<Jos64>(va.as_u64()).map_or("?", |region| region.name);
                *found.regions.entry(name).or_default() += X86_64::page_size(level);
            }
            Some(Entry::Absent | Entry::Pending { .. }) | None => {}
        }
    }
}

/// The entry that makes all this work leads to the table that it is in.
fn directory_shows_itself() {
    let uvpt = VirtAddr::new(Jos64::UVPT);
    let at = tables::uvpt(X86_64::ROOT, uvpt);
    if let (Some(Entry::Table { pa, .. }), Some(Entry::Leaf(leaf))) =
        (tables::entry(X86_64::ROOT, uvpt), tables::entry(0, at))
    {
        println!("the directory maps itself: {}, {}", pa == leaf.pa, leaf.perm);
    }
}

/// Counts frames, and holds what UPAGES says against the allocator's own count.
fn count_frames() {
    let now = memory_use();
    let (mut free, mut in_use, mut reserved) = (0, 0, 0);
    for info in (0..now.total_pages).filter_map(tables::page_info) {
        match (info.is_free(), info.pp_link == libjos::mem::pages::PageInfo::IN_USE) {
            (true, _) => free += 1,
            (_, true) => in_use += 1,
            _ => reserved += 1,
        }
    }
    println!("frames: {free} free, {in_use} in use, {reserved} reserved");
    println!("as the allocator counts: {}", now.free_pages == free);
}
