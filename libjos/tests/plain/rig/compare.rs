//! The comparison of the two: they agree on all mappings, all frames, and all of memory.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;

use layout::{MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{PageAllocator, PageInfo};
use libjos::paging::format::{Format, Leaf};
use libjos::paging::mappings::leaves;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use super::Rig;
use crate::plain::census::Census;
use crate::plain::ops::Op;
use crate::plain::{KERNEL, page_size};

/// The mapping of an address: a level and a leaf.
type Mapped = (u32, Leaf);

/// The first address at which the two differ, and what they have there.
fn first_difference(
    found: &BTreeMap<u64, Mapped>,
    expected: &BTreeMap<u64, Mapped>,
) -> Option<(VirtAddr, Option<Mapped>, Option<Mapped>)> {
    if found == expected {
        return None;
    }
    let addresses: BTreeSet<&u64> = found.keys().chain(expected.keys()).collect();
    let va = addresses.into_iter().find(|va| found.get(va) != expected.get(va))?;
    Some((VirtAddr::new(*va), found.get(va).copied(), expected.get(va).copied()))
}

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    /// The last table on the way to `va` has an entry at `at`, and that one is for `va`.
    pub(super) fn is_entry_of(&self, space: usize, va: u64, at: PhysAddr) {
        let census = Census::new(self.pmap.machine(), self.root(space), va >= L::UENVS);
        let table = census.tables[&(1, va / page_size::<F>(1))];
        let index = va / PGSIZE % (1 << F::INDEX_BITS);
        assert_eq!(at, table + index * F::Word::BYTES, "the entry of {va:#x}");
    }

    /// All that is in a frame is as the model has it. (Under Miri, some of it.)
    pub(super) fn compare_contents(&self, pfn: u64) {
        for pa in (pfn * PGSIZE..(pfn + 1) * PGSIZE).step_by(if cfg!(miri) { 512 } else { 8 }) {
            let word: u64 = self.pmap.machine().load(PhysAddr::new(pa));
            assert_eq!(word, self.plain.memory.word(pa), "in memory at {pa:#x}");
        }
    }

    /// Checks that every mapping, every table and every frame is as the model says.
    pub(super) fn compare(&mut self) {
        let machine = self.pmap.machine();
        let root = |space: &ManuallyDrop<AddressSpace>| space.pgdir().address();
        let roots = self.spaces.each_ref().map(|space| space.as_ref().map(root));
        let half = |root| Census::new(machine, root, false);
        let [first, second] = roots.map(|root| root.map(half).unwrap_or_default());
        let mut kernel = Census::new(machine, self.pmap.kern_root(), true);
        kernel.leaves.retain(|va, _| Self::modelled(*va));
        let mut refs: BTreeMap<u64, u32> = self.held.iter().map(|pfn| (*pfn, 1)).collect();
        let pgdirs: Vec<u64> = roots.iter().flatten().map(|root| root.as_u64() / PGSIZE).collect();
        refs.extend(pgdirs.iter().map(|pfn| (*pfn, 1)));
        // The kernel's half hangs from all directories.
        let kernel_links = 1 + pgdirs.len() as u32;
        self.plain.table_frames = pgdirs.into_iter().collect();
        for (i, census) in [first, second, kernel].into_iter().enumerate() {
            let expected = &self.plain.spaces[i];
            let differs = first_difference(&census.leaves, &expected.leaves);
            assert_eq!(differs, None, "space {i}: an address, what is mapped, what is expected");
            assert!(
                census.tables.keys().eq(&expected.tables),
                "space {i}: the tables are {:x?}, expected {:x?}",
                census.tables,
                expected.tables
            );
            for ((level, _), pa) in census.tables {
                let pfn = pa.as_u64() / PGSIZE;
                let links = if i == KERNEL && level == F::LEVELS - 1 { kernel_links } else { 1 };
                assert_eq!(refs.insert(pfn, links), None, "table {pa} is in use elsewhere");
                self.plain.table_frames.insert(pfn);
            }
            // As the tables have it, page by page.
            for (va, (level, leaf)) in census.leaves {
                let first = leaf.pa.as_u64() / PGSIZE;
                for i in 0..page_size::<F>(level) / PGSIZE {
                    if va + i * PGSIZE < L::LOWER_END && self.plain.ram.contains(&(first + i)) {
                        *refs.entry(first + i).or_default() += 1;
                    }
                }
            }
        }
        self.compare_frames(&refs);
        for (pa, word) in self.plain.memory.written() {
            // The contents of a frame that was freed are nobody's.
            let pfn = pa / PGSIZE;
            if !self.plain.ram.contains(&pfn) || self.plain.in_use.contains_key(&pfn) {
                let found: u64 = self.pmap.machine().load(PhysAddr::new(pa));
                assert_eq!(found, word, "in memory at {pa:#x}");
            }
        }
    }

    /// Each frame is in use as often as `refs` counts, or free, and the free list has the free.
    fn compare_frames(&self, refs: &BTreeMap<u64, u32>) {
        let pages = self.pmap.pages();
        let mut free = BTreeSet::new();
        for (pfn, info) in (self.plain.ram.start..).zip(pages.infos()) {
            let counted = refs.get(&pfn).copied();
            let expected = match (self.reserved.get(&pfn), counted) {
                (Some(info), used) => (info.pp_link, info.pp_ref() + used.unwrap_or(0)),
                (None, Some(pp_ref)) => (PageInfo::IN_USE, pp_ref),
                (None, None) if self.plain.in_use.contains_key(&pfn) => (PageInfo::IN_USE, 0),
                (None, None) => {
                    assert!(info.is_free(), "frame {pfn:#x} is lost: {info:?}");
                    free.insert(pfn);
                    (info.pp_link, 0)
                }
            };
            assert_eq!((info.pp_link, info.pp_ref()), expected, "frame {pfn:#x}");
        }
        for (pfn, pp_ref) in &self.plain.in_use {
            assert_eq!(pages.pp_ref(self.frame(*pfn)), *pp_ref, "frame {pfn:#x}");
        }
        let list: Vec<u64> =
            pages.page_free_list().map(|frame| pages.page2pa(frame).as_u64() / PGSIZE).collect();
        assert_eq!(
            (list.len(), list.len()),
            (pages.nfree(), self.plain.nfree),
            "the list's length"
        );
        assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), free, "the free list");
    }

    /// The end of a sequence: libjos sees what the model has, everything can be taken down, and
    /// nothing is lost.
    pub(crate) fn finish(mut self) {
        for pfn in self.plain.pool.clone().filter(|pfn| self.plain.in_use.contains_key(pfn)) {
            self.compare_contents(pfn);
        }
        for space in 0..2 {
            if self.spaces[space].is_some() {
                self.apply(&Op::Switch { space });
                for half in [space, KERNEL] {
                    self.read_again(half);
                }
            }
        }
        let mmio = L::MMIOLIM - L::MMIOBASE;
        let (vm, kern_pgdir) = self.pmap.split();
        assert_eq!(
            vm.unmap_range(kern_pgdir, VirtAddr::new(L::MMIOBASE), mmio).unwrap().finish(),
            0
        );
        assert_eq!(self.plain.unmap_range(0, L::MMIOBASE, mmio), Ok(0));
        self.compare();
        for space in 0..2 {
            if self.spaces[space].is_some() {
                self.apply(&Op::Uvmfree { space });
                self.compare();
            }
        }
        for va in (L::MMIOBASE..L::MMIOLIM).step_by(page_size::<F>(1) as usize) {
            let (vm, kern_pgdir) = self.pmap.split();
            vm.prune(kern_pgdir, VirtAddr::new(va));
            self.plain.prune(KERNEL, va);
        }
        self.compare();
        self.free_unused();
        for pfn in std::mem::take(&mut self.held) {
            let frame = self.frame(pfn);
            self.pmap.pages_mut().page_decref(frame);
        }
        let tables = Census::new(self.pmap.machine(), self.pmap.kern_root(), true).tables.len();
        let infos = self.pmap.pages().infos();
        let in_use = infos.filter(|info| info.pp_link == PageInfo::IN_USE).count();
        assert_eq!(in_use, tables, "in use at the end are the kernel's tables alone");
        self.pmap.checks().check_page_free_list();
    }

    /// Checks that libjos lists the model's mappings, and that the processor's walk leads there too.
    pub(super) fn read_again(&mut self, half: usize) {
        let mmio = (L::MMIOBASE, L::MMIOLIM);
        let ranges = match half {
            KERNEL if L::HALVES => vec![mmio],
            KERNEL => vec![(L::UTOP, L::UPAGES), mmio],
            _ => vec![(0, L::LOWER_END)],
        };
        let root = self.root(self.loaded);
        let mut found = vec![];
        for (start, end) in ranges {
            let (first, last) = (VirtAddr::new(start), VirtAddr::new(end - 1));
            let leaves = leaves::<F, _>(self.pmap.machine(), root, first, last);
            found.extend(leaves.map(|leaf| (leaf.va.as_u64(), leaf.size, leaf.pa, leaf.perm)));
        }
        let expected: Vec<_> = self.plain.spaces[half]
            .leaves
            .iter()
            .map(|(va, (level, leaf))| (*va, page_size::<F>(*level), leaf.pa, leaf.perm))
            .collect();
        assert!(found == expected, "leaves() lists {found:x?}, expected {expected:x?}");
        // A sample, if there are many.
        let every = expected.len() / 64 + 1;
        for (va, size, ..) in expected.into_iter().step_by(every) {
            [va, va + (size - PGSIZE)].iter().for_each(|va| self.touch(*va));
        }
    }
}
