//! `memmap`, `pages`, `freelist`: physical memory and its owners.

use layout::{MemLayout, PGSIZE};

use super::arguments::Arguments;
use super::error::CommandError;
use super::session::Session;
use libjos::env::EnvIndex;
use libjos::env::abi::EnvId;
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};
use libjos::mem::pages::{Frame, PageAllocator, PageInfo};
use libjos::mem::size::Size;
use libjos::paging::format::{Entry, Format, Geometry};
use libjos::paging::mappings::leaves;

/// The runs of the free list that `freelist` shows without N.
const DEFAULT_RUNS: u64 = 16;

/// The owner of the frames that page_alloc gives out.
const ALLOCATOR: &str = "page_alloc's";

/// Columns of a physical address in hexadecimal, with its "0x": enough for those below 64 GB, or for all
/// that fit in an entry.
pub(super) fn pa_columns<F: Format>() -> usize {
    F::ADDRESS_COLUMNS.min("0x123456789".len())
}

/// The size of so many pages.
fn size(pages: usize) -> Size {
    Size(pages as u64 * PGSIZE)
}

impl<M: Machine> Session<'_, M> {
    /// The owner of the frame at `pa`, in words.
    fn owner(&self, pa: PhysAddr) -> &'static str {
        let pmap = &*self.pmap;
        let image = pmap.boot().image;
        let hole = PhysRange::new(
            PhysAddr::new(M::Layout::IOPHYSMEM),
            PhysAddr::new(M::Layout::EXTPHYSMEM),
        );
        let page0 = PhysRange::from_size(PhysAddr::new(M::Layout::PHYS_BASE), PGSIZE);
        let window_end = PhysRange::from_size(PhysAddr::new(M::Layout::WINDOW_LAST_FRAME), PGSIZE);
        let pgdir = PhysRange::from_size(pmap.kern_pgdir().address(), PGSIZE);
        let known = [
            (hole, "the hole for devices"),
            (page0, "page 0, never given out"),
            (image.stack, "kernel: stack"),
            (image.text, "kernel: code"),
            (image.rodata, "kernel: constants"),
            (image.data, "kernel: data"),
            (pgdir, "kern_pgdir"),
            (pmap.boot_memory().pages, "the array `pages`"),
            (pmap.boot_memory().runs, "the table of runs beside it"),
        ];
        let usable = pmap.boot().memory.usable();
        if let Some((_, owner)) = known.iter().find(|(range, _)| range.contains(pa)) {
            owner
        } else if pmap.boot().reserved.contains(pa) {
            "the loader's (see kerninfo)"
        } else if !usable.contains(pa) {
            "no RAM"
        } else if window_end.contains(pa) {
            "the window's end, never given out"
        } else {
            ALLOCATOR
        }
    }

    /// `memmap`: the loader's `entries`, and the owners of the memory that `pages` describes.
    pub(super) fn memmap<'w>(
        &mut self,
        arguments: &Arguments<'w>,
        entries: impl Iterator<Item = MemoryMapEntry>,
    ) -> Result<(), CommandError<'w>> {
        arguments.none()?;
        let width = M::Format::ADDRESS_COLUMNS;
        writeln!(self.out, "The loader's memory map:")?;
        for MemoryMapEntry { base, length, kind } in entries {
            let kind = match kind {
                MemoryKind::Usable => "RAM",
                MemoryKind::Reserved => "reserved",
            };
            let size = Size(length);
            match base.checked_add(length.saturating_sub(1)) {
                Some(_) if length == 0 => writeln!(self.out, "  {base:#0width$x} empty, {kind}")?,
                Some(last) => {
                    writeln!(self.out, "  {base:#0width$x}-{last:#0width$x} {kind}, {size}")?;
                }
                None => writeln!(self.out, "  {base:#0width$x} wraps ({length:#x} bytes), {kind}")?,
            }
        }
        writeln!(self.out, "What became of it:")?;
        let npages = self.pmap.pages().npages();
        let frame = |index: usize| Frame::new(index as u32);
        let mut start = 0;
        while start < npages {
            let pages = self.pmap.pages();
            let owner_of = |index| self.owner(pages.page2pa(frame(index)));
            let owner = owner_of(start);
            let end = (start..npages).find(|index| owner_of(*index) != owner).unwrap_or(npages);
            let free = (start..end).filter(|index| pages.info(frame(*index)).is_free()).count();
            let (first, count) = (pages.page2pa(frame(start)).as_u64(), end - start);
            let last = first + (size(count).0 - 1);
            write!(self.out, "  {first:#0width$x}-{last:#0width$x} {owner}")?;
            match owner {
                ALLOCATOR => writeln!(self.out, ": {free} free, {} in use", count - free)?,
                _ => writeln!(self.out, ", {}", size(count))?,
            }
            start = end;
        }
        let totals = self.pmap.boot().memory.totals::<M::Layout>();
        if totals.unused > 0 {
            let (end, unused) = (totals.used_end.as_u64(), Size(totals.unused));
            writeln!(
                self.out,
                "  {end:#0width$x} and above: {unused} of RAM that are left unused"
            )?;
        }
        Ok(())
    }

    /// `pages [PA]`: the number of pages in each state; or one page, and every mapping of it.
    pub(super) fn pages<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        match arguments.at_most_one()? {
            None => self.count_pages(),
            Some(pa) => self.one_page(self.frame(pa)?),
        }
    }

    /// The frame that the physical address `text` lies in.
    pub(super) fn frame<'w>(&self, text: &'w str) -> Result<Frame, CommandError<'w>> {
        let pa = PhysAddr::new(self.value(text)?);
        self.pmap.pages().pa2page(pa).ok_or(CommandError::NoPage { pa })
    }

    fn count_pages<'w>(&mut self) -> Result<(), CommandError<'w>> {
        let (mut free, mut reserved, mut in_use, mut uses) = (0_usize, 0_usize, 0_usize, 0_u64);
        for info in self.pmap.pages().infos() {
            match info.pp_link {
                PageInfo::RESERVED => reserved += 1,
                _ if info.is_free() => free += 1,
                _ => {
                    in_use += 1;
                    uses += u64::from(info.pp_ref());
                }
            }
        }
        let all = self.pmap.pages().npages();
        writeln!(self.out, "{all:>8} pages are described, {}", size(all))?;
        writeln!(self.out, "{free:>8} free, {}", size(free))?;
        writeln!(self.out, "{in_use:>8} in use, with {uses} uses in all (pp_ref)")?;
        writeln!(self.out, "{reserved:>8} reserved: no RAM, the kernel's, the loader's")?;
        Ok(())
    }

    fn one_page<'w>(&mut self, frame: Frame) -> Result<(), CommandError<'w>> {
        let pa = self.pmap.pages().page2pa(frame);
        let info = self.pmap.pages().info(frame);
        writeln!(self.out, "page {pa}, number {} in `pages`", frame.index())?;
        write!(self.out, "  pp_ref {}, pp_link ", info.pp_ref())?;
        match info.pp_link {
            PageInfo::IN_USE => writeln!(self.out, "says: in use")?,
            PageInfo::RESERVED => writeln!(self.out, "says: reserved")?,
            PageInfo::END => writeln!(self.out, "says: free, the last on page_free_list")?,
            next => writeln!(self.out, "says: free, before page number {next}")?,
        }
        writeln!(self.out, "  belongs to: {}", self.owner(pa))?;
        if self.held.contains(frame) {
            writeln!(self.out, "  given out by alloc (counted in pp_ref)")?;
        }
        let level = |root| self.table_level(M::Format::ROOT, root, pa);
        let table = self.directories().find_map(|(env, root)| Some((env, level(root)?)));
        match table {
            None => {}
            Some((EnvId::NONE, level)) => writeln!(self.out, "  is a page table of level {level}")?,
            Some((env, level)) => {
                writeln!(self.out, "  is a page table of level {level}, environment {env}")?;
            }
        }
        writeln!(self.out, "Mappings:")?;
        let mut count = self.mappings_of(pa, EnvId::NONE, self.root)?;
        for index in EnvIndex::all() {
            if let Some(env) = self.record(index) {
                count += self.mappings_of(pa, env.id, env.root)?;
            }
        }
        writeln!(self.out, "  {count} in all, without those at UVPT")?;
        Ok(())
    }

    /// Writes a line for each page that leads to the frame at `pa` in the directory of `env` at `root`. Returns how
    /// many there are.
    fn mappings_of<'w>(
        &mut self,
        pa: PhysAddr,
        env: EnvId,
        root: PhysAddr,
    ) -> Result<usize, CommandError<'w>> {
        // From UTOP on all directories are the kernel's.
        let last = if env == EnvId::NONE { M::Layout::VA_LAST } else { M::Layout::UTOP - 1 };
        let (first, last) = (VirtAddr::new(0), VirtAddr::new(last));
        let width = M::Format::ADDRESS_COLUMNS;
        let mut count = 0;
        for leaf in leaves::<M::Format, M>(self.pmap.machine(), root, first, last) {
            let Some(offset) = pa.as_u64().checked_sub(leaf.pa.as_u64()) else { continue };
            if offset < leaf.size {
                let va = leaf.va.as_u64() + offset;
                let (perm, size) = (leaf.perm, Size(leaf.size));
                write!(self.out, "  {va:#0width$x} {perm} in a {size} page, ")?;
                match env {
                    EnvId::NONE => {
                        let region = layout::region_of::<M::Layout>(va);
                        writeln!(self.out, "\"{}\"", region.map_or("", |region| region.name))?;
                    }
                    env => writeln!(self.out, "environment {env}")?,
                }
                count += 1;
            }
        }
        Ok(count)
    }

    /// The level of the page table at `pa`, if it is the one of `level` at `table` or below that.
    fn table_level(&self, level: u32, table: PhysAddr, pa: PhysAddr) -> Option<u32> {
        if table == pa {
            return Some(level);
        }
        (0..M::Format::ENTRIES).find_map(|index| match self.pmap.entry(level, table, index) {
            Entry::Table { pa: below, .. } if level > 0 && below != table => {
                self.table_level(level - 1, below, pa)
            }
            _ => None,
        })
    }

    /// `freelist [N]`: the first N runs of the free list, in its order.
    pub(super) fn freelist<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        let most = arguments.at_most_one()?.map_or(Ok(DEFAULT_RUNS), |text| self.value(text))?;
        let pages = self.pmap.pages();
        let (nfree, width) = (pages.nfree(), pa_columns::<M::Format>());
        writeln!(self.out, "page_free_list: {nfree} pages, {}", size(nfree))?;
        let mut list = pages.page_free_list().map(|frame| pages.page2pa(frame).as_u64()).peekable();
        let mut shown = 0;
        for _ in 0..most {
            let Some(first) = list.next() else { break };
            let (mut last, mut count) = (first, 1);
            // A run goes up or down: its second page tells which.
            let up = list.peek().is_some_and(|next| *next == first.wrapping_add(PGSIZE));
            let step = if up { PGSIZE } else { PGSIZE.wrapping_neg() };
            while let Some(next) = list.next_if(|next| *next == last.wrapping_add(step)) {
                last = next;
                count += 1;
            }
            match count {
                1 => writeln!(self.out, "  {first:#0width$x}")?,
                _ => {
                    writeln!(self.out, "  {first:#0width$x}, ... {last:#0width$x}: {count} pages")?;
                }
            }
            shown += count;
        }
        let more = nfree.saturating_sub(shown);
        if more > 0 {
            writeln!(self.out, "  and {more} more pages")?;
        }
        Ok(())
    }
}
