//! [`Areas`]: where areas are, and who handles their faults.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Range;

use layout::{MemLayout, PGSIZE, round_down};
use spin::MutexGuard;

use super::{Access, VmArea};
use crate::app::Platform;
use crate::machine::Fault;
use crate::mem::addr::VirtAddr;

/// The addresses that areas may have: from half way up the application's. What lies below is the heap's.
#[must_use]
pub const fn area_addresses<L: MemLayout>() -> Range<u64> {
    round_down(L::LOWER_END / 2, L::PTSIZE)..L::USTACKTOP
}

/// A page fault in an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaFault {
    /// The page of the area.
    pub page: usize,
    /// Bytes from the area's start to the address.
    pub offset: u64,
    /// Whether the page was there, so that its permissions forbade the access.
    pub present: bool,
    /// Whether the access was a write.
    pub write: bool,
}

/// Decides about a fault: true means that the access can be tried again.
pub(super) type Handler = Box<dyn FnMut(&VmArea, AreaFault) -> bool + Send>;

/// The areas that there are.
pub struct Areas {
    /// The addresses that they may have.
    addresses: Range<u64>,
    taken: BTreeMap<VirtAddr, Reserved>,
}

/// Addresses that are taken.
pub(super) struct Reserved {
    npages: usize,
    /// None while it runs, too.
    handler: Option<Handler>,
}

impl Areas {
    /// None yet, of a machine with the map `L`.
    #[must_use]
    pub const fn new<L: MemLayout>() -> Self {
        Self { addresses: area_addresses::<L>(), taken: BTreeMap::new() }
    }

    /// Takes the first `npages` pages in a row that are free, with one more behind them.
    pub(super) fn reserve(&mut self, npages: usize) -> Option<VirtAddr> {
        let needed = (npages as u64).checked_add(1)?.checked_mul(PGSIZE)?;
        let mut start = VirtAddr::new(self.addresses.start);
        for (base, taken) in &self.taken {
            if *base - start >= needed {
                break;
            }
            start = *base + (taken.npages as u64 + 1) * PGSIZE;
        }
        if VirtAddr::new(self.addresses.end) - start < needed {
            return None;
        }
        self.taken.insert(start, Reserved { npages, handler: None });
        Some(start)
    }

    /// Makes `handler` that of the area at `base`. What comes back is the one before.
    pub(super) fn set_handler(&mut self, base: VirtAddr, handler: Handler) -> Option<Handler> {
        self.taken.get_mut(&base)?.handler.replace(handler)
    }

    /// Gives the addresses from `base` on free. What comes back is to be dropped when nothing is
    /// locked any more: a handler may own other areas.
    pub(super) fn release(&mut self, base: VirtAddr) -> Option<Reserved> {
        let taken = self.taken.remove(&base);
        if self.taken.is_empty() {
            // An empty map may still hold memory.
            self.taken = BTreeMap::new();
        }
        taken
    }

    /// The area that `va` lies in, and where it begins.
    fn find(&mut self, va: VirtAddr) -> Option<(VirtAddr, &mut Reserved)> {
        let (&base, taken) = self.taken.range_mut(..=va).next_back()?;
        (va - base < taken.npages as u64 * PGSIZE).then_some((base, taken))
    }
}

impl fmt::Debug for Areas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.taken.iter().map(|(base, taken)| (base, taken.npages))).finish()
    }
}

/// The areas of `platform`.
///
/// # Panics
///
/// Where they are in use. There is one processor, so waiting would be for ever.
pub(super) fn lock(platform: &dyn Platform) -> MutexGuard<'_, Areas> {
    platform.areas().try_lock().expect("the areas are asked for while they change")
}

/// Asks the handler of the area that `fault` happened in. Whether the access can be tried again.
/// This runs in the page-fault handler, so it waits for nothing: a fault amid a change of the areas
/// is a bug, and nobody resolves it.
pub(in crate::app) fn resolve(platform: &dyn Platform, fault: &Fault) -> bool {
    let Some(mut areas) = platform.areas().try_lock() else { return false };
    let Some((base, taken)) = areas.find(fault.va) else { return false };
    // The application has the one that its pages go back with.
    let area = ManuallyDrop::new(VmArea { base, npages: taken.npages });
    // Taken out while it runs, so that a fault of its own is the end.
    let Some(mut handler) = taken.handler.take() else { return false };
    drop(areas);

    let offset = fault.va - base;
    let page = (offset / PGSIZE) as usize;
    let Fault { present, write, .. } = *fault;
    let resolved = handler(&area, AreaFault { page, offset, present, write })
        // Or the same fault would come again for ever.
        && area.translate(page).is_some_and(|now| !write || now.access == Access::ReadWrite);

    // Back in its place, unless it has put another there. Then it is dropped when nothing is locked
    // any more: it may own other areas.
    let mut handler = Some(handler);
    if let Some(taken) = lock(platform).taken.get_mut(&base)
        && taken.handler.is_none()
    {
        core::mem::swap(&mut taken.handler, &mut handler);
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use layout::Jos64;

    use crate::sim::{SimPlatform, platform::current};

    #[test]
    fn all_addresses_can_be_taken() {
        let Range { start, end } = area_addresses::<Jos64>();
        let all = ((end - start) / PGSIZE) as usize;
        let mut areas = Areas::new::<Jos64>();
        assert_eq!(areas.reserve(all), None, "a page behind it is needed");
        assert_eq!(areas.reserve(all - 1), Some(VirtAddr::new(start)));
        assert_eq!(areas.reserve(0), None);
    }

    /// It is a bug, to be reported. Waiting until the change is done would be for ever.
    #[test]
    fn a_fault_while_areas_change_is_not_resolved() {
        let run = SimPlatform::new().run(|| {
            let area = VmArea::reserve(1).unwrap();
            area.on_fault(|area, _| area.map(0..1, Access::ReadWrite).is_ok());
            let fault = Fault { va: area.base(), present: false, write: false };
            let platform = current().unwrap();
            let change = lock(&*platform);
            assert!(!resolve(&*platform, &fault));
            drop(change);
            assert!(resolve(&*platform, &fault));
        });
        assert!(run.code.is_success());
    }

    #[test]
    #[should_panic(expected = "the areas are asked for while they change")]
    fn areas_are_not_asked_for_while_they_change() {
        SimPlatform::new().run(|| {
            let platform = current().unwrap();
            let _change = lock(&*platform);
            let _ = VmArea::reserve(1);
        });
    }

    #[test]
    fn an_area_ends_where_the_page_behind_it_begins() {
        let mut areas = Areas::new::<Jos64>();
        let base = areas.reserve(2).unwrap();
        let mut found =
            |offset| areas.find(base + offset).map(|(base, taken)| (base, taken.npages));
        assert_eq!(found(2 * PGSIZE - 1), Some((base, 2)));
        assert_eq!(found(2 * PGSIZE), None);
        assert_eq!(std::format!("{areas:?}"), "{VirtAddr(0x400000000000): 2}");
    }
}
