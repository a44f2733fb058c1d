//! Accesses that may fault: of the memory that the entry code maps, at 0 and in the window.

use layout::{MemLayout, PGSIZE};
use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;

use super::Layout;
use super::trap::Trap;
use crate::window;

/// The pointer to the `size` bytes at `va`.
fn at<T>(va: u64, write: bool) -> Result<*mut T, Fault> {
    let offset = va.checked_sub(Layout::KERNBASE).unwrap_or(va);
    if offset + size_of::<T>() as u64 <= Layout::WINDOW_SIZE - PGSIZE {
        Ok(window::at(offset))
    } else {
        Err(Fault { va: VirtAddr::new(va), present: false, write })
    }
}

pub(crate) fn load(va: u64) -> Result<u64, Fault> {
    // SAFETY: the window's memory, which may hold any numbers.
    at::<u64>(va, false).map(|at| unsafe { at.read_unaligned() })
}

pub(crate) fn load_byte(va: u64) -> Result<u8, Fault> {
    // SAFETY: as in `load`.
    at::<u8>(va, false).map(|at| unsafe { at.read() })
}

pub(crate) fn load_user(va: u64) -> Result<u64, Fault> {
    load(va)
}

pub(crate) unsafe fn store(va: u64, value: u64) -> Result<(), Fault> {
    // SAFETY: as in `load`; no Rust object lies there.
    at::<u64>(va, true).map(|at| unsafe { at.write_unaligned(value) })
}

pub(crate) unsafe fn store_byte(va: u64, value: u8) -> Result<(), Fault> {
    // SAFETY: as in `store`.
    at::<u8>(va, true).map(|at| unsafe { at.write(value) })
}

pub(crate) unsafe fn copy(_to: u64, _from: u64, _length: usize) {
    unimplemented!("the host maps no areas")
}

pub(crate) fn recover(_trap: &mut Trap<'_>) -> bool {
    false
}
