//! The processor keeps translations and tables until it is told to forget them: Intel SDM vol. 3A, 4.10.2 to 4.10.4;
//! RISC-V privileged specification, 12.2.1.

use layout::{Jos64, JosSv39, MemLayout};
use libjos::machine::{CpuSet, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::Format;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::sim::mmu::{Exception, Mmu};

use super::rig::*;

/// Two pages of one table, and one of another table.
const VA: u64 = 0x1234_5000;
const NEAR: u64 = VA + 0x1000;
const FAR: u64 = VA + 0x40_0000;

/// The numbers of two tables of the last level for the first two pages, and one for the third.
const LAST: u64 = 8;
const OTHER: u64 = 9;
const LAST_FAR: u64 = 10;

/// How entries are written by hand.
trait ByHand: Format + Mmu {
    /// One that leads to the table at `pa`.
    fn to_table(pa: u64) -> u64;
    /// A user's page, marked as used, that can be written only if `writable`.
    fn to_page(pa: u64, writable: bool) -> u64;
    /// The bit that makes it global.
    const GLOBAL: u64;
    /// The bit that makes it executable, where there is one.
    const EXECUTABLE: u64;
}

macro_rules! by_hand {
    (x86: $($format:ty),*) => {$(
        impl ByHand for $format {
            fn to_table(pa: u64) -> u64 {
                pa | 0b111
            }
            fn to_page(pa: u64, writable: bool) -> u64 {
                pa | 0b0110_0101 | u64::from(writable) << 1
            }
            const GLOBAL: u64 = 1 << 8;
            const EXECUTABLE: u64 = 0;
        }
    )*};
    (risc_v: $($format:ty),*) => {$(
        impl ByHand for $format {
            fn to_table(pa: u64) -> u64 {
                pa >> 2 | 1
            }
            fn to_page(pa: u64, writable: bool) -> u64 {
                pa >> 2 | 0b1101_0011 | u64::from(writable) << 2
            }
            const GLOBAL: u64 = 1 << 5;
            const EXECUTABLE: u64 = 1 << 3;
        }
    )*};
}

by_hand!(x86: X86_64, La57, I386);
by_hand!(risc_v: Sv39, Sv48);

/// The `n`th frame, the first word of which is `n`.
fn frame<L: MemLayout, F: ByHand>(rig: &Rig<L, F>, n: u64) -> u64 {
    let pa = L::PHYS_BASE + 0x20_0000 + n * 0x1000;
    rig.machine.store(PhysAddr::new(pa), n);
    pa
}

/// Tables for all three, which lead to frames 1, 2 and 3, as seen by the user.
fn mapped<L: MemLayout, F: ByHand>() -> Rig<L, F> {
    let mut rig = Rig::<L, F>::new();
    for level in 2..F::LEVELS {
        let n = u64::from(F::LEVELS - 1 - level);
        let next = F::to_table(rig.table(n + 1));
        rig.write(n, level, VA, next);
        rig.write(n, level, FAR, next);
    }
    let n = u64::from(F::LEVELS - 2);
    let (last, far) = (rig.table(LAST), rig.table(LAST_FAR));
    rig.write(n, 1, VA, F::to_table(last));
    rig.write(n, 1, FAR, F::to_table(far));
    for (i, (table, va)) in (1..).zip([(LAST, VA), (LAST, NEAR), (LAST_FAR, FAR)]) {
        let page = F::to_page(frame(&rig, i), true);
        rig.write(table, 0, va, page);
    }
    // These addresses by another table.
    for (i, va) in [(5, VA), (6, NEAR)] {
        let page = F::to_page(frame(&rig, i), true);
        rig.write(OTHER, 0, va, page);
    }
    rig.machine.made_valid(None);
    rig
}

/// The first word of the frame at `pa`.
fn frame_value<L: MemLayout, F: ByHand>(rig: &Rig<L, F>, pa: u64) -> u64 {
    rig.machine.load(PhysAddr::new(pa))
}

/// The words that the user reads at the three addresses.
fn seen<L: MemLayout, F: ByHand>(rig: &mut Rig<L, F>) -> [Option<u64>; 3] {
    [VA, NEAR, FAR].map(|va| rig.access(UserLoad, va).ok())
}

/// Writes the entry that leads to the last table of the first two pages.
fn link<L: MemLayout, F: ByHand>(rig: &mut Rig<L, F>, entry: u64) {
    rig.write(u64::from(F::LEVELS - 2), 1, VA, entry);
}

fn translations_are_kept<L: MemLayout, F: ByHand>() {
    let mut rig = mapped::<L, F>();
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)]);
    for (table, va) in [(LAST, VA), (LAST, NEAR), (LAST_FAR, FAR)] {
        rig.write(table, 0, va, 0);
    }
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)], "{}: kept", F::NAME);
    assert_eq!(rig.access(UserStore, FAR), Ok(7), "{}: for a store too", F::NAME);
    rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(NEAR + 8));
    assert_eq!(seen(&mut rig), [Some(1), None, Some(7)], "{}: one is forgotten", F::NAME);
    rig.machine.flush_tlb(CpuSet::ALL);
    assert_eq!(seen(&mut rig), [None; 3], "{}: all are", F::NAME);
}

