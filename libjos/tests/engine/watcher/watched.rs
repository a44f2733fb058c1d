//! A machine with a second processor, which walks the tables at every store of the first.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use layout::{MemLayout, PGSIZE, round_down};
use libjos::machine::{CpuSet, Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::pages::{PageArray, PageInfo};
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::mappings::{Step, steps};
use libjos::paging::word::Word;
use libjos::sim::{SimMachine, mmu::Mmu};

/// An address in an address space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) pgdir: PhysAddr,
    pub(crate) va: VirtAddr,
}

/// A page as a processor finds it at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    pa: PhysAddr,
    perm: Perm,
    /// The page's first word and its last, where it is RAM.
    words: Option<[u64; 2]>,
}

/// How much of a table must be there when it is linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Linked {
    /// All that it will have.
    Complete,
    /// All but the entries of the last level.
    AllButLeaves,
    /// Its mapping is as before or as after; it may change later.
    Sound,
}

/// The second processor. It knows two machines that did the same as this one: on one the operation
/// is still to come, on the other it is done.
pub(crate) struct Watcher<L, F> {
    before: SimMachine<L, F>,
    after: SimMachine<L, F>,
    linked: Linked,
    /// The addresses of all RAM.
    ram: PhysRange,
    /// Where the array `pages` is. No method of it runs while the processor is told to forget.
    pages: PhysAddr,
    /// Where it looks, and what it finds there before and after.
    places: BTreeMap<Place, [Option<Page>; 2]>,
    /// The places that are as after already.
    changed: BTreeSet<Place>,
    /// The tables that it came through.
    tables: BTreeSet<PhysAddr>,
    /// The pages that it found, or will find.
    found: BTreeSet<PhysAddr>,
    /// Entries of such tables that were changed, and what they say now.
    entries: BTreeMap<PhysAddr, u64>,
}

/// Whether an entry, of whatever level, is pending.
fn is_pending<F: Format>(word: u64) -> bool {
    matches!(F::decode(0, F::Word::from_u64(word)), Entry::Pending { .. })
}

/// The page at `place` in `machine`.
fn view<L: MemLayout, F: Format + Mmu>(
    machine: &SimMachine<L, F>,
    ram: PhysRange,
    place: Place,
) -> Option<Page> {
    let mut granted = Perm::all();
    for step in steps::<F, _>(machine, place.pgdir, place.va) {
        match step.entry {
            Entry::Absent | Entry::Pending { .. } => return None,
            Entry::Table { allows, .. } => granted &= allows,
            Entry::Leaf(leaf) => {
                let pa = leaf.pa + place.va.as_u64() % F::page_size(step.level);
                let words = [pa, pa + (PGSIZE - 8)];
                let words = ram.contains(pa).then(|| words.map(|pa| machine.load(pa)));
                return Some(Page { pa, perm: leaf.perm & granted, words });
            }
        }
    }
    unreachable!("a walk ends at a leaf or an absent entry")
}

impl<L: MemLayout, F: Format + Mmu> Watcher<L, F> {
    pub(crate) fn new(
        [before, after]: [SimMachine<L, F>; 2],
        linked: Linked,
        ram: PhysRange,
        pages: PhysAddr,
        places: BTreeSet<Place>,
    ) -> Self {
        // The tables that it comes through before the operation are no news.
        let walks = places.iter().flat_map(|place| steps::<F, _>(&before, place.pgdir, place.va));
        let tables = walks.map(|step| step.table).collect();
        let (changed, entries) = (BTreeSet::new(), BTreeMap::new());
        let places = places.into_iter().map(|place| {
            let views = [&before, &after].map(|machine| view(machine, ram, place));
            (place, views)
        });
        let places: BTreeMap<_, _> = places.collect();
        let found = places.values().flatten().flatten().map(|page| page.pa).collect();
        Self { before, after, linked, ram, pages, found, places, changed, tables, entries }
    }

