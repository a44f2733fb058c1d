//! Exercises 10 to 12: `page_lookup`, `page_remove`, `page_insert`.

use layout::{MemLayout, PGSIZE};

use super::{Rig, assert_list, called, lab_tests, some_addresses, spare};
use crate::machine::{Machine, PhysMem};
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{Frame, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::mappings::{leaves, steps};
use crate::paging::word::Word;
use crate::sim::mmu::Mmu;

/// A large page that the machine can map at level 1.
const LARGE: PhysAddr = PhysAddr::new(0x4000_0000);

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    /// Where `va` leads, and with which permissions.
    fn leads(&self, va: VirtAddr) -> Option<(PhysAddr, Perm)> {
        leaves::<F, _>(self.vm.machine(), self.root(), va, va)
            .next()
            .map(|leaf| (leaf.pa, leaf.perm))
    }

    /// A frame in use, mapped at `va` by hand, and counted.
    fn mapped(&mut self, va: VirtAddr) -> (Frame, PhysAddr) {
        let (frame, pa) = self.alloc();
        self.map(va, pa, Perm::URW);
        self.vm.pages_mut().page_incref(frame).expect("a frame in use");
        (frame, pa)
    }

    /// Lets the processor use `va`, so that it keeps the translation.
    fn touch(&mut self, va: VirtAddr) {
        let seen = self.vm.machine_mut().probe_load(va);
        assert!(seen.is_ok(), "the processor cannot read at {va}: {seen:?}");
    }

    fn insert(&mut self, frame: Frame, va: VirtAddr, perm: Perm) -> Result<(), MapError> {
        called("page_insert", || self.vm.page_insert(&mut self.pgdir, frame, va, perm))
    }

    fn remove(&mut self, va: VirtAddr) -> Result<(), MapError> {
        called("page_remove", || self.vm.page_remove(&mut self.pgdir, va))
    }

    fn assert_ref(&self, frame: Frame, wanted: u32, when: &str) {
        let found = self.pp_ref(frame);
        assert!(found == wanted, "{when} the frame's pp_ref must be {wanted}, but is {found}");
    }
}

lab_tests! {
    e10_page_lookup_finds_the_frame_and_its_entry
    e10_page_lookup_gives_nothing_else
    e11_page_remove_clears_the_entry_and_frees_the_frame
    e11_page_remove_of_one_of_two_mappings
    e11_page_remove_makes_the_processor_forget
    e11_page_remove_of_nothing_and_of_a_large_page
    e11_page_remove_above_utop_counts_nothing
    e12_page_insert_maps_and_counts
    e12_page_insert_of_the_same_frame_changes_permissions_alone
    e12_page_insert_replaces_another_frame
    e12_page_insert_without_memory_changes_nothing
    e12_page_insert_refuses_a_free_frame
    e12_page_insert_above_utop_counts_nothing
    e12_page_insert_into_a_large_page
}

fn e10_page_lookup_finds_the_frame_and_its_entry<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    for va in some_addresses::<L, F>() {
        let at = rig.map(va, spare::<L>(), Perm::UR);
        let found = called("page_lookup", || rig.vm.page_lookup(&rig.pgdir, va + 9));
        let Some((frame, pte)) = found else {
            panic!("page_lookup of {va}, which is mapped, gives nothing")
        };
        let pa = rig.vm.pages().page2pa(frame);
        assert!(
            pa == spare::<L>() && pte.pa == at,
            "page_lookup of {va}, mapped to {} by the entry at {at}, gives {pa}, {}",
            spare::<L>(),
            pte.pa
        );
    }
}

fn e10_page_lookup_gives_nothing_else<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let va = VirtAddr::new(PGSIZE);
    let found = called("page_lookup", || rig.vm.page_lookup(&rig.pgdir, va));
    assert!(found.is_none(), "page_lookup of {va}, for which there is no table, gives {found:?}");
    rig.map(va, LARGE, Perm::KRW);
    let found = called("page_lookup", || rig.vm.page_lookup(&rig.pgdir, va));
    assert!(
        found.is_none(),
        "page_lookup of {va}, mapped to a device at {LARGE} that `pages` does not describe, gives {found:?}"
    );
    rig.put(va, 0, F::Word::ZERO);
    let found = called("page_lookup", || rig.vm.page_lookup(&rig.pgdir, va));
    assert!(found.is_none(), "page_lookup of {va}, whose entry is absent, gives {found:?}");
    let large = VirtAddr::new(F::page_size(1));
    rig.put(large, 1, F::leaf(1, PhysAddr::new(L::PHYS_BASE), Perm::KRW));
    let found = called("page_lookup", || rig.vm.page_lookup(&rig.pgdir, large));
    assert!(found.is_none(), "page_lookup of {large}, in a large page, gives {found:?}");
}

