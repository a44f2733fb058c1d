//! Page tables in print.

use layout::{JosSv39, MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::{Entry, Format, Perm};
use libjos::paging::mappings::{leaves, steps};
use libjos::paging::vmprint::{vmprint, vmprint_folded};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;

use super::rig::{ZERO, with_space};

on_every_format! {
    tables_in_print
}

/// Every line that is printed is an entry that is there, and every leaf is printed.
fn tables_in_print<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    space.uvmalloc(&mut pmap, 0, 2 * PGSIZE, Perm::W).unwrap();
    let text = vmprint::<F, _>(pmap.machine(), space.pgdir().address()).to_string();
    let mut lines = text.lines();
    let width = if F::LEVELS == 2 { "0x12345678".len() } else { "0x123456789abcdef0".len() };
    assert_eq!(
        lines.next(),
        Some(format!("page table {:#0width$x}", space.pgdir().address().as_u64()).as_str())
    );
    let mut nleaves = 0;
    for line in lines {
        let (dots, rest) = line.rsplit_once("..").unwrap();
        let depth = dots.len() / 3 + 1;
        assert_eq!(format!("{dots}.."), " ..".repeat(depth));
        let numbers: Vec<u64> = rest
            .split([':', ' '])
            .filter_map(|word| word.strip_prefix("0x"))
            .map(|digits| u64::from_str_radix(digits, 16).unwrap())
            .collect();
        let [va, pte, pa] = numbers[..] else { panic!("{line}") };
        assert_eq!(rest, format!("{va:#0width$x}: pte {pte:#0width$x} pa {pa:#0width$x}"));
        let step = steps::<F, _>(pmap.machine(), space.pgdir().address(), VirtAddr::new(va))
            .nth(depth - 1)
            .unwrap();
        let found = match step.entry {
            Entry::Table { pa, .. } => pa,
            Entry::Leaf(leaf) => leaf.pa,
            Entry::Absent | Entry::Pending { .. } => panic!("{line}"),
        };
        assert_eq!((step.word, found.as_u64()), (pte, pa), "{line}");
        nleaves += usize::from(matches!(step.entry, Entry::Leaf(_)));
    }
    let last = VirtAddr::new(u64::MAX);
    assert_eq!(
        nleaves,
        leaves::<F, _>(pmap.machine(), space.pgdir().address(), ZERO, last).count()
    );

    // Folded, the kernel's half ends with the window.
    let text = vmprint_folded::<F, _>(pmap.machine(), space.pgdir().address()).to_string();
    let large = if F::LEVELS == 2 { "4 MB" } else { "2 MB" };
    let window = text.lines().last().unwrap();
    assert!(window.contains(&format!(" of 4 KB to {large} pages, pa ")), "{window}");
}

/// Tables made by hand, to the letter.
#[test]
fn the_form_of_what_is_printed() {
    let (machine, _) = SimMachine::<JosSv39, Sv39>::new(4 * MB);
    let store = |pa, word: u64| machine.store(PhysAddr::new(pa), word);
    store(0x8010_0000, 0x2004_0401);
    store(0x8010_1000, 0x2004_0801);
    store(0x8010_1008, 0x2010_00d7);
    store(0x8010_2000, 0x2004_0c5b);
    store(0x8010_2008, 0x2004_105b);
    store(0x8010_0000 + 511 * 8, 0x2004_1401);
    store(0x8010_5000 + 511 * 8, 0x2000_004b);
    let root = PhysAddr::new(0x8010_0000);
    assert_eq!(
        vmprint::<Sv39, _>(&machine, root).to_string(),
        "\
page table 0x0000000080100000
 ..0x0000000000000000: pte 0x0000000020040401 pa 0x0000000080101000
 .. ..0x0000000000000000: pte 0x0000000020040801 pa 0x0000000080102000
 .. .. ..0x0000000000000000: pte 0x0000000020040c5b pa 0x0000000080103000
 .. .. ..0x0000000000001000: pte 0x000000002004105b pa 0x0000000080104000
 .. ..0x0000000000200000: pte 0x00000000201000d7 pa 0x0000000080400000
 ..0xffffffffc0000000: pte 0x0000000020041401 pa 0x0000000080105000
 .. ..0xffffffffffe00000: pte 0x000000002000004b pa 0x0000000080000000
"
    );
    // Up to an address, which may be the first one of an entry, or the last one before it.
    let up_to = |last| vmprint::<Sv39, _>(&machine, root).up_to(VirtAddr::new(last)).to_string();
    assert!(
        up_to(0x20_0000)
            .ends_with(" .. ..0x0000000000200000: pte 0x00000000201000d7 pa 0x0000000080400000\n")
    );
    assert!(
        up_to(0x1f_ffff)
            .ends_with("0x0000000000001000: pte 0x000000002004105b pa 0x0000000080104000\n")
    );
    assert_eq!(
        vmprint_folded::<Sv39, _>(&machine, root).to_string(),
        "\
page table 0x0000000080100000
 ..0x0000000000000000-0x0000000000001fff ur-x- 8 KB of 4 KB pages, pa 0x0000000080103000
 ..0x0000000000200000-0x00000000003fffff urw-- 2 MB of 2 MB pages, pa 0x0000000080400000
 ..0xffffffffffe00000-0xffffffffffffffff -r-x- 2 MB of 2 MB pages, pa 0x0000000080000000
"
    );
    // Pages of two sizes in one run: 2 MB and, right behind it, 4 KB.
    store(0x8010_1010, 0x2004_1801);
    store(0x8010_6000, 0x2018_00d7);
    let folded = vmprint_folded::<Sv39, _>(&machine, root).to_string();
    let run = " ..0x0000000000200000-0x0000000000400fff urw-- 2052 KB of 4 KB to 2 MB pages, \
               pa 0x0000000080400000";
    assert_eq!(folded.lines().nth(2), Some(run));
    store(0x8010_0010, 0x2000_00d7);
    let folded = vmprint_folded::<Sv39, _>(&machine, root).to_string();
    let run =
        " ..0x0000000080000000-0x00000000bfffffff urw-- 1 GB of 1 GB pages, pa 0x0000000080000000";
    assert_eq!(folded.lines().nth(3), Some(run));
}
