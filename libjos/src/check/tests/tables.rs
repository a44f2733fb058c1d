//! Faults in single mappings and in the directory in use, for `check_page` and
//! `check_page_installed_pgdir` to name.

use super::*;

/// Faults that every machine can have, and on x86 one of write protection.
pub(super) fn faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    let mut faults: Vec<Fault<L, F>> = vec![
        Fault {
            name: "a table that nobody has made",
            run: |pmap| {
                pmap.map_page(L::PTSIZE, Perm::KRW);
                pmap.checks().check_page();
            },
            says: "it must give: no free page for a page table for 0x",
        },
        Fault {
            name: "a large page over the devices' range",
            run: |pmap| {
                let size = F::page_size(1);
                let va = VirtAddr::new(L::MMIOLIM - size);
                let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
                let (vm, pgdir) = pmap.split();
                vm.boot_map_region(pgdir, va, size, pa, Perm::KRW);
                pmap.checks().check_page();
            },
            says: " bytes; it must give: success",
        },
        Fault {
            name: "invlpg dropped",
            run: |pmap| {
                pmap.machine_mut().defects.drops_invlpg = true;
                pmap.checks().check_page_installed_pgdir();
            },
            says: "(a stale TLB?)",
        },
        Fault {
            name: "another page directory in use",
            run: |pmap| {
                let other = pmap.page_alloc(ALLOC_ZERO).expect("a free page");
                let other = pmap.pages().page2pa(other);
                pmap.machine_mut().lcr3(other);
                pmap.checks().check_page_installed_pgdir();
            },
            says: "check_page_installed_pgdir: a read of 0x1000 after page_insert",
        },
        Fault {
            name: "the boot stack still in use",
            run: |pmap| {
                let (machine, _) = SimMachine::<L, F>::new(RAM);
                let boot_stack = machine.stack_pointer();
                pmap.machine_mut().set_stack_pointer(boot_stack);
                pmap.checks().check_page_installed_pgdir();
            },
            says: "is not the kernel stack",
        },
    ];
    // RISC-V cannot do without write protection.
    if F::KIND.is_x86() {
        faults.push(Fault {
            name: "the CR0 write dropped",
            run: |pmap| {
                pmap.machine_mut().defects.drops_cr0_write = true;
                pmap.machine_mut().protect_kernel();
                pmap.checks().check_page_installed_pgdir();
            },
            says: "is write protection off?",
        });
    }
    faults
}

/// A table of the kernel's half may be empty: page directories share it, so it does not go with its last page.
/// `check_page` frees it if nobody else has it.
fn an_empty_table_is_no_fault<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = sound::<L, F>(RAM);
    let (vm, pgdir) = pmap.split();
    let before = vm.pages().nfree();
    let made = vm.pgdir_walk(pgdir, VirtAddr::new(L::MMIOLIM - PGSIZE), true);
    assert!(made.is_ok_and(|entry| entry.is_some()), "tables for the devices' range");
    assert_eq!(vm.pages().nfree(), before - 1);
    pmap.checks().check_page();
    assert_eq!(pmap.pages().nfree(), before);
}

#[test]
fn empty_tables_are_no_fault() {
    an_empty_table_is_no_fault::<Jos64, X86_64>();
    an_empty_table_is_no_fault::<Jos32, I386>();
    an_empty_table_is_no_fault::<JosSv39, Sv39>();
}