    /// Panics unless `place`, with these `views` before and after, is as one of them; tells whether
    /// as after.
    fn check(
        &self,
        machine: &SimMachine<L, F>,
        place: Place,
        [before, after]: [Option<Page>; 2],
    ) -> bool {
        let now = view(machine, self.ram, place);
        if now == after {
            return true;
        }
        assert_eq!(now, before, "{place:x?}: not as before, nor as after, which is {after:x?}");
        assert!(!self.changed.contains(&place), "{place:x?}: was as after, is as before again");
        false
    }

    /// Looks at each place, and at each table that is new on the way there.
    fn look(&mut self, machine: &SimMachine<L, F>) {
        let mut linked = vec![];
        for (place, views) in &self.places {
            if self.check(machine, *place, *views) {
                self.changed.insert(*place);
            }
            for step in steps::<F, _>(machine, place.pgdir, place.va) {
                if self.tables.insert(step.table) {
                    linked.push((step, *place));
                }
            }
        }
        for (step, place) in linked {
            self.check_table(machine, &step, place);
        }
    }

    /// The table of `step`, on the way to `place`, has just been linked.
    fn check_table(&self, machine: &SimMachine<L, F>, step: &Step, place: Place) {
        let Step { level, table, .. } = *step;
        let start = round_down(place.va.as_u64(), F::page_size(level + 1));
        for index in 0..F::ENTRIES as u64 {
            let va = VirtAddr::new(start + index * F::page_size(level));
            let place = Place { va, ..place };
            let views = [&self.before, &self.after].map(|then| view(then, self.ram, place));
            self.check(machine, place, views);
            let at = table + index * F::Word::BYTES;
            let (now, then): (F::Word, F::Word) = (machine.load(at), self.after.load(at));
            let may_come = match self.linked {
                Linked::Complete => false,
                Linked::AllButLeaves => level == 0 && now == F::Word::ZERO,
                Linked::Sound => true,
            };
            assert!(
                now == then || may_come,
                "the table of level {level} at {table} was linked with {now:#x} at {index}, \
                 where {then:#x} is to be"
            );
        }
    }

    /// `word` has taken the place of `old` at `pa`. Where it does not come it need not look.
    fn note(&mut self, machine: &SimMachine<L, F>, pa: PhysAddr, old: u64, word: u64) {
        let frame = pa.page_start();
        let is_table = self.tables.contains(&frame);
        if is_table && old != word {
            let is_first = self.entries.insert(pa, word).is_none();
            // To a processor a pending entry is an absent one.
            let is_cleared = word == 0 && is_pending::<F>(old);
            assert!(
                is_first || is_cleared,
                "the entry at {pa} changes twice: {old:#x}, then {word:#x}"
            );
        }
        if is_table || self.found.contains(&frame) {
            self.look(machine);
        }
    }

    /// Panics where a processor comes through `table`, which is about to be filled by any accesses.
    fn check_unlinked(&self, machine: &SimMachine<L, F>, table: PhysAddr) {
        for place in self.places.keys() {
            for step in steps::<F, _>(machine, place.pgdir, place.va) {
                assert_ne!(step.table, table, "on the way to {place:x?} is a table that is filled");
            }
        }
    }

    /// The first processor, and so each, is about to forget what it knows of `va`. Panics where it
    /// would have gone to a page or table that is free already, or has one use less.
    fn forget(&self, machine: &SimMachine<L, F>, va: VirtAddr) {
        let pgdirs: BTreeSet<PhysAddr> = self.places.keys().map(|place| place.pgdir).collect();
        for pgdir in pgdirs {
            let page = view(&self.before, self.ram, Place { pgdir, va }).map(|page| page.pa);
            let tables = steps::<F, _>(&self.before, pgdir, va).map(|step| step.table);
            for pa in page.into_iter().chain(tables).filter(|pa| self.ram.contains(*pa)) {
                let number = (pa - self.ram.start) / PGSIZE;
                let at = self.pages + number * size_of::<PageInfo>() as u64;
                let [before, now] = [&self.before, machine]
                    .map(|machine| PageInfo::from_word(machine.load(at)).pp_ref());
                assert!(now >= before, "a use of {pa} ended before {va} was flushed");
            }
        }
    }

