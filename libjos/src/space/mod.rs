//! Address spaces, and user memory in them as xv6 has it.
//!
//! | module | holds |
//! |---|---|
//! | here | [`AddressSpace`]: made, given up, switched to |
//! | [`uvm`] | user memory: grown, shrunk, guarded |
//! | `duplicate`, [`cow`] | user memory copied, at once or on write |
//! | [`copy`] | `copyin`, `copyout` |

pub mod copy;
pub mod cow;
mod duplicate;
pub mod uvm;

use crate::machine::Machine;
use crate::mem::addr::PhysAddr;
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::vm::Vm;

/// A process's memory (xv6's `p->pagetable` and `p->sz`): its own below UTOP, above it the kernel's.
///
/// [`uvmcreate`](Self::uvmcreate) makes one and [`uvmfree`](Self::uvmfree) gives it up. `kern_pgdir`
/// is none. As [`Pgdir`] says, to drop one panics in debug builds.
#[derive(PartialEq, Eq, Debug)]
pub struct AddressSpace {
    pgdir: Pgdir,
    sz: u64,
    /// The state of the kernel's half that `pgdir` has followed ([`Vm::switch_followed`]); 0 if not known.
    followed: u64,
}

impl AddressSpace {
    /// Makes an address space with nothing below UTOP (xv6's `uvmcreate`, JOS's `env_setup_vm`).
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], with UENVS as the address; nothing has changed then.
    ///
    /// # Panics
    ///
    /// As [`Vm::pgdir_create`].
    pub fn uvmcreate<M: Machine>(vm: &mut Vm<M>) -> Result<Self, MapError> {
        let pgdir = vm.pgdir_create()?;
        Ok(Self { pgdir, sz: 0, followed: vm.kernel_half() })
    }

    /// Stands for no address space, where one belongs. Not to be used, nor dropped.
    pub(crate) fn none() -> Self {
        Self { pgdir: Pgdir::new(PhysAddr::new(0)), sz: 0, followed: 0 }
    }

    /// Gives all of it up (xv6's `uvmfree`, JOS's `env_free`), as [`Vm::pgdir_free`]. Returns how many
    /// frames became free.
    ///
    /// # Panics
    ///
    /// As [`Vm::pgdir_free`].
    pub fn uvmfree<M: Machine>(self, vm: &mut Vm<M>) -> usize {
        vm.pgdir_free(self.pgdir)
    }

    /// Loads its page directory (xv6's `switchuvm`), as [`Vm::switch`]. [`Vm::switchkvm`] loads
    /// `kern_pgdir` again.
    ///
    /// # Panics
    ///
    /// As [`Vm::switch`].
    #[inline]
    pub fn switchuvm<M: Machine>(&mut self, vm: &mut Vm<M>) {
        vm.switch_followed(&mut self.pgdir, &mut self.followed);
    }

    /// Whether it has followed the kernel's half, so that [`switchuvm`](Self::switchuvm) only loads it.
    #[inline]
    pub(crate) fn has_followed<M: Machine>(&self, vm: &Vm<M>) -> bool {
        self.followed == vm.kernel_half()
    }

    /// The page directory.
    pub fn pgdir(&self) -> &Pgdir {
        &self.pgdir
    }

    /// The page directory, to change what it maps.
    pub fn pgdir_mut(&mut self) -> &mut Pgdir {
        self.followed = 0;
        &mut self.pgdir
    }

    /// The page directory, to change what it maps below UTOP.
    pub(crate) fn user_pgdir_mut(&mut self) -> &mut Pgdir {
        &mut self.pgdir
    }

    /// Bytes of user memory, from address 0 on; not always whole pages. [`sbrk`](Self::sbrk) keeps
    /// it up to date.
    #[must_use]
    pub fn sz(&self) -> u64 {
        self.sz
    }

    /// Sets the size to what [`uvmalloc`](Self::uvmalloc) or [`uvmdealloc`](Self::uvmdealloc) has
    /// returned.
    pub fn set_sz(&mut self, sz: u64) {
        self.sz = sz;
    }
}
