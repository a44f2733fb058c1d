//! [`Areas`]: the addresses that are taken, and the handlers of their faults.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::fmt;
use core::ops::Range;

use layout::{MemLayout, PGSIZE, round_down};
use spin::MutexGuard;

use super::Access;
use crate::app::Platform;
use crate::machine::Fault;
use crate::mem::addr::VirtAddr;

/// The addresses of all areas: the upper half of the application's. The heap has those below.
#[must_use]
pub const fn area_addresses<L: MemLayout>() -> Range<u64> {
    round_down(L::LOWER_END / 2, L::PTSIZE)..L::USTACKTOP
}

/// A page fault in an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaFault {
    /// The page's number in the area.
    pub page: usize,
    /// Bytes from the area's start to the address.
    pub offset: u64,
    /// Whether the page was mapped, so that its permissions forbade the access.
    pub present: bool,
    /// Whether the access was a write.
    pub write: bool,
}

/// Handles a fault in one area. True means that the access can be tried again.
pub(super) type Handler = Box<dyn FnMut(AreaFault) -> bool + Send>;

/// The areas of an application.
pub struct Areas {
    addresses: Range<u64>,
    taken: BTreeMap<VirtAddr, Reserved>,
}

/// The addresses of one area, and their handler.
pub(super) struct Reserved {
    npages: usize,
    /// `None` while the handler runs, too.
    handler: Option<Handler>,
}

impl Areas {
    /// No areas yet, on a machine with the map `L`.
    #[must_use]
    pub const fn new<L: MemLayout>() -> Self {
        Self { addresses: area_addresses::<L>(), taken: BTreeMap::new() }
    }

    /// Takes the lowest addresses that have room for `npages` pages and an unused one behind them.
    pub(super) fn reserve(&mut self, npages: usize) -> Option<VirtAddr> {
        let needed = (npages as u64).checked_add(1)?.checked_mul(PGSIZE)?;
        let mut start = VirtAddr::new(self.addresses.start);
        for (base, area) in &self.taken {
            if *base - start >= needed {
                break;
            }
            start = *base + (area.npages as u64 + 1) * PGSIZE;
        }
        if VirtAddr::new(self.addresses.end) - start < needed {
            return None;
        }
        self.taken.insert(start, Reserved { npages, handler: None });
        Some(start)
    }

    /// Makes `handler` the one of the area at `base`, and returns its predecessor. Drop that when
    /// nothing is locked any more: it may own other areas.
    pub(super) fn set_handler(&mut self, base: VirtAddr, handler: Handler) -> Option<Handler> {
        self.taken.get_mut(&base)?.handler.replace(handler)
    }

    /// Frees the addresses of the area at `base`. Drop the result when nothing is locked any more:
    /// the handler may own other areas.
    pub(super) fn release(&mut self, base: VirtAddr) -> Option<Reserved> {
        let area = self.taken.remove(&base);
        if self.taken.is_empty() {
            // An empty map may still hold memory.
            self.taken = BTreeMap::new();
        }
        area
    }

    /// The area that `va` lies in, and its first address.
    fn find(&mut self, va: VirtAddr) -> Option<(VirtAddr, &mut Reserved)> {
        let (&base, area) = self.taken.range_mut(..=va).next_back()?;
        (va - base < area.npages as u64 * PGSIZE).then_some((base, area))
    }
}

impl fmt::Debug for Areas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.taken.iter().map(|(base, area)| (base, area.npages))).finish()
    }
}

/// Locks the areas of `platform`.
///
/// # Panics
///
/// Panics if they are locked already. There is one processor, so waiting would take forever.
pub(super) fn lock(platform: &dyn Platform) -> MutexGuard<'_, Areas> {
    platform.areas().try_lock().expect("the areas are asked for while they change")
}

/// Lets the handler of an area resolve `fault`, and returns whether the access can be tried again.
/// A platform calls this for each page fault of the application.
///
/// It waits for nothing, since it runs in the page-fault handler. A fault while the areas change is
/// a bug, and is not resolved.
pub fn resolve(platform: &dyn Platform, fault: &Fault) -> bool {
    let Some(mut areas) = platform.areas().try_lock() else { return false };
    let Some((base, area)) = areas.find(fault.va) else { return false };
    // Without its handler the area resolves no fault of the handler's own.
    let Some(mut handler) = area.handler.take() else { return false };
    drop(areas);

    let offset = fault.va - base;
    let page = (offset / PGSIZE) as usize;
    let Fault { present, write, .. } = *fault;
    let mut resolved = handler(AreaFault { page, offset, present, write });
    if resolved {
        // An access that is still forbidden would fault again, forever.
        platform.with_memory(&mut |memory| {
            let now = memory.translate(base + page as u64 * PGSIZE);
            resolved = now.is_some_and(|now| !write || now.access == Access::ReadWrite);
        });
    }

    // Put the handler back, unless it has set another. Then drop it when nothing is locked any more:
    // it may own other areas.
    let mut handler = Some(handler);
    if let Some(area) = lock(platform).taken.get_mut(&base)
        && area.handler.is_none()
    {
        core::mem::swap(&mut area.handler, &mut handler);
    }
    resolved
}

#[cfg(test)]
mod tests;