    /// The operation is over. Returns how many entries of linked tables it has changed.
    pub(crate) fn finish(self, machine: &SimMachine<L, F>) -> usize {
        for (place, [_, after]) in &self.places {
            assert_eq!(view(machine, self.ram, *place), *after, "{place:x?} at the end");
        }
        self.entries.len()
    }
}

/// A machine that is watched.
pub(crate) struct Watched<L, F> {
    pub(crate) sim: SimMachine<L, F>,
    pub(crate) watcher: RefCell<Option<Watcher<L, F>>>,
}

impl<L: MemLayout, F: Format + Mmu> PhysMem for Watched<L, F> {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        self.sim.load(pa)
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        let old: W = self.sim.load(pa);
        self.sim.store(pa, word);
        if let Some(watcher) = &mut *self.watcher.borrow_mut() {
            watcher.note(&self.sim, pa, old.to_u64(), word.to_u64());
        }
    }

    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W> {
        self.sim.compare_exchange(pa, current, new)?;
        if let Some(watcher) = &mut *self.watcher.borrow_mut() {
            watcher.note(&self.sim, pa, current.to_u64(), new.to_u64());
        }
        Ok(())
    }

    /// The last one first: their order is free.
    fn store_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        let words = std::iter::successors(Some(first), |word| Some(word.wrapping_add(step)));
        let words: Vec<W> = words.take(count).collect();
        for (i, word) in words.into_iter().enumerate().rev() {
            self.store(pa + i as u64 * W::BYTES, word);
        }
    }

    fn fill_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        if let Some(watcher) = &*self.watcher.borrow() {
            watcher.check_unlinked(&self.sim, pa.page_start());
        }
        self.store_run(pa, first, step, count);
    }

    fn zero_frame(&self, pa: PhysAddr) {
        (0..PGSIZE).step_by(8).for_each(|offset| self.store(pa + offset, 0_u64));
    }

    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        // SAFETY: what the caller has promised. The watcher reads tables and what they map, where the
        // array is not, and the array when no method of its user runs.
        unsafe { self.sim.page_array(pa, npages) }
    }
}

impl<L: MemLayout, F: Format + Mmu> Machine for Watched<L, F> {
    type Layout = L;
    type Format = F;

    fn leaf_levels(&self) -> u32 {
        self.sim.leaf_levels()
    }

    fn lcr3(&mut self, pgdir: PhysAddr) {
        self.sim.lcr3(pgdir);
    }

    fn protect_kernel(&mut self) {
        self.sim.protect_kernel();
    }

    fn made_valid(&mut self, page: Option<VirtAddr>) {
        self.sim.made_valid(page);
    }

    fn invlpg(&mut self, cpus: CpuSet, va: VirtAddr) {
        if let Some(watcher) = self.watcher.get_mut().as_ref().filter(|_| !cpus.is_empty()) {
            watcher.forget(&self.sim, va);
        }
        self.sim.invlpg(cpus, va);
    }

    fn flush_tlb(&mut self, cpus: CpuSet) {
        if let Some(watcher) = self.watcher.get_mut().as_ref().filter(|_| !cpus.is_empty()) {
            watcher.places.keys().for_each(|place| watcher.forget(&self.sim, place.va));
        }
        self.sim.flush_tlb(cpus);
    }

    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.sim.probe_load(va)
    }

    fn probe_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        self.sim.probe_store(va, value)
    }

    fn stack_pointer(&self) -> VirtAddr {
        self.sim.stack_pointer()
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        self.sim.print(text);
    }
}
