//! `check_page_free_list`: the proof that the free list is whole.
//!
//! It asserts what JOS's function of this name asserts, and that no page is lost, counted
//! wrongly, or free while something uses it. Which pages must be free is worked out from the memory
//! map once more, in another way than `page_init`'s.

use layout::{MemLayout, PGSIZE};

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::memory_map::window;
use crate::mem::pages::{Frame, PageAllocator, PageInfo};
use crate::paging::format::{Entry, Format, Geometry, Leaf};
use crate::paging::mappings::leaves;
use crate::paging::pgdir::WordOf;
use crate::paging::word::Word;

/// The word written to free pages, to see that nothing depends on them (JOS's `0x97`).
const PATTERN: u32 = 0x9797_9797;

/// Where in a page its last word is.
const LAST_WORD: u64 = PGSIZE - size_of_val(&PATTERN) as u64;

impl<M: Machine> Checks<'_, M> {
    /// Proves that the free list is whole: each page that can be free is on it, once, and no
    /// other is.
    ///
    /// # Panics
    ///
    /// If it is not, with the page or the numbers that differ.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn check_page_free_list(&mut self) {
        let on_list = self.check_list();
        self.check_states(on_list);
        self.vm.pages_mut().check_runs();
        self.check_reserved();
        self.check_tables_in_use(M::Format::ROOT, self.kern_pgdir.address());
        self.check_mapped_in_use();
        self.check_free_pages_are_unused();
        self.vm.machine_mut().print(format_args!("check_page_free_list() succeeded!\n"));
    }

    /// Follows the list from its head, and returns how long it is.
    fn check_list(&self) -> usize {
        let infos = self.vm.pages().array();
        let head = self.vm.pages().page_free_list_head();
        let npages = infos.len();
        let mut left = npages;
        // The first page has no page before it: whatever its link back says is right.
        let mut before = infos.get(head as usize).map_or(PageInfo::END, |info| info.pp_ref_or_prev);
        let mut number = head;
        // This loop runs for each free page. The values for messages are computed where it panics, so
        // that a turn takes a dozen instructions.
        while number != PageInfo::END {
            let Some(&info) = infos.get(number as usize) else {
                let number = number;
                panic!(
                    "check_page_free_list: a link leads to {number:#x}, outside the {npages:#x} of pages"
                );
            };
            if !info.is_free() {
                let (pa, pp_ref) = (self.vm.pages().page2pa(Frame::new(number)), info.pp_ref());
                panic!("check_page_free_list: page {pa} is on the list with pp_ref {pp_ref}");
            }
            // A page that is on the list twice makes it a circle, since it has one link.
            let Some(others) = left.checked_sub(1) else {
                let pa = self.vm.pages().page2pa(Frame::new(number));
                panic!("check_page_free_list: the list runs in a circle: page {pa} is on it twice");
            };
            left = others;
            if info.pp_ref_or_prev != before {
                let (pa, before) = (self.vm.pages().page2pa(Frame::new(number)), before);
                let says = info.pp_ref_or_prev;
                panic!(
                    "check_page_free_list: page {pa} is on the list behind page number \
                     {before:#x}, but says {says:#x}"
                );
            }
            before = number;
            number = info.pp_link;
        }
        let length = npages - left;
        // An empty list keeps the last page that it had.
        let end = self.vm.pages().page_free_list_end();
        assert!(
            length == 0 || before == end,
            "check_page_free_list: the list ends with page number {before:#x}, \
             the allocator says {end:#x}"
        );
        let nfree = self.vm.pages().nfree();
        assert!(
            length == nfree,
            "check_page_free_list: {length} pages are on the list, the counter says {nfree}"
        );
        length
    }

    /// Checks that each frame is free, in use or reserved, and that there are as many of each as the
    /// memory map promises, below 1 MB and above. (So some are free in each part, as JOS demands, unless
    /// there is no RAM or all of it is in use.)
    fn check_states(&self, on_list: usize) {
        let boundary = PhysAddr::new(M::Layout::EXTPHYSMEM);
        let all = self.vm.described();
        let end = all.end_exclusive.max(boundary);
        let base = self.check_part("below 1 MB", PhysRange::new(all.start, boundary));
        let extended = self.check_part("above 1 MB", PhysRange::new(boundary, end));
        let free = base + extended;
        assert!(
            free == on_list,
            "check_page_free_list: {free} pages say that they are free, {on_list} are on the list"
        );
    }

    /// Does [`check_states`](Self::check_states) for the frames of `part`; returns how many are free.
    fn check_part(&self, what: &str, part: PhysRange) -> usize {
        let (mut free, mut in_use) = (0_usize, 0_usize);
        let index = |pa: PhysAddr| ((pa - self.vm.described().start) / PGSIZE) as usize;
        let infos = self.vm.pages().array();
        let end = index(part.end_exclusive).min(infos.len());
        let start = index(part.start).min(end);
        for (offset, info) in infos[start..end].iter().enumerate() {
            if info.is_free() {
                free += 1;
                continue;
            }
            in_use += usize::from(info.pp_link != PageInfo::RESERVED);
            if info.pp_ref() == 0 {
                let pa = self.vm.pages().page2pa(Frame::new((start + offset) as u32));
                panic!("check_page_free_list: page {pa} is not on the list, yet its pp_ref is 0");
            }
        }
        let promised = self.promised_pages(part);
        assert!(
            free + in_use == promised,
            "check_page_free_list: {what} {free} pages are free and {in_use} in use, \
             but the memory map promises {promised}"
        );
        free
    }

    /// The memory that may never be free, by name.
    fn never_free(&self) -> impl Iterator<Item = (&'static str, PhysRange)> + '_ {
        let page_0 = PhysRange::from_size(PhysAddr::new(M::Layout::PHYS_BASE), PGSIZE);
        let io_hole = PhysRange::new(
            PhysAddr::new(M::Layout::IOPHYSMEM),
            PhysAddr::new(M::Layout::EXTPHYSMEM),
        );
        let ext = PhysRange::from_size(PhysAddr::new(M::Layout::EXTPHYSMEM), PGSIZE);
        let window_end = PhysAddr::new(M::Layout::PHYS_BASE) + M::Layout::WINDOW_SIZE;
        let last = PhysRange::new(PhysAddr::new(window_end.as_u64() - PGSIZE), window_end);
        let image = &self.vm.boot().image;
        let kernel = PhysRange::new(image.text.start, image.data.end_exclusive);
        let kern_pgdir = PhysRange::from_size(self.kern_pgdir.address(), PGSIZE);
        [
            ("page 0", page_0),
            ("the IO hole", io_hole),
            ("the first page of extended memory", ext),
            ("the end of the window", last),
            ("the kernel", kernel),
            ("kern_pgdir", kern_pgdir),
            ("the array pages", self.boot_memory.pages),
            ("the table of runs", self.boot_memory.runs),
        ]
        .into_iter()
        .chain(self.vm.boot().reserved.runs().iter().map(|run| ("boot information", *run)))
    }

    /// How many frames of RAM in `part` are left for allocation. Reservations may overlap; each frame
    /// counts once.
    fn promised_pages(&self, part: PhysRange) -> usize {
        let usable = self.vm.boot().memory.usable();
        let used = PhysRange::below(self.vm.boot().memory.used_end::<M::Layout>());
        let part = part.intersection(&used);
        let mut bytes = usable.size_within(&part);
        for (i, (_, range)) in self.never_free().enumerate() {
            let range = range.intersection(&part);
            let before = || self.never_free().take(i).map(|(_, other)| other);
            bytes -= if before().any(|other| other.overlaps(&range)) {
                let is_first = |pa: &PhysAddr| !before().any(|other| other.contains(*pa));
                let lost = range.pages().filter(|pa| usable.contains(*pa)).filter(is_first);
                lost.count() as u64 * PGSIZE
            } else {
                usable.size_within(&range)
            };
        }
        (bytes / PGSIZE) as usize
    }

    /// Checks that memory which may never be free is reserved, and the holes between runs of RAM too.
    fn check_reserved(&self) {
        let all = self.vm.described();
        let assert_reserved = |what: &str, range: PhysRange| {
            for pa in range.intersection(&all).pages() {
                let info = self.vm.pages().info_at(pa);
                let is_reserved = info
                    .is_some_and(|info| info.pp_link == PageInfo::RESERVED && info.pp_ref() != 0);
                assert!(
                    is_reserved,
                    "check_page_free_list: page {pa} of {what} must be reserved, but is {}",
                    info.words()
                );
            }
        };
        for (what, range) in self.never_free() {
            assert_reserved(what, range);
        }
        let mut hole_start = all.start;
        for run in self.vm.boot().memory.usable().runs() {
            if run.start > hole_start {
                assert_reserved("a hole in RAM", PhysRange::new(hole_start, run.start));
            }
            hole_start = hole_start.max(run.end_exclusive);
        }
    }

    /// Checks that the tables below `table`, itself of `level`, are pages in use.
    fn check_tables_in_use(&self, level: u32, table: PhysAddr) {
        for index in 0..M::Format::ENTRIES {
            let Entry::Table { pa, .. } = self.vm.entry(level, table, index) else {
                continue;
            };
            // The directory's entry for itself is no table below it.
            if pa == self.kern_pgdir.address() {
                continue;
            }
            let info = self.vm.pages().info_at(pa);
            // The kernel half's tables below the root are used by every address space.
            let va = M::Format::address(level, VirtAddr::new(0), index).as_u64();
            let is_shared = level == M::Format::ROOT && va >= M::Layout::UENVS;
            let in_use = info.is_some_and(|info| {
                let pp_ref = info.pp_ref();
                info.pp_link == PageInfo::IN_USE && (pp_ref == 1 || is_shared && pp_ref > 1)
            });
            assert!(
                in_use,
                "check_page_free_list: page table {pa} must be in use, but is {}",
                info.words()
            );
            self.check_tables_in_use(level - 1, pa);
        }
    }

    /// Checks that no page mapped in the application's part is free. (The kernel's window shows free
    /// pages too.)
    fn check_mapped_in_use(&self) {
        let (first, last) = (VirtAddr::new(0), VirtAddr::new(M::Layout::LOWER_END - 1));
        for leaf in
            leaves::<M::Format, M>(self.vm.machine(), self.kern_pgdir.address(), first, last)
        {
            for pa in self.vm.described().intersection(&leaf.range()).pages() {
                let is_free = self.vm.pages().info_at(pa).is_some_and(|info| info.is_free());
                let va = leaf.va + (pa - leaf.pa);
                assert!(!is_free, "check_page_free_list: page {pa} is free, yet mapped at {va}");
            }
        }
    }

    /// Checks that writing to free pages changes nothing that is in use. With poison they are full of it,
    /// and must still be so. Without poison this writes to the window's pages alone: RAM above is a
    /// plain run, and a virtual machine allocates it when it is first touched.
    fn check_free_pages_are_unused(&self) {
        if self.vm.pages().is_poisoned() {
            return self.vm.pages().check_poison(self.vm.machine());
        }
        let before = self.checksum();
        let window = window::<M::Layout>();
        let infos = self.vm.pages().array();
        let shown = infos.len().min((window.size() / PGSIZE) as usize);
        // No page of the kernel or of `pages` is free, as `check_reserved` has seen.
        for (index, info) in infos[..shown].iter().enumerate() {
            if info.is_free() {
                let pa = window.start + index as u64 * PGSIZE;
                self.vm.machine().store(pa, PATTERN);
                self.vm.machine().store(pa + LAST_WORD, PATTERN);
            }
        }
        let after = self.checksum();
        assert!(
            before == after,
            "check_page_free_list: writing to free pages changed the kernel, its tables or pages \
             (checksum {before:#x} is now {after:#x})"
        );
    }

    /// A sum over memory in use that nothing else changes meanwhile: the kernel's code and
    /// constants, and all that `boot_alloc` handed out. It takes two words of each page, the same two
    /// that are written to in free pages.
    fn checksum(&self) -> u32 {
        let image = &self.vm.boot().image;
        let constant = PhysRange::new(image.text.start, image.rodata.end_exclusive);
        let mut sum: u32 = 0;
        for range in [constant].iter().chain(self.boot_memory.taken.runs()) {
            for pa in range.pages() {
                for word in [pa, pa + LAST_WORD] {
                    sum = sum.rotate_left(7) ^ self.constant_word(word);
                }
            }
        }
        sum
    }

    /// The word at `at`. If it is an entry of the root, without the bits that the processor sets: a write
    /// to a free page may be the first one to a large page.
    fn constant_word(&self, at: PhysAddr) -> u32 {
        let word = self.vm.machine().load(at);
        if at.page_start() != self.kern_pgdir.address() {
            return word;
        }
        let at = PhysAddr::new(at.as_u64() & !(WordOf::<M>::BYTES - 1));
        let entry = self.vm.machine().load(at);
        match M::Format::decode(M::Format::ROOT, entry) {
            Entry::Leaf(Leaf { pa, perm, .. }) => M::Format::leaf(M::Format::ROOT, pa, perm),
            _ => entry,
        }
        .to_u64() as u32
    }

    /// Whether as many pages are free as `check` needs. If not, prints that the check is left out, since
    /// it would prove nothing.
    #[cfg_attr(debug_assertions, inline(never))] // so that gdb stops in the check, and not here
    pub(crate) fn has_pages_for(&mut self, check: &str, needed: usize) -> bool {
        let nfree = self.vm.pages().nfree();
        if nfree < needed {
            self.vm.machine_mut().print(format_args!(
                "{check}() left out: it needs {needed} free pages, there are {nfree}\n"
            ));
        }
        nfree >= needed
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
