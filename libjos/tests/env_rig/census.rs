//! All uses of all frames, counted anew from the tables of the kernel and of every environment.

use std::collections::BTreeMap;

use layout::MemLayout;
use libjos::env::EnvIndex;
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageInfo;
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use super::World;

/// Most pages that the kernel's own half of the environments takes.
const MOST_OWN_PAGES: usize = 22;

/// How often each frame is used.
type Uses = BTreeMap<PhysAddr, u32>;

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// Every count in `pages` is that of the uses; programs can write to no memory of the kernel's half, and execute
    /// none if the machine can tell; no table of an environment's is another's, the kernel's or a page of a program's.
    pub(crate) fn check_counts(&self) {
        let mut uses = Uses::new();
        let kern_root = self.pmap.kern_root();
        self.count(&mut uses, F::ROOT, kern_root, 0, true);
        let shared = uses.clone();
        let mut tables: Vec<PhysAddr> = shared.keys().copied().collect();
        for (index, env) in self.envs.all() {
            if let Some(pa) = self.envs.machine_frame_of(&self.pmap, env.env_id) {
                *uses.entry(pa).or_default() += 1;
            }
            let before: Vec<_> = tables.clone();
            let root = self.root(index);
            *uses.entry(root).or_default() += 1;
            tables.push(root);
            let mut own = Uses::new();
            self.count(&mut own, F::ROOT, root, 0, false);
            self.look_at_kernels_half(index, &mut uses);
            for (pa, n) in own {
                *uses.entry(pa).or_default() += n;
                assert!(
                    !before.contains(&pa),
                    "{index:?} uses the table at {pa}, which is not its own"
                );
            }
        }
        let (uenvs, mut envs) = (L::UENVS, Vec::new());
        let size = (layout::PGSIZE * 256).min(L::UPAGES - uenvs);
        for va in (uenvs..uenvs + size).step_by(layout::PGSIZE as usize) {
            envs.extend(self.pmap.va2pa(self.pmap.kern_pgdir(), VirtAddr::new(va)));
        }
        envs.into_iter().for_each(|pa| *uses.entry(pa).or_default() += 1);
        let mut others = Vec::new();
        for (number, info) in self.pmap.pages().infos().enumerate() {
            let pa = PhysAddr::new(L::PHYS_BASE + number as u64 * layout::PGSIZE);
            let reserved = u32::from(info == PageInfo::reserved());
            let found = uses.remove(&pa).unwrap_or(0) + reserved;
            match info.pp_ref() {
                1 if found == 0 => others.push(number),
                pp_ref => assert_eq!(pp_ref, found, "uses of {pa}: {info:?}"),
            }
        }
        assert_eq!(uses, Uses::new(), "no frames of RAM are used");
        // The rest is the kernel's own half of the environments.
        let first = others.first().copied().unwrap_or(0);
        assert!(others.iter().copied().eq(first..first + others.len()), "{others:?}");
        assert!((1..=MOST_OWN_PAGES).contains(&others.len()), "{others:?} are lost");
    }

    /// Counts the tables below the one of `level` at `table`, which maps addresses from `base` on, and the pages below
    /// UTOP: those of the kernel's half, or the others.
    fn count(&self, uses: &mut Uses, level: u32, table: PhysAddr, base: u64, kernels: bool) {
        let page_size = F::page_size(level);
        for index in 0..F::ENTRIES as u64 {
            let mut va = base + index * page_size;
            if level == F::ROOT && L::HALVES && va >= L::LOWER_END {
                va += L::UPPER_START - L::LOWER_END;
            }
            let is_kernels = va >= L::UENVS;
            if is_kernels && !kernels {
                continue;
            }
            let word: F::Word = self.pmap.machine().load(table + index * F::Word::BYTES);
            match F::decode(level, word) {
                Entry::Table { pa, .. } if pa != table => {
                    *uses.entry(pa).or_default() += 1;
                    self.count(uses, level - 1, pa, va, kernels);
                }
                Entry::Leaf(leaf) if va < L::UTOP => {
                    assert!(leaf.perm.contains(Perm::UR) && level == 0, "{va:#x}: {leaf:?}");
                    *uses.entry(leaf.pa).or_default() += 1;
                }
                Entry::Pending { .. } => panic!("the entry for {va:#x} is pending"),
                _ => {}
            }
        }
    }

    /// Counts an environment's links to the tables of the kernel's half, which must be the kernel's own; UVPT is its own.
    fn look_at_kernels_half(&self, index: EnvIndex, uses: &mut Uses) {
        let (root, kern_root) = (self.root(index), self.pmap.kern_root());
        let entry = |root: PhysAddr, n: usize| {
            let word: F::Word = self.pmap.machine().load(root + n as u64 * F::Word::BYTES);
            F::decode(F::ROOT, word)
        };
        for n in F::index(F::ROOT, VirtAddr::new(L::UENVS))..F::ENTRIES {
            let own = entry(root, n);
            if L::SELF_MAP && n == F::index(F::ROOT, VirtAddr::new(L::UVPT)) {
                let entry = F::self_map(root).map(|word| F::decode(F::ROOT, word));
                assert_eq!(Some(own), entry, "UVPT of {index:?}");
                continue;
            }
            match (own, entry(kern_root, n)) {
                (Entry::Table { pa, .. }, Entry::Table { pa: kernels, .. }) => {
                    assert_eq!(pa, kernels, "root entry {n} of {index:?}");
                    *uses.entry(pa).or_default() += 1;
                }
                (Entry::Leaf(own), Entry::Leaf(kernels)) => assert_eq!(own.pa, kernels.pa),
                (own, kernels) => assert_eq!(own, kernels, "root entry {n} of {index:?}"),
            }
        }
        let leaves = libjos::paging::mappings::leaves::<F, _>;
        for leaf in
            leaves(self.pmap.machine(), root, VirtAddr::new(L::UENVS), VirtAddr::new(L::VA_LAST))
        {
            if leaf.perm.contains(Perm::U) {
                let may_execute = leaf.perm.contains(Perm::X) && !F::ALWAYS.contains(Perm::X);
                assert!(!leaf.perm.contains(Perm::W) && !may_execute, "{index:?}: {leaf:?}");
                assert!(leaf.va.as_u64() < L::ULIM, "{index:?}: {leaf:?}");
            }
        }
    }
}
