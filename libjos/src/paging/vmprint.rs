//! Page tables in print: every entry, as xv6's lab prints them ([`vmprint`]), or folded to a line
//! a run ([`vmprint_folded`]).
//!
//! Both are values that format themselves as they walk, without memory of their own.

use core::fmt;
use core::marker::PhantomData;

use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::size::Size;
use crate::paging::format::{Entry, Format, Geometry};
use crate::paging::mappings::runs;
use crate::paging::word::Word;

/// All entries of a page directory and of the tables below it. [`vmprint`] makes it.
#[derive(Debug)]
pub struct VmPrint<'a, F, Mem> {
    mem: &'a Mem,
    pgdir: PhysAddr,
    last: VirtAddr,
    format: PhantomData<fn() -> F>,
}

/// The tables of format `F` from the root at `pgdir`, in the form that xv6's page-table lab asks
/// for: a line for each entry that is present, with the first address it maps, the entry, and the
/// physical address in it, behind as many ` ..` as it lies deep. A directory's entry for itself
/// is printed, but not followed.
///
/// ```text
/// page table 0x0000000080100000
///  ..0x0000000000000000: pte 0x0000000020040401 pa 0x0000000080101000
///  .. ..0x0000000000000000: pte 0x0000000020040801 pa 0x0000000080102000
///  .. .. ..0x0000000000000000: pte 0x0000000020040c5b pa 0x0000000080103000
///  .. .. ..0x0000000000001000: pte 0x000000002004105b pa 0x0000000080104000
///  .. ..0x0000000000200000: pte 0x00000000201000d7 pa 0x0000000080400000
/// ```
pub fn vmprint<F: Format, Mem: PhysMem>(mem: &Mem, pgdir: PhysAddr) -> VmPrint<'_, F, Mem> {
    VmPrint { mem, pgdir, last: VirtAddr::new(u64::MAX), format: PhantomData }
}

impl<F: Format, Mem: PhysMem> VmPrint<'_, F, Mem> {
    /// Without the entries that map addresses behind `last` alone.
    #[must_use]
    pub fn up_to(self, last: VirtAddr) -> Self {
        Self { last, ..self }
    }

    /// Prints the table of `level` at `table`, which maps the addresses from `base` on.
    fn table(
        &self,
        f: &mut fmt::Formatter<'_>,
        level: u32,
        table: PhysAddr,
        base: VirtAddr,
    ) -> fmt::Result {
        for index in 0..F::ENTRIES {
            let va = F::address(level, base, index);
            if va > self.last {
                break;
            }
            let pte = self.mem.load::<F::Word>(F::slot(table, index));
            let (pa, below) = match F::decode(level, pte) {
                Entry::Absent | Entry::Pending { .. } => continue,
                Entry::Table { pa, .. } => (pa, pa != self.pgdir),
                Entry::Leaf(leaf) => (leaf.pa, false),
            };
            for _ in level..F::LEVELS {
                f.write_str(" ..")?;
            }
            let (va_number, pte, pa_number) = (va.as_u64(), pte.to_u64(), pa.as_u64());
            let (width, digits) = (F::ADDRESS_COLUMNS, F::ENTRY_COLUMNS);
            writeln!(f, "{va_number:#0width$x}: pte {pte:#0digits$x} pa {pa_number:#0width$x}")?;
            if below {
                self.table(f, level - 1, pa, va)?;
            }
        }
        Ok(())
    }
}

impl<F: Format, Mem: PhysMem> fmt::Display for VmPrint<'_, F, Mem> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = F::ADDRESS_COLUMNS;
        writeln!(f, "page table {:#0width$x}", self.pgdir.as_u64())?;
        self.table(f, F::ROOT, self.pgdir, VirtAddr::new(0))
    }
}

/// The runs of pages that a page directory maps. [`vmprint_folded`] makes it.
#[derive(Debug)]
pub struct VmPrintFolded<'a, F, Mem> {
    mem: &'a Mem,
    pgdir: PhysAddr,
    format: PhantomData<fn() -> F>,
}

/// The tables of format `F` from the root at `pgdir`, folded: a line for each run of pages that go on in
/// both address spaces with the same permissions ([`runs`]). It gives the first and last address,
/// permissions, bytes, the size of the pages, and the physical address where the run begins.
///
/// ```text
/// page table 0x0000000080100000
///  ..0x0000000000000000-0x0000000000001fff ur-x- 8 KB of 4 KB pages, pa 0x0000000080103000
///  ..0x0000000000200000-0x00000000003fffff urw-- 2 MB of 2 MB pages, pa 0x0000000080400000
/// ```
pub fn vmprint_folded<F: Format, Mem: PhysMem>(
    mem: &Mem,
    pgdir: PhysAddr,
) -> VmPrintFolded<'_, F, Mem> {
    VmPrintFolded { mem, pgdir, format: PhantomData }
}

impl<F: Format, Mem: PhysMem> fmt::Display for VmPrintFolded<'_, F, Mem> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = F::ADDRESS_COLUMNS;
        writeln!(f, "page table {:#0width$x}", self.pgdir.as_u64())?;
        let (first, last) = (VirtAddr::new(0), VirtAddr::new(u64::MAX));
        for run in runs::<F, Mem>(self.mem, self.pgdir, first, last) {
            let (va, last, pa) = (run.va.as_u64(), run.last().as_u64(), run.pa.as_u64());
            let (size, smallest) = (Size(run.size), Size(run.smallest));
            write!(f, " ..{va:#0width$x}-{last:#0width$x} {} {size} of {smallest}", run.perm)?;
            if run.largest > run.smallest {
                write!(f, " to {}", Size(run.largest))?;
            }
            writeln!(f, " pages, pa {pa:#0width$x}")?;
        }
        Ok(())
    }
}
