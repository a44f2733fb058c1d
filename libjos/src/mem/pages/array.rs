//! The memory that `pages` takes, and what keeps it valid.

use core::ptr::NonNull;

use super::info::PageInfo;

/// What memory belongs to, where it could go before its user does: a block of a simulated
/// machine's RAM. A kernel's memory stays.
#[cfg(any(test, feature = "std"))]
type Owner = Option<std::sync::Arc<dyn core::any::Any + Send + Sync>>;
#[cfg(not(any(test, feature = "std")))]
type Owner = ();

/// Memory for an array of [`PageInfo`]s: initialised, and valid for reads and writes as long as this
/// value lives.
///
/// It is RAM of the machine, which anyone can write to through
/// [`PhysMem::store`](crate::machine::PhysMem::store). So its user ([`Pages`](super::Pages)) holds
/// no reference into it while other code may run, and relies on no value in it for memory's safety.
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
    /// It is initialised, aligned, and valid for reads and writes from now on. As long as the array
    /// lives, nobody has a reference into it but the users of such arrays, and whatever else
    /// accesses it (the machine that it is RAM of, a processor through UPAGES) does so on the thread
    /// that has the array, or not while that thread does. A machine that can be sent to another
    /// thread must see to that.
    #[must_use]
    pub unsafe fn new(memory: NonNull<[PageInfo]>) -> Self {
        Self { memory, _owner: Owner::default() }
    }

    /// Memory that is valid as long as `owner` lives, in which the array has a share.
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

    /// Where it is.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<[PageInfo]> {
        self.memory
    }
}
