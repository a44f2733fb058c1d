//! `showmappings`, `map`, `translate`, `vmprint`: what is mapped where.

use core::fmt;

use layout::{Content, GB, KB, MB, MemLayout, Region, regions};

use super::extents::{Extent, extents};
use super::{Arguments, CommandError, Session};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::size::Size;
use crate::monitor::explain::{Outcome, fields};
use crate::paging::format::Perm;
use crate::paging::mappings::Mapping;
use crate::paging::vmprint::vmprint;

/// Bytes of pages, short enough for a column.
struct PageSize(u64);

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, letter) = match self.0 {
            GB.. => (GB, 'G'),
            MB.. => (MB, 'M'),
            _ => (KB, 'K'),
        };
        write!(f, "{}{letter}", self.0 / unit)
    }
}

/// One extent as a line: addresses, where they lead, permissions, how much, by what pages.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, run } = self;
        write!(f, "{first:#018x}-{last:#018x} ")?;
        let Some(Mapping { pa, perm, size, smallest, largest, .. }) = run else { return Ok(()) };
        let (pa, size, smallest_size) = (pa.as_u64(), Size(*size), PageSize(*smallest));
        write!(f, "-> {pa:#011x} {perm} {size} {smallest_size}")?;
        if smallest < largest {
            write!(f, "-{}", PageSize(*largest))?;
        }
        Ok(())
    }
}

impl<M: Machine> Session<'_, M> {
    /// `showmappings LO [HI]`: what the pages from the one of LO to the one of HI lead to.
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
        for extent in extents(self.pmap, first, last) {
            let gap = if extent.run.is_none() { extent.gap::<M::Layout>() } else { "" };
            writeln!(self.out, "{extent}{gap}")?;
        }
        Ok(())
    }

    /// `map`: each region of the memory map, and what is mapped in it.
    pub(super) fn map<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        arguments.none()?;
        let mut wrong = 0;
        for region in regions::<M::Layout>() {
            let Region { name, base, access, .. } = *region;
            writeln!(self.out, "{base:#018x} {access} {name}")?;
            if region.content == Content::PageTables {
                self.count_tables(region)?;
                continue;
            }
            for extent in extents(self.pmap, base, region.last()) {
                let Some(run) = extent.run else { continue };
                let mark = mark(region, run.perm);
                wrong += usize::from(mark.contains('!'));
                writeln!(self.out, "  {extent}{mark}")?;
            }
        }
        writeln!(self.out, "(W: writable, X: executable, !: not what the map allows there)")?;
        if wrong > 0 {
            writeln!(self.out, "{wrong} runs are not what the map allows")?;
        }
        Ok(())
    }

    /// What UVPT shows: the page tables, and large pages, which look like the kernel's own pages
    /// there because the processor takes their entries for those of tables' pages.
    fn count_tables<'w>(&mut self, region: &Region) -> Result<(), CommandError<'w>> {
        let (mut tables, mut others) = (0, 0);
        for run in extents(self.pmap, region.base, region.last()).filter_map(|extent| extent.run) {
            let pages = run.size / layout::PGSIZE;
            if run.perm.contains(Perm::U) { tables += pages } else { others += pages }
        }
        Ok(writeln!(
            self.out,
            "  {tables} page tables; {others} large pages, seen as if one of them"
        )?)
    }

    /// `translate VA`: the bits of VA, the walk that they make, and where it leads.
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
        let level = match walk.outcome() {
            Outcome::Page { level, .. } => level,
            _ => 0,
        };
        writeln!(self.out, "\n\n{}\n\n{walk}", fields::<M::Format>(va, level))?;
        Ok(())
    }

    /// `vmprint`: every entry of the page directory and of the tables below it.
    pub(super) fn vmprint<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        arguments.none()?;
        let pgdir = self.pgdir();
        let print = vmprint::<M::Format, M>(self.pmap.machine(), pgdir);
        Ok(write!(self.out, "{print}")?)
    }

    /// The first address of the application's part that is mapped.
    pub(super) fn application_mapping(&self) -> Option<VirtAddr> {
        extents(self.pmap, 0, M::Layout::UTOP - 1).find_map(|extent| Some(extent.run?.va))
    }
}

/// What to say of pages with these permissions in `region`.
fn mark(region: &Region, perm: Perm) -> &'static str {
    let kernel_only = region.access.ends_with("--");
    let read_only = !region.access.contains('W');
    let wrong = region.content == Content::Invalid
        || perm.contains(Perm::W | Perm::X)
        || read_only && perm.contains(Perm::W)
        || kernel_only && perm.contains(Perm::U);
    match (perm.contains(Perm::W), perm.contains(Perm::X), wrong) {
        (true, true, _) => " WX!",
        (true, false, true) => " W!",
        (true, false, false) => " W",
        (false, true, true) => " X!",
        (false, true, false) => " X",
        (false, false, true) => " !",
        (false, false, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layout::Jos64;

    #[test]
    fn what_the_map_does_not_allow_is_marked() {
        let region = |va| layout::region_of::<Jos64>(va).unwrap();
        let window = region(Jos64::KERNBASE);
        assert_eq!(mark(window, Perm::KRW), " W");
        assert_eq!(mark(window, Perm::KRX), " X");
        assert_eq!(mark(window, Perm::KR), "");
        assert_eq!(mark(window, Perm::KRW | Perm::X), " WX!");
        assert_eq!(mark(window, Perm::UR), " !");
        assert_eq!(mark(window, Perm::URW), " W!");
        assert_eq!(mark(region(Jos64::UPAGES), Perm::UR), "");
        assert_eq!(mark(region(Jos64::UPAGES), Perm::URW), " W!");
        assert_eq!(mark(region(Jos64::KSTACK - 1), Perm::KR), " !");
        assert_eq!(mark(region(Jos64::UTEXT), Perm::URW), " W");
    }
}
