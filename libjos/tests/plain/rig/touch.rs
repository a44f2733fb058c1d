//! Use of pages by the processor, which has a TLB, before and after an operation.

use std::collections::BTreeSet;

use layout::{MemLayout, PGSIZE};
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::{Format, Perm};
use libjos::sim::SimMachine;
use libjos::sim::mmu::{Exception, Mmu};

use super::Rig;
use crate::plain::ops::Op;
use crate::plain::page_size;

/// The bit of a page fault's error code for a reserved bit in an entry.
const RSVD: u32 = 1 << 3;

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    /// The pages at the ends of what `op` is about, within it and outside.
    pub(super) fn around(&self, op: &Op) -> Vec<u64> {
        let below = |sz: u64| (sz.saturating_sub(3 * PGSIZE), 4 * PGSIZE);
        let (va, size) = match *op {
            Op::Map { span, .. } | Op::Unmap { span, .. } | Op::Protect { span, .. } => {
                span.range::<L, F>()
            }
            Op::Insert { place, .. }
            | Op::Remove { place, .. }
            | Op::Prune { place, .. }
            | Op::CowFault { place, .. }
            | Op::Clearpteu { place, .. }
            | Op::Walk { place, .. } => (place.va::<L, F>(), PGSIZE),
            Op::Merge { place, .. } => (place.va::<L, F>(), page_size::<F>(1)),
            Op::Uvmalloc { old, new, .. } | Op::Uvmdealloc { old, new, .. } => {
                let (old, new) = (old.bytes::<L, F>(), new.bytes::<L, F>());
                (old.min(new), old.abs_diff(new) + PGSIZE)
            }
            Op::Sbrk { space, .. } => below(self.sizes[space]),
            Op::Uvmcopy { size, .. } | Op::Uvmcow { size, .. } => below(size.bytes::<L, F>()),
            Op::Copyin { bytes, .. } | Op::Copyout { bytes, .. } => {
                (bytes.va::<L, F>(), bytes.len + PGSIZE)
            }
            _ => (page_size::<F>(1), PGSIZE),
        };
        let (va, size) = (va / PGSIZE * PGSIZE, size / PGSIZE * PGSIZE);
        let inside = (0..size.min(6 * PGSIZE)).step_by(PGSIZE as usize).map(|offset| va + offset);
        let large = page_size::<F>(1);
        let ends = [
            va.wrapping_sub(PGSIZE),
            (va + size).wrapping_sub(PGSIZE),
            va + size,
            va / large * large,
            va / large * large + (large - PGSIZE),
            va + size / 2 / PGSIZE * PGSIZE,
        ];
        let around: BTreeSet<u64> = inside.chain(ends).filter(|va| *va <= L::VA_LAST).collect();
        around.into_iter().collect()
    }

    /// Whether there is memory at `pa`, as there is for all RAM and one device.
    fn has_memory(pa: u64) -> bool {
        (L::PHYS_BASE..Self::device().1).contains(&pa)
    }

    /// The addresses of the kernel's that the model has: the part for devices, and where there are
    /// no halves what lies between UTOP and UPAGES.
    pub(super) fn modelled(va: u64) -> bool {
        (L::MMIOBASE..L::MMIOLIM).contains(&va) || !L::HALVES && (L::UTOP..L::UPAGES).contains(&va)
    }

    /// Reads and writes at `va` as the kernel and as the user: each access must do what the
    /// model says.
    pub(super) fn touch(&mut self, va: u64) {
        if va >= L::UENVS && !Self::modelled(va) {
            return;
        }
        let found = self.plain.translate(self.loaded, va);
        let backed = found.is_some_and(|(pa, _)| Self::has_memory(pa.as_u64()));
        let mut reserved = false;
        let va = VirtAddr::new(va);
        for (user, write) in [(false, false), (true, false), (false, true), (true, true)] {
            let allowed = found.is_some_and(|(_, perm)| {
                perm.contains(Perm::U) == user && (!write || perm.contains(Perm::W))
            });
            if found.is_some() && !backed && (allowed || write) {
                continue;
            }
            self.stamp += 1;
            let (stamp, machine) = (self.stamp, self.pmap.machine_mut());
            let load = |machine: &mut SimMachine<L, F>| match user {
                true => machine.user_load(va),
                false => machine.probe_load(va),
            };
            let done = match (user, write) {
                (_, false) => load(machine).map(Some),
                (false, true) => machine.probe_store(va, stamp).map(|()| None),
                (true, true) => machine.user_store(va, stamp).map(|()| None),
            };
            let what = (user, write);
            match (allowed, done, found) {
                (true, Ok(Some(value)), Some((pa, _))) => {
                    let expected = self.plain.memory.word(pa.as_u64());
                    assert_eq!(value, expected, "read at {va} {what:?}");
                    // There may be the same elsewhere, but not what is written now.
                    machine.store(pa, stamp);
                    assert_eq!(load(machine), Ok(stamp), "read again at {va} {what:?}");
                    self.plain.memory.write(pa.as_u64(), stamp);
                }
                (true, Ok(None), Some((pa, _))) => {
                    assert_eq!(machine.load::<u64>(pa), stamp, "a write to {va} went astray");
                    self.plain.memory.write(pa.as_u64(), stamp);
                }
                (_, done, _) => {
                    let fault = Fault { va, present: found.is_some(), write };
                    assert_eq!((allowed, done), (false, Err(fault)), "(user, write) is {what:?}");
                    reserved |= matches!(self.pmap.machine().exception,
                        Some(Exception::PageFault(code)) if code & RSVD != 0);
                }
            }
        }
        // An entry can hold wider addresses than an x86-64 processor has. To the processor, an entry with such an
        // address leads to no page; it does not mark it.
        if reserved {
            assert!(!backed, "{va} leads to memory by an entry with reserved bits");
            return;
        }
        let writable = found.is_some_and(|(_, perm)| perm.contains(Perm::W));
        self.plain.touch(self.loaded, va.as_u64(), backed && writable);
    }
}
