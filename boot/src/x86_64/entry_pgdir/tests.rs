//! The entry page tables map the window twice, and nothing else.

use super::*;
use core::sync::atomic::Ordering;

fn entry(table: &Table, i: usize) -> u64 {
    table.0[i].load(Ordering::Relaxed).addr() as u64
}

/// The entry that `link` must make for `table` at its address on the host.
fn link_to(table: &Table) -> u64 {
    (ptr::from_ref(table).addr() as u64).wrapping_sub(Jos64::KERNBASE) | PTE_W | PTE_P
}

/// Translates `va` by walking from the root, as the processor does.
fn translate(va: u64) -> Option<u64> {
    let mut table = &entry_pgdir;
    for (level, next) in
        [(PML4E_SIZE, [&LOW_DIRECTORY, &HIGH_DIRECTORY]), (PDPTE_SIZE, [&LOW_PAGES, &HIGH_PAGES])]
    {
        let e = entry(table, index(va, level));
        table = next.into_iter().find(|next| e == link_to(next))?;
    }
    let e = entry(table, index(va, PDE_SIZE));
    (e & PTE_P != 0).then(|| {
        assert_eq!(e % PDE_SIZE, PTE_PS | PTE_W | PTE_P, "flags of {va:#x}");
        e - e % PDE_SIZE + va % PDE_SIZE
    })
}

#[test]
fn maps_the_window_twice_and_nothing_else() {
    let step = if cfg!(miri) { 16 * PDE_SIZE + 0x1000 } else { 0x1000 };
    for pa in (0..Jos64::WINDOW_SIZE).step_by(step as usize) {
        assert_eq!(translate(pa), Some(pa));
        assert_eq!(translate(Jos64::KERNBASE + pa), Some(pa));
    }
    let used = |table: &Table| (0..512).filter(|&i| entry(table, i) != 0).count();
    assert_eq!(used(&entry_pgdir), 2);
    assert_eq!((used(&LOW_DIRECTORY), used(&HIGH_DIRECTORY)), (1, 1));
    assert_eq!((used(&LOW_PAGES), used(&HIGH_PAGES)), (128, 128));
}
