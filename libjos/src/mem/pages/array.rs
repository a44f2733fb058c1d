//! [`PageArray`]: the memory of `pages`, and its owner that keeps it valid.

use core::ptr::NonNull;

use super::info::PageInfo;

/// The owner of memory that could go before its user does: a block of a simulated machine's RAM. A
/// kernel's memory stays.
#[cfg(any(test, feature = "std"))]
type Owner = Option<std::sync::Arc<dyn core::any::Any + Send + Sync>>;
#[cfg(not(any(test, feature = "std")))]
type Owner = ();

/// Memory for an array of [`PageInfo`]s: initialised, and valid for reads and writes as long as this
/// value lives.
///
/// This memory is RAM, to which anyone can write through
/// [`PhysMem::store`](crate::machine::PhysMem::store). So its user, [`Pages`](super::Pages), holds
/// no reference into it while other code may run, and relies on no value in it for memory safety.
#[derive(Debug)]
pub struct PageArray {
    memory: NonNull<[PageInfo]>,
    /// Held for its `Drop`.
    _owner: Owner,
}

impl PageArray {
    /// Memory that is valid for ever.
    ///
    /// # Safety
    ///
    /// The memory is initialised, aligned, and valid for reads and writes from now on. While the
    /// array lives, nobody has a reference into it but the users of such arrays. Whatever else
    /// accesses it (the machine whose RAM it is, a processor through UPAGES) does so on the thread
    /// that has the array, or not while that thread does. A machine that can be sent to another
    /// thread must see to this.
    #[must_use]
    pub unsafe fn new(memory: NonNull<[PageInfo]>) -> Self {
        Self { memory, _owner: Owner::default() }
    }

    /// Memory that is valid as long as `owner` lives. The array has a share in the owner.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new), but for that end.
    #[cfg(any(test, feature = "std"))]
    #[must_use]
    pub unsafe fn of(
        memory: NonNull<[PageInfo]>,
        owner: std::sync::Arc<dyn core::any::Any + Send + Sync>,
    ) -> Self {
        Self { memory, _owner: Some(owner) }
    }

    /// The address and length of the memory.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<[PageInfo]> {
        self.memory
    }
}
