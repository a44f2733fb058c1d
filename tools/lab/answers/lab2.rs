//! Plain answers to lab 2, in JOS's manner: the body of each function answers the exercise of its name.

fn never_free() {
    [
        PhysRange::from_size(PhysAddr::new(L::PHYS_BASE), PGSIZE),
        PhysRange::new(PhysAddr::new(L::IOPHYSMEM), PhysAddr::new(L::EXTPHYSMEM)),
        PhysRange::new(image.text.start, image.data.end_exclusive),
        PhysRange::from_size(PhysAddr::new(L::WINDOW_LAST_FRAME), PGSIZE),
    ]
}

fn boot_alloc() {
    let size = page_round_up(n)?;
    let mut found = None;
    for run in self.shown() {
        if run.size() >= size && (found.is_none() || run.start >= self.kernel_end) {
            found = Some(run);
            if run.start >= self.kernel_end {
                break;
            }
        }
    }
    let range = PhysRange::from_size(found?.start, size);
    assert_has_room(self.free.remove(range));
    Some(range)
}

fn page_init() {
    self.array_mut().fill(PageInfo::reserved());
    // From the highest frame down, each in front of the list.
    for run in free.iter().rev() {
        let mut pa = run.end_exclusive;
        while pa > run.start {
            pa = PhysAddr::new(pa.as_u64() - PGSIZE);
            let Some(frame) = self.pa2page(pa) else {
                panic!("page_init: {pa} lies beyond the end of pages");
            };
            let head = self.list.head;
            self.array_mut()[frame.index()] = PageInfo { pp_link: head, pp_ref_or_prev: 0 };
            if head == PageInfo::END {
                self.list.end = frame.0;
            } else {
                self.array_mut()[head as usize].pp_ref_or_prev = frame.0;
            }
            self.list.head = frame.0;
            self.list.nfree += 1;
        }
    }
}

fn page_alloc() {
    let frame = Frame(self.list.head);
    if frame.0 == PageInfo::END {
        return None;
    }
    self.list.head = self.info(frame).pp_link;
    self.list.nfree -= 1;
    self.array_mut()[frame.index()] = PageInfo::in_use(0);
    if flags.contains(ALLOC_ZERO) {
        mem.zero_frame(self.page2pa(frame));
    }
    Some(frame)
}

fn page_free() {
    let info = self.info(frame);
    if info != PageInfo::in_use(0) {
        return Err(cannot_free(&info, self.page2pa(frame)));
    }
    let head = self.list.head;
    self.array_mut()[frame.index()] = PageInfo { pp_link: head, pp_ref_or_prev: 0 };
    if head == PageInfo::END {
        self.list.end = frame.0;
    } else {
        self.array_mut()[head as usize].pp_ref_or_prev = frame.0;
    }
    self.list.head = frame.0;
    self.list.nfree += 1;
}

fn walk() {
    let (mut level, mut table) = (M::Format::ROOT, root);
    loop {
        let at = M::Format::entry(level, table, va);
        match M::Format::decode(level, self.machine.load(at)) {
            Entry::Table { pa, .. } => (level, table) = (level - 1, pa),
            entry => return Stop { level, at, entry },
        }
    }
}

fn pgdir_walk() {
    let Stop { mut level, mut at, entry } = self.walk(root, va);
    if level > 0 && entry != Entry::Absent {
        return Err(MapError::large_page(va, M::Format::page_size(level)));
    }
    if level > 0 && !create {
        return Ok(None);
    }
    // All tables or none: each level above the last lacks one.
    if level as usize > self.pages.nfree() {
        return Err(MapError::NoMemory { va });
    }
    while level > 0 {
        let Some(table) = self.page_alloc(ALLOC_ZERO) else {
            return Err(MapError::NoMemory { va });
        };
        self.pages.page_incref(table)?;
        let pa = self.pages.page2pa(table);
        self.machine.store(at, M::Format::table(pa));
        self.machine.made_valid(None);
        level -= 1;
        at = M::Format::entry(level, pa, va);
    }
    Ok(Some(Pte { pa: at }))
}

fn va2pa() {
    let Stop { level, entry, .. } = self.walk(root, va);
    let Entry::Leaf(leaf) = entry else { return None };
    Some(leaf.pa + va.as_u64() % M::Format::page_size(level))
}

fn boot_map_region() {
    let mut done = 0;
    while done < size {
        let Ok(Some(pte)) = self.pgdir_walk(pgdir, va + done, true) else {
            panic!("boot_map_region: no page table for {}", va + done);
        };
        self.machine.store(pte.pa, M::Format::leaf(0, pa + done, perm));
        done += PGSIZE;
    }
    self.machine.made_valid(None);
}

fn page_lookup() {
    let Stop { level, at, entry } = self.walk(root, va);
    match entry {
        Entry::Leaf(leaf) if level == 0 => Some((self.pages.pa2page(leaf.pa)?, Pte { pa: at })),
        _ => None,
    }
}

fn page_remove() {
    let Stop { level, at, entry } = self.walk(root, va);
    let Entry::Leaf(leaf) = entry else { return Ok(()) };
    if level > 0 {
        return Err(MapError::large_page(va, M::Format::page_size(level)));
    }
    self.machine.store(at, WordOf::<M>::ZERO);
    self.tlb_invalidate(pgdir, va);
    if Self::is_user(va) {
        self.pages.page_decref_at(leaf.pa);
    }
    Ok(())
}

fn page_insert() {
    // Counted before the old mapping goes, so that a page mapped anew to its own address is never free.
    if Self::is_user(va) {
        self.pages.page_incref(frame)?;
    } else {
        self.pages.check_in_use(frame)?;
    }
    let pte = match self.pgdir_walk(pgdir, va, true) {
        Ok(Some(pte)) => pte,
        Ok(None) => panic!("page_insert: pgdir_walk made no page table"),
        Err(error) => {
            if Self::is_user(va) {
                self.pages.page_uncount(frame);
            }
            return Err(error);
        }
    };
    self.page_remove(pgdir, va)?;
    self.machine.store(pte.pa, M::Format::leaf(0, self.pages.page2pa(frame), perm));
    self.machine.made_valid(Some(va));
    Ok(())
}

fn map_region() {
    match region.content {
        Content::Pages => {
            let pages = boot_memory.pages;
            vm.boot_map_region(pgdir, va, pages.size(), pages.start, Perm::UR);
        }
        Content::KernelStack => {
            vm.boot_map_region(pgdir, va, region.size, image.stack.start, Perm::KRW | Perm::G);
        }
        _ => {
            let window = window::<M::Layout>();
            let parts = [
                (PhysRange::new(window.start, image.text.start), Perm::KRW),
                (image.text, Perm::KRX),
                (image.rodata, Perm::KR),
                (PhysRange::new(image.rodata.end_exclusive, window.end_exclusive), Perm::KRW),
            ];
            for (part, perm) in parts {
                let va = va + (part.start - window.start);
                vm.boot_map_region(pgdir, va, part.size(), part.start, perm | Perm::G);
            }
        }
    }
}