fn e11_page_remove_clears_the_entry_and_frees_the_frame<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    for va in some_addresses::<L, F>() {
        let (frame, _) = rig.mapped(va);
        let removed = rig.remove(va + 3);
        assert!(removed == Ok(()), "page_remove of {va} gives {removed:?}");
        let leads = rig.leads(va);
        assert!(
            leads.is_none(),
            "after page_remove {va} must lead nowhere, but leads to {leads:?}"
        );
        assert!(
            rig.is_free(frame),
            "after page_remove of its only mapping the frame must be free, but its pp_ref is {}",
            rig.pp_ref(frame)
        );
    }
    assert_list(rig.vm.pages(), 32, "after page_remove");
}

fn e11_page_remove_of_one_of_two_mappings<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let [one, other, ..] = some_addresses::<L, F>();
    let (frame, pa) = rig.mapped(one);
    rig.map(other, pa, Perm::UR);
    rig.vm.pages_mut().page_incref(frame).unwrap();
    assert!(rig.remove(one) == Ok(()), "page_remove of {one} fails");
    rig.assert_ref(frame, 1, "after page_remove of one of its two mappings");
    assert!(rig.leads(other).is_some(), "page_remove of {one} has unmapped {other} too");
}

fn e11_page_remove_makes_the_processor_forget<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let va = VirtAddr::new(PGSIZE);
    let (_, pa) = rig.mapped(va);
    rig.map(va, pa, Perm::KRW);
    rig.touch(va);
    assert!(rig.remove(va) == Ok(()), "page_remove of {va} fails");
    let seen = rig.vm.machine_mut().probe_load(va);
    assert!(
        seen.is_err(),
        "after page_remove the processor can still read at {va}: its TLB has the old translation (tlb_invalidate, after the entry is cleared)"
    );
}

fn e11_page_remove_of_nothing_and_of_a_large_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let va = VirtAddr::new(PGSIZE);
    let removed = rig.remove(va);
    assert!(
        removed == Ok(()),
        "page_remove of {va}, for which there is no table, must do nothing, but gives {removed:?}"
    );
    rig.put(va, 0, F::Word::ZERO);
    let removed = rig.remove(va);
    assert!(
        removed == Ok(()),
        "page_remove of {va}, which is not mapped, must do nothing, but gives {removed:?}"
    );
    let large = VirtAddr::new(F::page_size(1));
    rig.put(large, 1, F::leaf(1, LARGE, Perm::KRW));
    let removed = rig.remove(large);
    let wanted = Err(MapError::large_page(large, F::page_size(1)));
    assert!(
        removed == wanted,
        "page_remove in a large page must give {wanted:?}, but gives {removed:?}"
    );
    assert!(rig.leads(large).is_some(), "page_remove, refused, has unmapped the large page");
}

fn e11_page_remove_above_utop_counts_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, pa) = rig.alloc();
    let va = VirtAddr::new(L::KERNBASE);
    rig.map(va, pa, Perm::KRW);
    assert!(rig.remove(va) == Ok(()), "page_remove of {va} fails");
    assert!(rig.leads(va).is_none(), "after page_remove {va} is mapped");
    assert!(
        !rig.is_free(frame),
        "page_remove of {va}, above UTOP where no mapping counts, has freed the frame"
    );
    rig.assert_ref(frame, 0, "after page_remove above UTOP, where no mapping counts,");
}

fn e12_page_insert_maps_and_counts<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, pa) = rig.alloc();
    for (count, va) in (1..).zip(some_addresses::<L, F>()) {
        let inserted = rig.insert(frame, va + 1, Perm::UR);
        assert!(inserted == Ok(()), "page_insert at {va} gives {inserted:?}");
        let (leads, wanted) = (rig.leads(va), Some((pa, F::effective(Perm::UR))));
        assert!(
            leads == wanted,
            "after page_insert {va} must lead to {wanted:?}, but leads to {leads:?}"
        );
        rig.assert_ref(frame, count, "after page_insert");
    }
}