fn tables_are_kept<L: MemLayout, F: ByHand>() {
    let x86 = F::KIND.is_x86();
    let mut rig = mapped::<L, F>();
    let other = F::to_table(rig.table(OTHER));
    assert_eq!(rig.access(UserLoad, VA), Ok(1));
    link(&mut rig, other);
    // NEAR's translation was never known; the table that has it was.
    assert_eq!(rig.access(UserLoad, NEAR), Ok(2), "{}: the table is kept", F::NAME);
    // Whatever address INVLPG gets, it forgets all tables. SFENCE.VMA with an address forgets none.
    rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(FAR));
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)], "{}: pages are kept", F::NAME);
    rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(NEAR));
    assert_eq!(rig.access(UserLoad, NEAR), Ok(if x86 { 6 } else { 2 }), "{}", F::NAME);
    rig.machine.flush_tlb(CpuSet::ALL);
    assert_eq!(seen(&mut rig), [Some(5), Some(6), Some(3)], "{}", F::NAME);
}

/// A change of directory drops what is not global.
fn a_change_of_directory<L: MemLayout, F: ByHand>() {
    let mut rig = mapped::<L, F>();
    let (root, global) = (rig.table(0), F::to_page(frame(&rig, 2), true) | F::GLOBAL);
    rig.write(LAST, 0, NEAR, global);
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)]);
    let other = F::to_table(rig.table(OTHER));
    link(&mut rig, other);
    rig.machine.lcr3(PhysAddr::new(root));
    assert_eq!(seen(&mut rig), [Some(5), Some(2), Some(3)], "{}", F::NAME);
    // To x86 without CR4.PGE nothing is global.
    let mut rig = mapped::<L, F>();
    rig.machine.processor.control = NONE;
    rig.write(LAST, 0, NEAR, global);
    assert_eq!(rig.access(UserLoad, NEAR), Ok(2));
    rig.write(LAST, 0, NEAR, 0);
    rig.machine.lcr3(PhysAddr::new(root));
    let kept = rig.access(UserLoad, NEAR).is_ok();
    assert_eq!(kept, !F::KIND.is_x86(), "{}", F::NAME);
}

/// On x86 a page fault forgets what it came from, and so comes once.
fn page_faults<L: MemLayout, F: ByHand>() {
    let x86 = F::KIND.is_x86();
    let mut rig = mapped::<L, F>();
    let page = frame(&rig, 1);
    rig.write(LAST, 0, VA, F::to_page(page, false));
    assert_eq!(rig.access(UserLoad, VA), Ok(1));
    rig.write(LAST, 0, VA, F::to_page(page, true));
    assert!(rig.access(UserStore, VA).is_err(), "{}: still read-only", F::NAME);
    assert_eq!(rig.access(UserStore, VA).is_ok(), x86, "{}: and now?", F::NAME);
    // So with a table: what it lacks is found in the other one at the second try.
    rig.write(LAST, 0, NEAR, 0);
    let other = F::to_table(rig.table(OTHER));
    link(&mut rig, other);
    assert!(rig.access(UserLoad, NEAR).is_err());
    assert_eq!(rig.access(UserLoad, NEAR).ok(), x86.then_some(6), "{}", F::NAME);
    // Not that of FAR.
    assert_eq!(rig.access(UserLoad, FAR), Ok(3));
    rig.write(u64::from(F::LEVELS - 2), 1, FAR, 0);
    rig.write(LAST_FAR, 0, FAR + 0x1000, F::to_page(page, true));
    rig.access(UserLoad, 0).unwrap_err();
    assert!(rig.access(UserLoad, FAR + 0x1000).is_ok(), "{}", F::NAME);
}

