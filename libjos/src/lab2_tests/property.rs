//! Long sequences of calls, compared with a plain model after each: the grader's own tests. `LAB_SEED` repeats one.
//!
//! They call the functions in ways that the exercises' tests do not: many frames, addresses all over the application's half,
//! hardly any free memory, the processor's view after each change.

use std::collections::BTreeMap;
use std::vec::Vec;

use layout::{MemLayout, PGSIZE};

use super::{Rig, assert_list, called, lab_tests, some_addresses};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::mappings::leaves;
use crate::sim::mmu::Mmu;

lab_tests! {
    h01_frames_come_and_go
    h02_pages_are_mapped_and_unmapped
}

/// A source of numbers that look random: SplitMix64.
struct Numbers(u64);

impl Numbers {
    /// By `LAB_SEED`, or the time.
    fn new() -> Self {
        let given = std::env::var("LAB_SEED").ok().and_then(|seed| seed.parse().ok());
        let time = || std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.subsec_nanos().into());
        let seed = given.unwrap_or_else(time);
        std::println!("LAB_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % end as u64) as usize
    }
}

fn h01_frames_come_and_go<L: MemLayout, F: Format + Mmu>() {
    let mut numbers = Numbers::new();
    let mut rig = Rig::<L, F>::with_free_frames();
    let (mut held, mut free): (Vec<Frame>, usize) = (Vec::new(), 32);
    for _ in 0..400 {
        if numbers.below(2) == 0 {
            let given = called("page_alloc", || rig.vm.page_alloc(AllocFlags::empty()));
            assert!(
                given.is_some() == (free > 0),
                "page_alloc gives {given:?} with {free} free frames"
            );
            if let Some(frame) = given {
                assert!(!held.contains(&frame), "page_alloc gives {frame:?}, which is in use");
                held.push(frame);
                free -= 1;
            }
        } else if !held.is_empty() {
            let frame = held.swap_remove(numbers.below(held.len()));
            called("page_free", || rig.vm.pages_mut().page_free(frame));
            free += 1;
        }
        assert_list(rig.vm.pages(), free, "after page_alloc and page_free");
        for frame in &held {
            assert!(!rig.is_free(*frame), "{frame:?} is in use, but says that it is free");
        }
    }
}

/// The plain model: what is mapped where, with which permissions, and the tables that were made for it.
#[derive(Default)]
struct Model {
    pages: BTreeMap<u64, (Frame, Perm)>,
    tables: BTreeMap<(u32, u64), ()>,
}

impl Model {
    fn uses(&self, frame: Frame) -> usize {
        self.pages.values().filter(|(other, _)| *other == frame).count()
    }

    /// The tables that a page at `va` needs and that do not exist.
    fn missing<F: Format>(&self, va: u64) -> Vec<(u32, u64)> {
        let needed = (1..F::LEVELS).map(|level| (level, va / F::page_size(level)));
        needed.filter(|table| !self.tables.contains_key(table)).collect()
    }
}

fn h02_pages_are_mapped_and_unmapped<L: MemLayout, F: Format + Mmu>() {
    let mut numbers = Numbers::new();
    let mut rig = Rig::<L, F>::with_free_frames();
    let (mut model, mut held): (Model, Vec<Frame>) = (Model::default(), Vec::new());
    let addresses: Vec<VirtAddr> = some_addresses::<L, F>()
        .into_iter()
        .flat_map(|va| (0..3).map(move |page| va + page * PGSIZE))
        .collect();
    for _ in 0..300 {
        let va = addresses[numbers.below(addresses.len())];
        let key = va.as_u64();
        let nfree = rig.vm.pages().nfree();
        // A frame that was freed by its last mapping's end is no longer ours.
        held.retain(|frame| !rig.is_free(*frame));
        match numbers.below(5) {
            0 if nfree > 0 && held.len() < 12 => held.push(rig.alloc().0),
            0..3 if !held.is_empty() => {
                let frame = held[numbers.below(held.len())];
                let perm = [Perm::URW, Perm::UR, Perm::KRW, Perm::KR][numbers.below(4)];
                let missing = model.missing::<F>(key);
                let inserted =
                    called("page_insert", || rig.vm.page_insert(&mut rig.pgdir, frame, va, perm));
                if missing.len() > nfree {
                    let wanted = Err(MapError::NoMemory { va });
                    assert!(
                        inserted == wanted,
                        "page_insert at {va} without memory gives {inserted:?}"
                    );
                } else {
                    assert!(inserted == Ok(()), "page_insert at {va} gives {inserted:?}");
                    model.tables.extend(missing.into_iter().map(|table| (table, ())));
                    model.pages.insert(key, (frame, perm));
                }
            }
            _ => {
                let removed = called("page_remove", || rig.vm.page_remove(&mut rig.pgdir, va));
                assert!(removed == Ok(()), "page_remove of {va} gives {removed:?}");
                model.pages.remove(&key);
            }
        }
        compare(&mut rig, &model, &held, &addresses);
    }
}

/// The tables, the counts and the processor all say what the model says.
fn compare<L: MemLayout, F: Format + Mmu>(
    rig: &mut Rig<L, F>,
    model: &Model,
    held: &[Frame],
    addresses: &[VirtAddr],
) {
    for va in addresses {
        let wanted = model.pages.get(&va.as_u64());
        let wanted =
            wanted.map(|(frame, perm)| (rig.vm.pages().page2pa(*frame), F::effective(*perm)));
        let leaf = leaves::<F, _>(rig.vm.machine(), rig.root(), *va, *va).next();
        let leads = leaf.map(|leaf| (leaf.pa, leaf.perm));
        assert!(leads == wanted, "{va} must lead to {wanted:?}, but leads to {leads:?}");
        let found = called("va2pa", || rig.vm.va2pa(&rig.pgdir, *va));
        assert!(found == wanted.map(|(pa, _)| pa), "va2pa of {va} gives {found:?}, not {wanted:?}");
        let found = called("page_lookup", || rig.vm.page_lookup(&rig.pgdir, *va));
        let frame = model.pages.get(&va.as_u64()).map(|(frame, _)| *frame);
        let found = found.map(|(frame, _)| frame);
        assert!(found == frame, "page_lookup of {va} gives {found:?}, not {frame:?}");
        if wanted.is_none() {
            let seen = rig.vm.machine_mut().probe_load(*va);
            assert!(
                seen.is_err(),
                "{va} is not mapped, but the processor can read there: tlb_invalidate?"
            );
        }
    }
    for frame in held {
        let (uses, pp_ref) = (model.uses(*frame), rig.pp_ref(*frame) as usize);
        let freed = rig.is_free(*frame);
        assert!(
            freed && uses == 0 || pp_ref == uses,
            "{frame:?} has {uses} mappings, but its pp_ref is {pp_ref}"
        );
    }
}
