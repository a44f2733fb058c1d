//! `make run APP=tour`: an application reads its own page tables through UVPT, and `pages` through
//! UPAGES. Both are mapped read-only, for the user too. On RISC-V there is no UVPT.
#![no_std]
#![no_main]

use kernel::{Format, Layout};
use layout::{GB, MemLayout};
use libjos::mem::addr::VirtAddr;
use libjos::mem::size::Size;
use libjos::paging::format::{Entry, Geometry, Perm};
use libjos::prelude::*;

application!(main);

/// The levels of page tables.
const LEVELS: usize = Format::ROOT as usize + 1;

/// Counts of the page tables' contents.
#[derive(Default)]
struct Found {
    /// Tables, by level.
    tables: [u64; LEVELS],
    /// Pages, by level.
    pages: [u64; LEVELS],
    writable_and_executable: u64,
    /// Mapped bytes, by the name of their region.
    regions: BTreeMap<&'static str, u64>,
}

fn main() -> Result<(), VmError> {
    // An area of the application's own, to look up below.
    let area = VmArea::allocate(3)?;
    area.protect(1..2, Access::Read)?;

    if Layout::SELF_MAP {
        show_tables(&area);
    } else {
        println!("no tables are shown: this machine has no UVPT");
    }
    count_frames();
    Ok(())
}

/// Prints what the page tables hold, and how they map the area.
fn show_tables(area: &VmArea) {
    let mut found = Found::default();
    found.tables[Format::ROOT as usize] = 1;
    visit(Format::ROOT, VirtAddr::new(0), &mut found);
    let tables: Vec<_> = found.tables.iter().rev().map(u64::to_string).collect();
    println!("tables by level: {}", tables.join(" + "));
    let sizes = (0..).map(|level| Size(Format::page_size(level)));
    let pages = sizes.zip(&found.pages).filter(|(size, _)| size.0 <= GB);
    let pages: Vec<_> = pages.map(|(size, count)| format!("of {size}: {count}")).collect();
    println!("pages {}", pages.join(", "));
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
}

/// Counts the entries of the table of `level` whose first entry maps `base`, and of the tables below it.
fn visit(level: u32, base: VirtAddr, found: &mut Found) {
    for index in 0..Format::ENTRIES {
        let va = Format::address(level, base, index);
        // UVPT's entry leads back to the root: visiting it would never end.
        if level == Format::ROOT && va == VirtAddr::new(Layout::UVPT) {
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
                    layout::region_of::<Layout>(va.as_u64()).map_or("?", |region| region.name);
                *found.regions.entry(name).or_default() += Format::page_size(level);
            }
            Some(Entry::Absent | Entry::Pending { .. }) | None => {}
        }
    }
}

/// Checks that the root's entry at UVPT leads to the root itself, by which the tables show themselves.
fn directory_shows_itself() {
    let uvpt = VirtAddr::new(Layout::UVPT);
    let at = tables::uvpt(Format::ROOT, uvpt);
    if let (Some(Entry::Table { pa, .. }), Some(Entry::Leaf(leaf))) =
        (tables::entry(Format::ROOT, uvpt), tables::entry(0, at))
    {
        println!("the directory maps itself: {}, {}", pa == leaf.pa, leaf.perm);
    }
}

/// Counts frames by their records at UPAGES, and compares with the allocator's own count.
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