/// For the first write to a page x86 walks the tables, to set D; not for one that it refuses.
#[test]
fn the_first_write() {
    let mut rig = mapped::<Jos64, X86_64>();
    let [first, fifth] = [1, 5].map(|n| frame(&rig, n));
    let clean = |pa, writable| X86_64::to_page(pa, writable) & !0x40;
    rig.write(LAST, 0, VA, clean(first, true));
    assert_eq!(rig.access(UserLoad, VA), Ok(1));
    rig.write(LAST, 0, VA, clean(fifth, true));
    assert_eq!(rig.access(UserLoad, VA), Ok(1));
    assert_eq!(rig.access(UserStore, VA), Ok(7));
    assert_eq!((rig.access(UserLoad, VA), frame_value(&rig, first)), (Ok(7), 1));
    assert_eq!(rig.read(LAST, 0, VA), X86_64::to_page(fifth, true));

    rig.write(LAST, 0, NEAR, clean(first, false));
    assert_eq!(rig.access(UserLoad, NEAR), Ok(1));
    rig.write(LAST, 0, NEAR, clean(first, true));
    assert_eq!(rig.access(UserStore, NEAR), Err(Exception::PageFault(0b111)));
    assert_eq!(rig.access(UserStore, NEAR), Ok(7));
}

/// The processor looks ahead: a flush that comes too early is none. But it leaves no marks, and on
/// x86 what is not marked is not kept.
fn looking_ahead<L: MemLayout, F: ByHand>() {
    let mut rig = mapped::<L, F>();
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)]);
    rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(VA));
    rig.write(LAST, 0, VA, 0);
    assert_eq!(rig.access(UserLoad, VA), Ok(1), "{}", F::NAME);
    rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(VA));
    assert!(rig.access(UserLoad, VA).is_err(), "{}", F::NAME);

    // So right after a page fault, before anything is repaired.
    let page = frame(&rig, 1);
    rig.write(LAST, 0, VA, F::to_page(page, false));
    rig.machine.made_valid(Some(VirtAddr::new(VA)));
    assert!(rig.access(UserStore, VA).is_err(), "{}", F::NAME);
    rig.write(LAST, 0, VA, 0);
    assert_eq!(rig.access(UserLoad, VA), Ok(1), "{}", F::NAME);

    // The last address used is what it looks at after a flush of everything.
    assert_eq!(rig.access(UserLoad, NEAR), Ok(2));
    rig.machine.flush_tlb(CpuSet::ALL);
    rig.write(LAST, 0, NEAR, 0);
    assert_eq!(rig.access(UserLoad, NEAR), Ok(2), "{}", F::NAME);

    if F::KIND.is_x86() {
        let unmarked = F::to_page(frame(&rig, 1), true) & !0x60;
        rig.write(LAST, 0, VA, unmarked);
        rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(VA));
        assert_eq!(rig.read(LAST, 0, VA), unmarked, "{}", F::NAME);
        rig.write(LAST, 0, VA, 0);
        assert_eq!(rig.access(UserLoad, VA), Err(Exception::PageFault(0b100)), "{}", F::NAME);
    }
}

/// RISC-V remembers that an entry is not valid, until a fence; x86 does not. The next page is told from
/// this one, and an entry of the last level from one that is to lead to a table.
fn entries_that_are_not_valid<L: MemLayout, F: ByHand>() {
    let x86 = F::KIND.is_x86();
    let mut rig = mapped::<L, F>();
    let [page, last] = [frame(&rig, 2), rig.table(LAST)];
    let (root, above) = (rig.table(0), u64::from(F::LEVELS - 2));
    for (what, forgets) in [("fence", true), ("flush", true), ("lcr3", true), ("other", false)] {
        rig.write(LAST, 0, NEAR, 0);
        rig.machine.flush_tlb(CpuSet::ALL);
        assert!(rig.access(UserLoad, NEAR).is_err());
        rig.write(LAST, 0, NEAR, F::to_page(page, true));
        assert_eq!(rig.access(UserLoad, NEAR).is_ok(), x86, "{}", F::NAME);
        match what {
            "fence" => rig.machine.made_valid(Some(VirtAddr::new(NEAR))),
            "flush" => rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(NEAR)),
            "lcr3" => rig.machine.lcr3(PhysAddr::new(root)),
            _ => rig.machine.made_valid(Some(VirtAddr::new(FAR))),
        }
        assert_eq!(rig.access(UserLoad, NEAR).is_ok(), x86 || forgets, "{}: {what}", F::NAME);
    }
    for (what, forgets) in [("fence", true), ("flush", true), ("page", false), ("invlpg", false)] {
        rig.write(above, 1, FAR, 0);
        rig.machine.flush_tlb(CpuSet::ALL);
        assert!(rig.access(UserLoad, FAR).is_err());
        rig.write(above, 1, FAR, F::to_table(last));
        rig.write(LAST, 0, FAR, F::to_page(page, true));
        assert_eq!(rig.access(UserLoad, FAR).is_ok(), x86, "{}", F::NAME);
        match what {
            "fence" => rig.machine.made_valid(None),
            "flush" => rig.machine.flush_tlb(CpuSet::ALL),
            "page" => rig.machine.made_valid(Some(VirtAddr::new(FAR))),
            _ => rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(FAR)),
        }
        assert_eq!(rig.access(UserLoad, FAR).is_ok(), x86 || forgets, "{}: {what}", F::NAME);
    }
}

