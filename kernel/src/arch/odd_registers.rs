//! `test=registers` and `test=registers-handled`: a fault with a different value in every register, so
//! that the report shows if it confuses two registers.
//!
//! The second first causes a fault that an application's handler resolves, so that the report also
//! shows if handling a fault changes a register. Each machine's `registers.rs` has the code.

use core::hint::black_box;

use layout::MemLayout;
use libjos::app::area::{Access, VmArea, area_addresses};

use super::Layout;
use super::machine::registers::{NOWHERE, load, store_and_fault};
use crate::faults::fault::succeed;

/// The middle of the kernel's stack, and not aligned: a fault can come with any stack pointer.
pub(super) const STACK: u64 = Layout::KSTACKTOP - Layout::KSTKSIZE / 2 + 8;
/// The address of the first area.
pub(super) const AREAS_START: u64 = area_addresses::<Layout>().start;

/// Faults at once.
pub(super) fn fault() {
    // SAFETY: no code runs at NOWHERE: fetching it faults.
    unsafe { load(NOWHERE) }
}

/// Faults in an area, whose handler maps a page; then faults like [`fault`].
pub(super) fn fault_after_handled() {
    let area = succeed(VmArea::reserve(1));
    assert!(area.base().as_u64() == AREAS_START, "no other area was made");
    area.on_fault(|area, fault| {
        is_0(fault.page) && area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok()
    });
    // SAFETY: the code needs no register but those that `load` sets for it, and writes to an area, where no Rust object
    // lies.
    unsafe { load(store_and_fault as *const () as u64) }
}

/// Whether `number` is 0, by a calculation in the processor's registers for such numbers, if it has some.
#[inline(never)]
fn is_0(number: usize) -> bool {
    black_box(number as f64) + 0.5 == 0.5
}
