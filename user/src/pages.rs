//! The frames of the machine, as the kernel shows them at UPAGES.

use core::ptr;

use layout::MemLayout;
use libjos::mem::pages::PageInfo;

use crate::arch::Layout;
use crate::uvpt::mapped;

/// The number of frames that are allocated.
#[must_use]
pub fn in_use() -> usize {
    let (upages, uvpt) = (Layout::UPAGES as usize, Layout::UVPT as usize);
    let frames =
        mapped(upages, uvpt).flat_map(|(va, end, _)| (va..end).step_by(size_of::<PageInfo>()));
    let states = frames.map(|va| {
        let info = ptr::with_exposed_provenance::<PageInfo>(va);
        // SAFETY: the kernel shows an array of these there, and each pattern of bits is one. The read is volatile, since the
        // kernel writes there.
        unsafe { ptr::read_volatile(&raw const (*info).pp_link) }
    });
    states.filter(|&link| link == PageInfo::IN_USE).count()
}
