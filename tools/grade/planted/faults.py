"""The faults that plant.py puts into the kernel, one at a time: libjos/src/check/tests has the same for the kernel's
own checks.

A fault is code that mem_init runs last, where `pmap` is the finished memory system, `L` its map and `F` its format; or
replacements in the sources, (file, old, new), in which NUMBER stands for the fault's number. The first fault is the
kernel that prints the right lines and does nothing.
"""

from pathlib import Path

from arch import DEVICE_TREE, HALVES, NX, PC, PHYSMAP, UVPT
from envfaults import ENVIRONMENT_FAULTS
from fault import (
    ALLOCATOR, FORMAT, HART, HERE, KERNELS, MACHINE, MAPPING, PROTECTED, RISCV, SHOWN, STACK, TEXT, X86,
    Fault, page_alloc, physmap, zeroing,
)

STUB = Fault(
    "JOS's lines printed, and nothing done",
    edits=(
        (
            "kernel/src/lib.rs", "    // The memory system: prints",
            f"    if {KERNELS} {{\n        print_and_wait(boot_info);\n    }}\n    // The memory system: prints",
        ),
        (
            "kernel/src/lib.rs", "/// Continues [`kernel_main`]",
            f"\n{(Path(__file__).parent / 'stub.rs').read_text()}\n/// Continues [`kernel_main`]",
        ),
    ),
)

