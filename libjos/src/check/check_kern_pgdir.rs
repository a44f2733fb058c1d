//! `check_kern_pgdir`: the proof that the kernel's part of the address space is as it must be.
//!
//! It translates every page of the map by a walk of its own. Each must lead to the frame, and with the
//! permissions, that JOS's memory map gives. Between the regions nothing may be mapped
//! ([`mappings`](crate::paging::mappings)), not even the page tables a second time. The expected map is
//! spelled out here once more, not read from the table that `mem_init` maps by.

use core::fmt;

use layout::{MemLayout, PGSIZE};

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{Frame, PageAllocator, PageInfo};
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::mappings::{Mapping, runs_and_tables};
use crate::paging::pgdir::WordOf;
use crate::paging::word::Word;

/// Where a virtual address leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Translation {
    /// The physical address.
    pub(crate) pa: PhysAddr,
    /// The permissions that the tables on the way and the leaf all grant.
    pub(crate) perm: Perm,
}

impl fmt::Display for Translation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pa, self.perm)
    }
}

/// The result of [`Checks::check_va2pa`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Bytes that the entry at the walk's end maps, or leaves unmapped.
    pub(crate) span: u64,
    /// Where the address leads, if it does.
    pub(crate) to: Option<Translation>,
}

impl<M: Machine> Checks<'_, M> {
    /// Translates `va` as a processor does (JOS's `check_va2pa`).
    ///
    /// It runs for every page, and is inlined so that the compiler unrolls the loop and knows the level at each turn.
    #[inline(always)]
    pub(crate) fn check_va2pa(&self, va: u64) -> Found {
        let mut table = self.kern_pgdir.address();
        let mut allowed = Perm::all();
        for level in (0..M::Format::LEVELS).rev() {
            let span = M::Format::page_size(level);
            let index = va / span % M::Format::ENTRIES as u64;
            let at = table + index * WordOf::<M>::BYTES;
            match M::Format::decode(level, self.vm.machine().load(at)) {
                Entry::Absent | Entry::Pending { .. } => return Found { span, to: None },
                Entry::Table { pa, allows } => {
                    table = pa;
                    allowed &= allows;
                }
                Entry::Leaf(leaf) => {
                    let to = Translation { pa: leaf.pa + va % span, perm: leaf.perm & allowed };
                    return Found { span, to: Some(to) };
                }
            }
        }
        unreachable!("the last level has no tables below it")
    }

    /// Proves that `kern_pgdir` maps what it must and nothing else.
    ///
    /// # Panics
    ///
    /// If it does not, with the region, the address, and the mapping found and expected.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn check_kern_pgdir(&mut self) {
        // These calls cover the address space from the bottom up, without a gap: first the application's part and
        // UENVS.
        let (uenvs, upages) = (M::Layout::UENVS, M::Layout::UPAGES);
        self.assert_unmapped("below UPAGES", 0, M::Layout::LOWER_END - 1);
        if M::Layout::UPPER_START < uenvs {
            self.assert_unmapped("below UPAGES", M::Layout::UPPER_START, uenvs - 1);
        }
        let envs_end = self.check_uenvs();
        self.assert_unmapped("below UPAGES", envs_end, upages - 1);

        let size = (self.vm.pages().npages() * size_of::<PageInfo>()) as u64;
        let pages_end = (upages + size).next_multiple_of(PGSIZE);
        let pages = self.boot_memory.pages.start;
        self.assert_mapped("UPAGES", upages, pages_end - 1, pages, Perm::UR);
        self.check_upages_shows_pages();
        self.assert_unmapped("above pages in UPAGES", pages_end, M::Layout::UVPT - 1);

        let (uvpt, ulim) = (M::Layout::UVPT, M::Layout::ULIM);
        if M::Layout::SELF_MAP {
            self.check_uvpt(M::Format::ROOT, self.kern_pgdir.address(), 0);
        } else {
            self.assert_unmapped("UVPT", uvpt, ulim - 1);
        }

        let (kstack, kstacktop) = (M::Layout::KSTACK, M::Layout::KSTACKTOP);
        let gap = kstack - M::Layout::KSTKGAP;
        let physmap_end = self.check_physmap(ulim);
        self.assert_unmapped("between ULIM and MMIOBASE", physmap_end, M::Layout::MMIOBASE - 1);
        let devices_end = self.check_devices();
        self.assert_unmapped("between MMIOBASE and the kernel stack's gap", devices_end, gap - 1);
        self.assert_unmapped("the gap below the kernel stack", gap, kstack - 1);
        let image = self.vm.boot().image;
        let krw = Perm::KRW | Perm::G;
        self.assert_mapped("kernel stack", kstack, kstacktop - 1, image.stack.start, krw);

        let kernbase = M::Layout::KERNBASE;
        let pa = PhysAddr::new(M::Layout::PHYS_BASE);
        let shown_at = |pa: PhysAddr| kernbase + (pa.as_u64() - M::Layout::PHYS_BASE);
        let (text, rodata) = (shown_at(image.text.start), shown_at(image.rodata.start));
        let data = shown_at(image.rodata.end_exclusive);
        let (krx, kr) = (Perm::KRX | Perm::G, Perm::KR | Perm::G);
        self.assert_mapped("KERNBASE, below the kernel", kernbase, text - 1, pa, krw);
        self.assert_mapped("kernel text", text, rodata - 1, image.text.start, krx);
        self.assert_mapped("kernel rodata", rodata, data - 1, image.rodata.start, kr);
        let last = M::Layout::VA_LAST;
        self.assert_mapped("KERNBASE", data, last, image.rodata.end_exclusive, krw);

        self.vm.machine_mut().print(format_args!("check_kern_pgdir() succeeded!\n"));
    }

    /// Checks that the addresses from MMIOBASE on show the devices, one after another. Returns the first address behind
    /// them.
    fn check_devices(&self) -> u64 {
        let mut va = M::Layout::MMIOBASE;
        for device in self.vm.machine().devices() {
            let last = va + (device.size() - 1);
            self.assert_mapped("devices", va, last, device.start, Perm::KRW | Perm::G);
            va = last + 1;
        }
        va
    }

    /// Checks that PHYSMAP, which begins at `physmap`, shows the RAM above the window, and nothing in
    /// its holes. Returns the first address behind it.
    fn check_physmap(&self, physmap: u64) -> u64 {
        let base = M::Layout::PHYS_BASE;
        let used_end = self.vm.boot().memory.used_end::<M::Layout>().as_u64();
        // The window, and PHYSMAP below `va`, show physical memory up to here.
        let mut shown = base + M::Layout::WINDOW_SIZE;
        let mut va = physmap;
        for run in self.vm.boot().memory.usable().runs() {
            let start = run.start.as_u64().max(shown);
            let end = run.end_exclusive.as_u64().min(used_end);
            if start >= end {
                continue;
            }
            let first = physmap + (start - base);
            let pa = PhysAddr::new(start);
            if va < first {
                self.assert_unmapped("a hole in PHYSMAP", va, first - 1);
            }
            va = physmap + (end - base);
            self.assert_mapped("PHYSMAP", first, va - 1, pa, Perm::KRW | Perm::G);
            shown = end;
        }
        va
    }

    /// Checks that the pages of `[first, last]` lead, with `perm`, to the frames from `pa` on.
    pub(super) fn assert_mapped(
        &self,
        what: &str,
        first: u64,
        last: u64,
        pa: PhysAddr,
        perm: Perm,
    ) {
        let perm = M::Format::effective(perm);
        let mut va = first;
        while va <= last {
            let Found { span, to } = self.check_va2pa(va);
            let expected = Translation { pa: pa + (va - first), perm };
            assert!(
                to == Some(expected),
                "check_kern_pgdir: {what}: {va:#x} must lead to {} {perm}, not to {}",
                expected.pa,
                to.words()
            );
            // One leaf maps all pages up to the next multiple of `span`, so one of them proves the others.
            match (va | (span - 1)).checked_add(1) {
                Some(next) => va = next,
                None => break,
            }
        }
    }

    /// Checks that no page of `[first, last]` is mapped, neither by a leaf nor by a directory's entry for itself.
    fn assert_unmapped(&self, what: &str, first: u64, last: u64) {
        let (first, last) = (VirtAddr::new(first), VirtAddr::new(last));
        let load = |at| Some(self.vm.machine().load(at));
        let mut runs = runs_and_tables::<M::Format>(self.kern_pgdir.address(), first, last, load);
        if let Some(run) = runs.next() {
            let Mapping { va, pa, size, perm, .. } = run.within(first, last);
            panic!(
                "check_kern_pgdir: {what}: {va} must not be mapped, but leads to {pa} {perm}, \
                 {size:#x} bytes"
            );
        }
    }

    /// Checks that UPAGES shows the memory of `pages`: compares one element in each page.
    fn check_upages_shows_pages(&self) {
        let per_page = PGSIZE as usize / size_of::<PageInfo>();
        for index in (0..self.vm.pages().npages()).step_by(per_page) {
            let va = M::Layout::UPAGES + (index * size_of::<PageInfo>()) as u64;
            let to = self.check_va2pa(va).to;
            let half = |pa| self.vm.machine().load::<u32>(pa);
            let seen = to.map(|to| u64::from(half(to.pa)) | u64::from(half(to.pa + 4)) << 32);
            let seen = seen.map(PageInfo::from_word);
            let expected = self.vm.pages().info(Frame::new(index as u32));
            assert!(
                seen == Some(expected),
                "check_kern_pgdir: UPAGES: pages[{index}] is {expected}, but {va:#x} shows {}",
                seen.words()
            );
        }
    }

    /// Checks that UVPT shows, to the user too and read-only, the table of `level` at `table`, and all tables
    /// below it. The table maps the addresses from `base` on.
    fn check_uvpt(&self, level: u32, table: PhysAddr, base: u64) {
        let mut va = base;
        for _ in 0..=level {
            va = self.uvpt_of(va);
        }
        let va = layout::page_round_down(va);
        let expected = Translation { pa: table, perm: M::Format::effective(Perm::UR) };
        let to = self.check_va2pa(va).to;
        assert!(
            to == Some(expected),
            "check_kern_pgdir: UVPT: {va:#x} must show the page table at {expected}, not {}",
            to.words()
        );
        for index in 0..M::Format::ENTRIES {
            if let Entry::Table { pa, .. } = self.vm.entry(level, table, index)
                && pa != self.kern_pgdir.address()
            {
                let base = M::Format::address(level, VirtAddr::new(base), index).as_u64();
                self.check_uvpt(level - 1, pa, base);
            }
        }
    }

    /// The address in UVPT of the level-0 entry for `va` (JOS's `uvpt[PGNUM(va)]`).
    fn uvpt_of(&self, va: u64) -> u64 {
        let pgnum = va % (1 << M::Format::VA_BITS) / PGSIZE;
        M::Layout::UVPT + pgnum * WordOf::<M>::BYTES
    }
}
