//! Stands for `device_tree` on machines whose loaders pass none: there is no [`DeviceTree`], so the compiler leaves out
//! all that would be done with one.

use core::convert::Infallible;
use core::iter::Empty;
use core::marker::PhantomData;

use libjos::mem::memory_map::MemoryMapEntry;

use super::{BootInfo, BootInfoError, PhysWindow, Reserved};

/// The magic of a device tree, which no loader of this machine passes.
pub const DEVICE_TREE_MAGIC: u32 = 0xD00D_FEED;

/// No device tree. `PhantomData` uses the lifetime.
#[derive(Clone, Debug)]
pub(super) struct DeviceTree<'a>(Infallible, PhantomData<&'a ()>);

/// No regions either.
pub(super) type Regions<'a> = DeviceTree<'a>;

pub(super) fn parse(_at: u64, _window: PhysWindow<'_>) -> Result<BootInfo<'_>, BootInfoError> {
    unreachable!("no loader of this machine passes a device tree")
}

impl<'a> DeviceTree<'a> {
    pub(super) fn memory_regions(&self) -> Regions<'a> {
        match self.0 {}
    }

    pub(super) fn reserved(&self) -> Empty<Reserved> {
        match self.0 {}
    }
}

impl Iterator for DeviceTree<'_> {
    type Item = MemoryMapEntry;

    fn next(&mut self) -> Option<MemoryMapEntry> {
        match self.0 {}
    }
}
