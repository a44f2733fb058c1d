//! Address spaces of environments, of which there are none in this lab: none can be made.

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::vm::Vm;
use uvm::UvmError;

/// An address space. No value of it is used.
#[derive(Debug)]
pub struct AddressSpace {
    pgdir: Pgdir,
}

impl AddressSpace {
    /// Makes an address space.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], always.
    pub fn uvmcreate<M: Machine>(_vm: &mut Vm<M>) -> Result<Self, MapError> {
        Err(MapError::NoMemory { va: VirtAddr::new(0) })
    }

    pub(crate) fn none() -> Self {
        Self { pgdir: Pgdir::new(PhysAddr::new(0)) }
    }

    /// Gives it up.
    ///
    /// # Panics
    ///
    /// Always, as all that follow: there is none.
    pub fn uvmfree<M: Machine>(self, _vm: &mut Vm<M>) -> usize {
        none()
    }

    /// Loads its page directory.
    ///
    /// # Panics
    ///
    /// Always.
    pub fn switchuvm<M: Machine>(&mut self, _vm: &mut Vm<M>) {
        none()
    }

    pub(crate) fn has_followed<M: Machine>(&self, _vm: &Vm<M>) -> bool {
        none()
    }

    /// Its page directory.
    #[must_use]
    pub fn pgdir(&self) -> &Pgdir {
        &self.pgdir
    }

    pub(crate) fn user_pgdir_mut(&mut self) -> &mut Pgdir {
        &mut self.pgdir
    }

    pub(crate) fn fill<M: Machine>(&self, _vm: &mut Vm<M>, _va: VirtAddr, _bytes: &[u8]) {
        none()
    }

    /// Copies bytes to its memory.
    ///
    /// # Errors
    ///
    /// None.
    ///
    /// # Panics
    ///
    /// Always.
    pub fn copyout<M: Machine>(
        &mut self,
        _vm: &mut Vm<M>,
        _va: VirtAddr,
        _bytes: &[u8],
    ) -> Result<(), UvmError> {
        none()
    }
}

fn none() -> ! {
    unreachable!("there are no address spaces in this lab")
}

pub mod uvm {
    //! Errors of user memory.

    use crate::mem::addr::VirtAddr;

    /// Why a program may not have something.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum UvmError {
        /// There are not enough free pages.
        NoMemory {
            /// The first address that was to be mapped.
            va: VirtAddr,
        },
        /// The program may not do that to this address.
        NoAccess {
            /// The first such address.
            va: VirtAddr,
        },
    }
}
