//! `showmappings`, `map`, `translate`, `vmprint`, which show the mappings.

use core::fmt;

use layout::{Content, MemLayout, Region, regions};

use super::arguments::Arguments;
use super::error::CommandError;
use super::explain::{WalkEnd, address_bits, note_permissions};
use super::extents::{Extent, extents};
use super::frames::pa_columns;
use super::session::Session;
use libjos::machine::Machine;
use libjos::mem::addr::VirtAddr;
use libjos::mem::size::Size;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::Mapping;
use libjos::paging::vmprint::vmprint;

impl Extent {
    /// Writes its addresses, the physical address, permissions, size, and sizes of pages.
    pub(super) fn write<F: Format>(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        let Self { first, last, run } = self;
        let (width, pa_width) = (F::ADDRESS_COLUMNS, pa_columns::<F>());
        write!(f, "{first:#0width$x}-{last:#0width$x} ")?;
        let Some(Mapping { pa, perm, size, smallest, largest, .. }) = run else { return Ok(()) };
        let (pa, size, smallest_size) = (pa.as_u64(), Size(*size), Size(*smallest));
        write!(f, "-> {pa:#0pa_width$x} {perm} {size} {smallest_size:#}")?;
        if smallest < largest {
            write!(f, "-{:#}", Size(*largest))?;
        }
        Ok(())
    }
}

impl<M: Machine> Session<'_, M> {
    /// `showmappings LO [HI]`: the mappings from the page of LO to the page of HI.
    pub(super) fn showmappings<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        let (first, last) = arguments.one_or_two()?;
        let (first, last) = (self.va(first)?, self.va(last.unwrap_or(first))?);
        if first > last {
            let (first, last) = (first.as_u64(), last.as_u64());
            return Err(CommandError::Backward { first, last });
        }
        let first = first.page_start().as_u64();
        let last = last.page_start().as_u64() | (layout::PGSIZE - 1);
        let mut any = false;
        for extent in extents(self.pmap, self.root, first, last) {
            extent.write::<M::Format>(self.out)?;
            writeln!(self.out, "{}", extent.gap::<M::Layout>())?;
            any |= extent.run.is_some();
        }
        if any {
            note_permissions::<M::Format>(self.out)?;
        }
        Ok(())
    }

    /// `map [ID]`: each region of the memory map, and the runs of pages mapped in it.
    pub(super) fn map<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        self.look_at_one(arguments)?;
        let width = M::Format::ADDRESS_COLUMNS;
        let mut wrong = 0;
        for region in regions::<M::Layout>() {
            let Region { name, base, access, .. } = *region;
            writeln!(self.out, "{base:#0width$x} {access} {name}")?;
            if region.content == Content::PageTables {
                self.count_tables(region)?;
                continue;
            }
            for extent in extents(self.pmap, self.root, base, region.last()) {
                let Some(run) = extent.run else { continue };
                let mark = mark::<M::Format>(region, run.perm);
                wrong += usize::from(mark.contains('!'));
                self.out.write_str("  ")?;
                extent.write::<M::Format>(self.out)?;
                writeln!(self.out, "{mark}")?;
            }
        }
        writeln!(self.out, "(W: writable, X: executable, !: not what the map allows there)")?;
        note_permissions::<M::Format>(self.out)?;
        if wrong > 0 {
            writeln!(self.out, "{wrong} runs are not what the map allows")?;
        }
        Ok(())
    }

    /// Counts the pages at UVPT: page tables, and large pages. The processor takes the entry of a large
    /// page for that of a table there, so it looks like a page of the kernel's.
    fn count_tables<'w>(&mut self, region: &Region) -> Result<(), CommandError<'w>> {
        let (mut tables, mut others) = (0, 0);
        for run in extents(self.pmap, self.root, region.base, region.last())
            .filter_map(|extent| extent.run)
        {
            let pages = run.size / layout::PGSIZE;
            if run.perm.contains(Perm::U) { tables += pages } else { others += pages }
        }
        writeln!(self.out, "  {tables} page tables; {others} large pages, seen as if one of them")?;
        Ok(())
    }

    /// `translate VA`: the bits of VA, its walk, and where that leads.
    pub(super) fn translate<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        let va = self.va(arguments.one()?)?;
        let number = va.as_u64();
        let region = layout::region_of::<M::Layout>(number);
        write!(self.out, "{va} in \"{}\"", region.map_or("nowhere", |region| region.name))?;
        self.names.describe(number, self.out)?;
        let walk = self.walk(va);
        let level = if let WalkEnd::Page { level, .. } = walk.end() { level } else { 0 };
        writeln!(self.out, "\n\n{}\n\n{walk}", address_bits::<M::Format>(va, level))?;
        Ok(())
    }

    /// `vmprint [ID]`: every entry of the page directory and of the tables below it.
    pub(super) fn vmprint<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        self.look_at_one(arguments)?;
        let print = vmprint::<M::Format, M>(self.pmap.machine(), self.root);
        // An environment's directory is all others' from UTOP on.
        let is_env = self.root != self.pmap.kern_root();
        let last = if is_env { M::Layout::UTOP - 1 } else { M::Layout::VA_LAST };
        let print = print.up_to(VirtAddr::new(last));
        Ok(write!(self.out, "{print}")?)
    }

    /// The first address of the application's part that is mapped.
    pub(super) fn application_mapping(&self) -> Option<VirtAddr> {
        extents(self.pmap, self.pmap.kern_root(), 0, M::Layout::UTOP - 1)
            .find_map(|extent| Some(extent.run?.va))
    }
}

/// The mark of pages with these permissions in `region`, as `map` explains it. A permission that the
/// format cannot withhold is not wrong.
fn mark<F: Format>(region: &Region, perm: Perm) -> &'static str {
    let kernel_only = region.access.ends_with("--");
    let read_only = !region.access.contains('W');
    let wrong = region.content == Content::Invalid
        || (perm - F::ALWAYS).contains(Perm::W | Perm::X)
        || read_only && perm.contains(Perm::W)
        || kernel_only && perm.contains(Perm::U);
    let marks = [[["", " !"], [" X", " X!"]], [[" W", " W!"], [" WX", " WX!"]]];
    let [w, x] = [Perm::W, Perm::X].map(|letter| usize::from(perm.contains(letter)));
    marks[w][x][usize::from(wrong)]
}

#[cfg(test)]
mod tests;