FAULTS = [
    STUB,
    # Faults in the kernel's map.
    Fault("KERNBASE mapped user", "allow(pmap, L::KERNBASE + 8 * MB, Perm::U)"),
    Fault("UPAGES user-writable", "allow(pmap, L::UPAGES, Perm::W)"),
    Fault("UPAGES not user-readable", "forbid(pmap, L::UPAGES + PGSIZE, Perm::U)"),
    Fault("stack read-only", "forbid(pmap, L::KSTACK + PGSIZE, Perm::W)"),
    Fault("stack user", "allow(pmap, L::KSTACKTOP - 3 * PGSIZE, Perm::U)"),
    Fault("the page just below the stack mapped", "map_page(pmap, L::KSTACK - PGSIZE, Perm::KRW)"),
    Fault(
        "above the RAM size only one page in a large one mapped", """
            let va = L::KERNBASE + 64 * MB;
            unmap(pmap, va);
            let (vm, pgdir) = pmap.split();
            let pa = PhysAddr::new(L::PHYS_BASE + 64 * MB);
            vm.boot_map_region(pgdir, VirtAddr::new(va), PGSIZE, pa, Perm::KRW | Perm::G)
        """,
    ),
    Fault("kernel text writable", f"let at = {SHOWN.format('text')}; allow(pmap, at, Perm::W)"),
    Fault("rodata writable", f"let at = {SHOWN.format('rodata')}; allow(pmap, at, Perm::W)"),
    Fault(
        "a page of KERNBASE leads to its neighbour",
        "change_leaf(pmap, L::KERNBASE + 64 * MB, |leaf| leaf.pa = leaf.pa + 4 * MB)",
    ),
    Fault("the last pages of KERNBASE missing", "unmap(pmap, L::VA_LAST - PGSIZE)"),
    Fault("UPAGES to a wrong frame", "change_leaf(pmap, L::UPAGES, |leaf| leaf.pa = leaf.pa + PGSIZE)"),
    Fault("entry_pgdir's mapping at 0 left in place", "map_page(pmap, 2 * MB, Perm::KRW)"),
    Fault("a mapping in UENVS", "map_page(pmap, L::UENVS, Perm::KR)"),
    Fault("a page in the devices' range", "map_page(pmap, L::MMIOLIM - PGSIZE, Perm::KRW)"),
    Fault(
        "UVPT to a wrong frame", """
            let wrong = pmap.page_alloc(ALLOC_ZERO).expect("a page");
            let pa = pmap.pages().page2pa(wrong);
            set_root_entry(pmap, L::UVPT, F::self_map(pa).expect("it has one"))
        """,
        needs=(UVPT,),
    ),
    Fault(
        "the page tables shown a second time, for the user to write",
        "set_root_entry(pmap, L::UENVS, F::table(pmap.kern_pgdir().address()))",
    ),
    Fault(
        "UVPT user-writable", "set_root_entry(pmap, L::UVPT, F::table(pmap.kern_pgdir().address()))", needs=(UVPT,),
    ),
    Fault("data executable", "allow(pmap, L::KERNBASE + 8 * MB, Perm::X)", needs=(NX,)),
    # Faults in PHYSMAP.
    physmap("PHYSMAP mapped user", "allow(pmap, L::PHYSMAP + L::WINDOW_SIZE + PGSIZE, Perm::U)"),
    physmap("PHYSMAP read-only", "forbid(pmap, L::PHYSMAP + L::WINDOW_SIZE, Perm::W)"),
    physmap(
        "PHYSMAP one page too long", """
            let described = PhysAddr::new(L::PHYS_BASE + pmap.pages().npages() as u64 * PGSIZE);
            let end = pmap.boot().memory.used_end::<L>().min(described);
            map_page(pmap, L::PHYSMAP - L::PHYS_BASE + end.as_u64(), Perm::KRW)
        """,
    ),
    physmap(
        "the last page of PHYSMAP missing",
        "unmap(pmap, L::PHYSMAP + (pmap.pages().npages() as u64 - 1) * PGSIZE)",
    ),
    physmap(
        "the window shown in PHYSMAP too, where code would be writable",
        "map_page(pmap, L::PHYSMAP + MB, Perm::KRW)",
    ),
    physmap(
        "RAM above the window not free", """
            let last = pmap.pages().npages() as u32 - 1;
            change_frame(pmap, Frame::new(last - 1), |info| info.pp_link = PageInfo::END);
            pmap.pages_mut().set_info(Frame::new(last), PageInfo::reserved())
        """,
    ),
    physmap("PHYSMAP executable", "allow(pmap, L::PHYSMAP + L::WINDOW_SIZE, Perm::X)"),
    # Faults in `pages` and the free list.
    Fault(
        "page_free without any check",
        edits=((
            ALLOCATOR,
            "        if *info != PageInfo::in_use(0) {",
            f"        if *info != PageInfo::in_use(0) && !{HERE} {{",
        ),),
    ),
    Fault(
        "reserved pages with pp_ref 0", f"""
            let text = {TEXT};
            set_info(pmap, text, PageInfo {{ pp_ref_or_prev: 0, ..PageInfo::reserved() }})
        """,
    ),
    Fault(
        "half the free memory leaked", """
            for _ in 0..pmap.pages().nfree() / 2 {
                let page = pmap.page_alloc(AllocFlags::empty()).expect("a page");
                pmap.pages_mut().set_info(page, PageInfo::reserved());
            }
        """,
    ),
    Fault(
        "the RAM of the IO hole freed", """
            deep(pmap, |pmap| {
                set_info(pmap, 0xA_0000, PageInfo::in_use(0));
                pmap.pages_mut().page_free(Frame::new(0xA0))
            })
        """,
        needs=(PC,),
    ),
    Fault(
        "the free list runs in a circle", """
            let (a, b) = (free_frame(pmap, 100), free_frame(pmap, 101));
            change_frame(pmap, b, |info| info.pp_link = a.index() as u32);
            change_frame(pmap, a, |info| info.pp_ref_or_prev = b.index() as u32)
        """,
    ),
    Fault(
        "a link that leads out of pages", """
            let n = pmap.pages().npages() as u32;
            let a = free_frame(pmap, 100);
            change_frame(pmap, a, |info| info.pp_link = n)
        """,
    ),
    Fault(
        "a free page with pp_ref 1",
        "let a = free_frame(pmap, 100); pmap.pages_mut().set_info(a, PageInfo::in_use(1))",
    ),
    Fault(
        "a free page that does not link back",
        "let a = free_frame(pmap, 100); change_frame(pmap, a, |info| info.pp_ref_or_prev = 1)",
    ),
    Fault("a run of free pages that the table denies", "pmap.pages_mut().deny_frames(2)"),
    Fault("a run of free blocks that the table denies", "pmap.pages_mut().deny_blocks(0)"),
    Fault("a block lost from the lists of the table", "pmap.pages_mut().lose_blocks()"),
    Fault(
        "a page table freed while in use", """
            let stop = pmap.walk(pmap.kern_pgdir().address(), VirtAddr::new(L::KSTACK));
            let table = pmap.pages().pa2page(stop.at).expect("RAM");
            deep(pmap, |pmap| pmap.pages_mut().page_decref(table))
        """,
    ),
    Fault(
        "a page freed while the application has it mapped", """
            let page = pmap.page_alloc(AllocFlags::empty()).expect("a page");
            deep(pmap, |pmap| {
                let (vm, pgdir) = pmap.split();
                vm.page_insert(pgdir, page, VirtAddr::new(2 * MB), Perm::URW).expect("it is mapped");
                pmap.pages_mut().page_decref(page)
            })
        """,
    ),
    Fault("a page lost: neither free nor counted", "pmap.page_alloc(AllocFlags::empty());"),
    Fault(
        "the boot information free", """
            let pa = pmap.boot().reserved.runs()[0].start;
            set_info(pmap, pa.as_u64(), PageInfo::in_use(1))
        """,
    ),
    Fault(
        "memory that boot_alloc handed out free", """
            let pa = pmap.boot_memory().runs.start;
            deep(pmap, |pmap| {
                set_info(pmap, pa.as_u64(), PageInfo::in_use(0));
                let frame = pmap.pages().pa2page(pa).expect("RAM");
                pmap.pages_mut().page_free(frame)
            })
        """,
    ),
    Fault(
        "a page of the kernel in use like any other",
        f"let text = {TEXT}; set_info(pmap, text, PageInfo::in_use(1))",
    ),
    Fault("a page in use where there is no RAM", "let pa = no_ram(pmap); set_info(pmap, pa, PageInfo::in_use(1))"),
    Fault(
        "a table of the application's counted twice", """
            map_page(pmap, 2 * MB, Perm::KRW);
            let stop = pmap.walk(pmap.kern_pgdir().address(), VirtAddr::new(2 * MB));
            let table = pmap.pages().pa2page(stop.at).expect("RAM");
            change_frame(pmap, table, |info| info.pp_ref_or_prev = 2)
        """,
    ),
    Fault(
        "ALLOC_ZERO leaves the last word",
        edits=zeroing("""\
                let pa = self.page2pa(frame);
                let word: u32 = mem.load(pa + (PGSIZE - 4));
                mem.zero_frame(pa);
                mem.store(pa + (PGSIZE - 4), word);
""", instead=True),
    ),
    Fault(
        "ALLOC_ZERO zeroes the first word and the last",
        edits=zeroing("""\
                mem.store(self.page2pa(frame), 0_u32);
                mem.store(self.page2pa(frame) + (PGSIZE - 4), 0_u32);
""", instead=True),
    ),
    Fault(
        "a page allocated twice",
        edits=page_alloc("""\
            if self.list.nfree == 1 {
                let taken = self.array().iter().position(|info| *info == PageInfo::in_use(0));
                return Some(Frame(taken.unwrap_or(0) as u32));
            }
"""),
    ),
    Fault(
        "a page lost while allocating",
        edits=page_alloc("""\
            if self.list.nfree == 7 {
                let lost = self.list.head as usize;
                self.list.head = self.array()[lost].pp_link;
                self.list.nfree -= 1;
                self.array_mut()[lost] = PageInfo::in_use(0);
            }
"""),
    ),
    # Faults in single mappings and in the directory in use.
    Fault("a table that nobody has made", "map_page(pmap, L::PTSIZE, Perm::KRW)"),
    Fault(
        "empty tables left behind", """
            let (vm, pgdir) = pmap.split();
            vm.pgdir_walk(pgdir, VirtAddr::new(L::MMIOLIM - PGSIZE), true).expect("tables");
        """,
    ),
    Fault(
        "a large page over the devices' range", """
            let (vm, pgdir) = pmap.split();
            let va = VirtAddr::new(L::MMIOLIM - F::page_size(1));
            vm.boot_map_region(pgdir, va, F::page_size(1), PhysAddr::new(1024 * MB), Perm::KRW)
        """,
    ),
    Fault(
        "invlpg dropped",
        edits=((
            MAPPING,
            "        self.tlb_invalidate(pgdir, va);\n        if Self::is_user",
            f"        if !{HERE} {{\n            self.tlb_invalidate(pgdir, va);\n        }}\n        if Self::is_user",
        ),),
    ),
    Fault(
        "the flush of all translations dropped",
        edits=((
            MACHINE, "            cpu::flush_tlb();",
            f"            if !{KERNELS} {{\n                cpu::flush_tlb();\n            }}",
        ),),
    ),
    Fault(
        "another page directory in use", """
            let other = pmap.page_alloc(ALLOC_ZERO).expect("a page");
            let (other, root) = (pmap.pages().page2pa(other), pmap.kern_pgdir().address());
            for at in (0..PGSIZE).step_by(4) {
                let word: u32 = pmap.machine().load(root + at);
                pmap.machine().store(other + at, word);
            }
            pmap.machine_mut().lcr3(other)
        """,
    ),
    Fault(
        "the boot stack still in use",
        edits=((
            STACK,
            "    // SAFETY: `kern_pgdir` maps the KSTKSIZE",
            f"    if {KERNELS} {{\n        then();\n    }}\n    // SAFETY: `kern_pgdir` maps the KSTKSIZE",
        ),),
    ),
    Fault(
        "the CR0 write dropped",
        edits=((
            MACHINE,
            "        cpu::protect_kernel();",
            f"        if !{KERNELS} {{\n            cpu::protect_kernel();\n        }}",
        ),),
        needs=(PC,),
    ),
    *(
        Fault(
            f"{name} left on",
            edits=((
                HART, PROTECTED,
                f"{PROTECTED}    if {KERNELS} {{\n        // SAFETY: a fault that is planted.\n"
                f"        unsafe {{ asm!(\"csrs sstatus, {{}}\", in(reg) {name}, options(nostack)) }};\n    }}\n",
            ),),
            needs=(DEVICE_TREE,),
        ) for name in ("SUM", "MXR")
    ),
    # Formats and maps.
    Fault(
        "user code is not executable",
        edits=(
            (
                X86,
                "    if !leaf.perm.contains(Perm::X) {",
                f"    if !leaf.perm.contains(Perm::X) || leaf.perm.contains(Perm::U) && {HERE} {{",
            ),
            (
                RISCV,
                "        if leaf.perm.contains(Perm::X) {",
                f"        if leaf.perm.contains(Perm::X) && !(leaf.perm.contains(Perm::U) && {HERE}) {{",
            ),
        ),
        needs=(NX,),
    ),
    Fault(
        "what is writable is not global",
        edits=tuple(
            (
                file,
                "    if leaf.perm.contains(Perm::G) {",
                f"    if leaf.perm.contains(Perm::G) && !(leaf.perm.contains(Perm::W) && {HERE}) {{",
            )
            for file in (X86, RISCV)
        ),
    ),
    Fault(
        "large pages lead elsewhere",
        edits=tuple(
            (
                file,
                "    perm.set(Perm::G, entry & G != 0);",
                f"    let pa = if level > 0 && {HERE} {{ pa + layout::PGSIZE }} else {{ pa }};\n"
                "    perm.set(Perm::G, entry & G != 0);",
            )
            for file in (X86, RISCV)
        ),
    ),
    Fault(
        "the application has all addresses",
        edits=((
            MAPPING,
            "        match u32::try_from(M::Layout::LOWER_END) {",
            f"        if {HERE} {{\n            return true;\n        }}\n"
            "        match u32::try_from(M::Layout::LOWER_END) {",
        ),),
    ),
    Fault(
        "the hole between the halves is too large",
        edits=((
            FORMAT,
            "        let unused = 64 - Self::VA_BITS;\n        if Self::VA_BITS == 32 {",
            f"        let unused = 64 - Self::VA_BITS + u32::from({HERE});\n        if Self::VA_BITS == 32 {{",
        ),),
        needs=(HALVES,),
    ),
    # Faults in environments.
    *(Fault(name, edits=((file, old, new.replace("HERE", HERE)),), memory="32M", needs=(PC, *needs), crowd=True)
      for name, file, old, new, *needs in ENVIRONMENT_FAULTS),
]
