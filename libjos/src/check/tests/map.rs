//! Faults in the kernel's map, for `check_kern_pgdir` to name. The first ones pass JOS's own.

use super::*;

/// Faults that every machine can have.
pub(super) fn faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    let mut faults: Vec<Fault<L, F>> = vec![
        Fault {
            name: "KERNBASE mapped user",
            run: |pmap| {
                pmap.allow(L::KERNBASE + 8 * MB, Perm::U);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        },
        Fault {
            name: "UPAGES user-writable",
            run: |pmap| {
                pmap.allow(L::UPAGES, Perm::W);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: UPAGES: ",
        },
        Fault {
            name: "UPAGES not user-readable",
            run: |pmap| {
                pmap.forbid(L::UPAGES + PGSIZE, Perm::U);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: UPAGES: ",
        },
        Fault {
            name: "stack read-only",
            run: |pmap| {
                pmap.forbid(L::KSTACK + PGSIZE, Perm::W);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel stack: ",
        },
        Fault {
            name: "stack user",
            run: |pmap| {
                pmap.allow(L::KSTACKTOP - PGSIZE, Perm::U);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel stack: ",
        },
        Fault {
            name: "the page just below the stack mapped",
            run: |pmap| {
                pmap.map_page(L::KSTACK - PGSIZE, Perm::KRW);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: the gap below the kernel stack: ",
        },
        Fault {
            name: "above the RAM size only one page in a large one mapped",
            run: |pmap| {
                let va = L::KERNBASE + 64 * MB;
                pmap.unmap(va);
                let pa = PhysAddr::new(L::PHYS_BASE + 64 * MB);
                let perm = Perm::KRW | Perm::G;
                let (vm, pgdir) = pmap.split();
                vm.boot_map_region(pgdir, VirtAddr::new(va), PGSIZE, pa, perm);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        },
        Fault {
            name: "kernel text writable",
            run: |pmap| {
                pmap.allow(L::KERNBASE + MB, Perm::W);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel text: ",
        },
        Fault {
            name: "rodata writable",
            run: |pmap| {
                let rodata = pmap.boot().image.rodata.start - PhysAddr::new(L::PHYS_BASE);
                pmap.allow(L::KERNBASE + rodata, Perm::W);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel rodata: ",
        },
        Fault {
            name: "a page of KERNBASE leads to its neighbour",
            run: |pmap| {
                pmap.change_leaf(L::KERNBASE + MB - PGSIZE, |leaf| leaf.pa = leaf.pa + PGSIZE);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE, below the kernel: ",
        },
        Fault {
            name: "the last pages of KERNBASE missing",
            run: |pmap| {
                pmap.unmap(L::VA_LAST - PGSIZE);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        },
        Fault {
            name: "UPAGES to a wrong frame",
            run: |pmap| {
                pmap.change_leaf(L::UPAGES, |leaf| leaf.pa = leaf.pa + PGSIZE);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: UPAGES: ",
        },
        Fault {
            name: "entry_pgdir's mapping at 0 left in place",
            run: |pmap| {
                pmap.map_page(2 * MB, Perm::KRW);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: 0x200000 must not be mapped, but leads to ",
        },
        Fault {
            name: "a mapping in UENVS",
            run: |pmap| {
                pmap.map_page(L::UENVS, Perm::KR);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: ",
        },
        Fault {
            name: "a page in the devices' range",
            run: |pmap| {
                pmap.map_page(L::MMIOBASE, Perm::KRW);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: between MMIOBASE and the kernel stack's gap: ",
        },
    ];
    if L::UPPER_START < L::UENVS {
        faults.push(Fault {
            name: "the upper half's first page mapped",
            run: |pmap| {
                pmap.map_page(L::UPPER_START, Perm::KR);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: 0xffff",
        });
    }
    if L::SELF_MAP {
        faults.push(Fault {
            name: "UVPT to a wrong frame",
            run: |pmap| {
                let wrong = pmap.page_alloc(ALLOC_ZERO).expect("a free page");
                let entry = F::self_map(pmap.pages().page2pa(wrong)).expect("it has one");
                pmap.set_self_map(entry);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: UVPT: ",
        });
        faults.push(Fault {
            name: "the page tables shown a second time, for the user to write",
            run: |pmap| {
                let at = F::entry(F::ROOT, pmap.kern_pgdir().address(), VirtAddr::new(L::UENVS));
                pmap.machine().store(at, F::table(pmap.kern_pgdir().address()));
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: ",
        });
        faults.push(Fault {
            name: "UVPT user-writable",
            run: |pmap| {
                pmap.set_self_map(F::table(pmap.kern_pgdir().address()));
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: UVPT: ",
        });
    }
    if !F::ALWAYS.contains(Perm::X) {
        faults.push(Fault {
            name: "data executable",
            run: |pmap| {
                pmap.allow(L::KERNBASE + 8 * MB, Perm::X);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        });
    }
    faults
}

/// Faults that only a machine with more RAM than the window shows can have; its PHYSMAP shows
/// `RAM_ABOVE` bytes from the window's end on.
pub(super) fn physmap_faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    let mut faults: Vec<Fault<L, F>> = vec![
        Fault {
            name: "PHYSMAP mapped user",
            run: |pmap| {
                pmap.allow(L::PHYSMAP + L::WINDOW_SIZE + PGSIZE, Perm::U);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        },
        Fault {
            name: "PHYSMAP read-only",
            run: |pmap| {
                pmap.forbid(L::PHYSMAP + L::WINDOW_SIZE, Perm::W);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        },
        Fault {
            name: "PHYSMAP one page too long",
            run: |pmap| {
                pmap.map_page(L::PHYSMAP + L::WINDOW_SIZE + RAM_ABOVE, Perm::KRW);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: between ULIM and MMIOBASE: ",
        },
        Fault {
            name: "the last page of PHYSMAP missing",
            run: |pmap| {
                pmap.unmap(L::PHYSMAP + L::WINDOW_SIZE + RAM_ABOVE - PGSIZE);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        },
        Fault {
            name: "the window shown in PHYSMAP too, where code would be writable",
            run: |pmap| {
                pmap.map_page(L::PHYSMAP + MB, Perm::KRW);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: a hole in PHYSMAP: ",
        },
        Fault {
            name: "RAM above the window not free",
            run: |pmap| {
                let last = u32::try_from(pmap.pages().npages()).expect("few") - 1;
                pmap.change_frame(Frame::new(last - 1), |info| info.pp_link = PageInfo::END);
                pmap.pages_mut().set_info(Frame::new(last), PageInfo::reserved());
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: ",
        },
    ];
    if !F::ALWAYS.contains(Perm::X) {
        faults.push(Fault {
            name: "PHYSMAP executable",
            run: |pmap| {
                pmap.allow(L::PHYSMAP + L::WINDOW_SIZE, Perm::X);
                pmap.checks().check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        });
    }
    faults
}
