//! The kernel's half of the address space.

use layout::MemLayout;

use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::error::MapError;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::vm::Vm;

impl<M: Machine> Vm<M> {
    /// Refuses [`Perm::G`] for a page of the application's half, where other address spaces would have another one.
    pub(crate) fn check_global(&self, va: VirtAddr, perm: Perm) -> Result<(), MapError> {
        let is_own = va.as_u64() < M::Layout::LOWER_END;
        if perm.contains(Perm::G) && is_own && M::Format::is_canonical(va) {
            return Err(MapError::Global { va });
        }
        Ok(())
    }
}