/// All of a large page goes with any address in it; another one's stays.
#[test]
fn large_pages() {
    let mut rig = Rig::<Jos64, X86_64>::new();
    let [first, second] = [0, 0x20_0000];
    let tables = [rig.table(1) | 0b111, rig.table(2) | 0b111];
    for (va, page) in [(first, 0x87), (second, 0x20_0087)] {
        rig.lead(va, &[tables[0], tables[1], page]);
    }
    let pages = [first + 0x3000, first + 0x1f_f000, second];
    let seen = |rig: &mut Rig<_, _>| pages.map(|va| rig.access(UserLoad, va).is_ok());
    assert_eq!(seen(&mut rig), [true; 3]);
    rig.write(2, 1, first, 0);
    rig.write(2, 1, second, 0);
    assert_eq!(seen(&mut rig), [true; 3]);
    rig.machine.invlpg(CpuSet::ALL, VirtAddr::new(first + 0x10_0000));
    assert_eq!(seen(&mut rig), [false, false, true]);
}

/// A write to CR4 that turns global pages on forgets everything.
#[test]
fn turning_protection_on() {
    let mut rig = mapped::<Jos64, X86_64>();
    rig.machine.processor.control = NONE;
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)]);
    rig.write(LAST, 0, VA, 0);
    rig.machine.protect_kernel();
    assert_eq!((seen(&mut rig), rig.machine.processor.control), ([None, Some(2), Some(3)], ALL));
    rig.write(LAST, 0, NEAR, 0);
    rig.machine.protect_kernel();
    assert_eq!(seen(&mut rig), [None, Some(2), Some(3)], "nothing was turned on");
}

/// All pages below a global pointer are global (RISC-V privileged specification, 12.3.1).
#[test]
fn global_pointers() {
    let mut rig = mapped::<JosSv39, Sv39>();
    let (root, last) = (rig.table(0), Sv39::to_table(rig.table(LAST)));
    link(&mut rig, last | Sv39::GLOBAL);
    assert_eq!(seen(&mut rig), [Some(1), Some(2), Some(3)]);
    for (table, va) in [(LAST, VA), (LAST_FAR, FAR)] {
        rig.write(table, 0, va, 0);
    }
    rig.machine.lcr3(PhysAddr::new(root));
    assert_eq!(seen(&mut rig), [Some(1), Some(2), None]);
    // So is an entry there that is not valid.
    let (next, page) = (NEAR + 0x1000, Sv39::to_page(frame(&rig, 1), true));
    rig.access(UserLoad, next).unwrap_err();
    rig.write(LAST, 0, next, page);
    rig.machine.lcr3(PhysAddr::new(root));
    assert!(rig.access(UserLoad, next).is_err());
}

/// RISC-V executes what was there when it first fetched, until FENCE.I; no flush of translations helps.
fn instructions<L: MemLayout, F: ByHand>() {
    let x86 = F::KIND.is_x86();
    let mut rig = mapped::<L, F>();
    let code = F::to_page(frame(&rig, 1), false) | F::EXECUTABLE;
    rig.write(LAST, 0, VA, code);
    rig.machine.flush_tlb(CpuSet::ALL);
    assert_eq!(rig.access(UserFetch, VA), Ok(1));
    rig.machine.store(PhysAddr::new(L::PHYS_BASE + 0x20_1000), 9_u64);
    rig.machine.flush_tlb(CpuSet::ALL);
    assert_eq!(rig.access(UserFetch, VA), Ok(if x86 { 9 } else { 1 }), "{}", F::NAME);
    assert_eq!(rig.access(UserLoad, VA), Ok(9), "{}: a load sees it", F::NAME);
    rig.machine.processor.fence_i();
    assert_eq!(rig.access(UserFetch, VA), Ok(9), "{}", F::NAME);
}

on_every_format! {
    instructions
    translations_are_kept
    tables_are_kept
    a_change_of_directory
    page_faults
    looking_ahead
    entries_that_are_not_valid
}