fn e12_page_insert_of_the_same_frame_changes_permissions_alone<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, pa) = rig.alloc();
    let va = VirtAddr::new(PGSIZE);
    for perm in [Perm::KR, Perm::URW, Perm::KRW, Perm::KRW] {
        let inserted = rig.insert(frame, va, perm);
        assert!(inserted == Ok(()), "page_insert of the same frame at {va} gives {inserted:?}");
        assert!(
            !rig.is_free(frame),
            "page_insert of the frame that {va} leads to already has freed it: count the new mapping before the old one goes"
        );
        rig.assert_ref(frame, 1, "after page_insert of the same frame at the same address");
        let (leads, wanted) = (rig.leads(va), Some((pa, F::effective(perm))));
        assert!(
            leads == wanted,
            "after page_insert {va} must lead to {wanted:?}, but leads to {leads:?}"
        );
    }
}

fn e12_page_insert_replaces_another_frame<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (old, _) = rig.alloc();
    let (new, pa) = rig.alloc();
    let va = VirtAddr::new(PGSIZE);
    assert!(rig.insert(old, va, Perm::KRW) == Ok(()), "page_insert fails");
    rig.touch(va);
    rig.vm.machine().store::<u32>(pa, 0x1234_5678);
    assert!(rig.insert(new, va, Perm::KRW) == Ok(()), "page_insert over another frame fails");
    assert!(
        rig.is_free(old),
        "after page_insert over its only mapping the old frame must be free, but its pp_ref is {}",
        rig.pp_ref(old)
    );
    rig.assert_ref(new, 1, "after page_insert over another frame");
    let seen = rig.vm.machine_mut().probe_load(va).map(|word| word as u32);
    assert!(
        seen == Ok(0x1234_5678),
        "after page_insert over another frame the processor reads {seen:x?} at {va}, not the new frame's word (tlb_invalidate?)"
    );
}

fn e12_page_insert_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    for left in 0..F::LEVELS as usize - 1 {
        let mut rig = Rig::<L, F>::with_free_frames();
        let (frame, _) = rig.alloc();
        rig.leave(left);
        let va = VirtAddr::new(PGSIZE);
        let inserted = rig.insert(frame, va, Perm::URW);
        let wanted = Err(MapError::NoMemory { va });
        assert!(
            inserted == wanted,
            "page_insert with {left} free frames, too few for the tables, must give {wanted:?}, but gives {inserted:?}"
        );
        assert_list(rig.vm.pages(), left, "after page_insert that failed for want of memory");
        rig.assert_ref(frame, 0, "after page_insert that failed for want of memory");
    }
}

fn e12_page_insert_refuses_a_free_frame<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let frame = Frame::new(rig.vm.pages().page_free_list_head());
    let wanted = Err(MapError::FreePage { pa: rig.vm.pages().page2pa(frame) });
    for va in [VirtAddr::new(0), VirtAddr::new(L::KERNBASE)] {
        let inserted = rig.insert(frame, va, Perm::KRW);
        assert!(
            inserted == wanted,
            "page_insert of a free frame at {va} must give {wanted:?}, but gives {inserted:?}"
        );
        assert!(rig.leads(va).is_none(), "page_insert, refused, has mapped {va}");
    }
}

fn e12_page_insert_above_utop_counts_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, pa) = rig.alloc();
    let va = VirtAddr::new(L::KERNBASE);
    let inserted = rig.insert(frame, va, Perm::KRW | Perm::G);
    assert!(inserted == Ok(()), "page_insert at {va} gives {inserted:?}");
    let (leads, wanted) = (rig.leads(va), Some((pa, F::effective(Perm::KRW | Perm::G))));
    assert!(
        leads == wanted,
        "after page_insert {va} must lead to {wanted:?}, but leads to {leads:?}"
    );
    rig.assert_ref(frame, 0, "after page_insert above UTOP, where no mapping counts,");
}

fn e12_page_insert_into_a_large_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, _) = rig.alloc();
    let va = VirtAddr::new(F::page_size(1));
    rig.put(va, 1, F::leaf(1, LARGE, Perm::KRW));
    let inserted = rig.insert(frame, va, Perm::KRW);
    let wanted = Err(MapError::large_page(va, F::page_size(1)));
    assert!(
        inserted == wanted,
        "page_insert into a large page must give {wanted:?}, but gives {inserted:?}"
    );
    rig.assert_ref(frame, 0, "after page_insert into a large page, which is refused,");
    let entry = steps::<F, _>(rig.vm.machine(), rig.root(), va).last().unwrap().entry;
    assert!(
        matches!(entry, Entry::Leaf(Leaf { pa: LARGE, .. })),
        "page_insert, refused, has changed the large page's entry to {entry:?}"
    );
}
