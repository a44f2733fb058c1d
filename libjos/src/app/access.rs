//! Permissions of a page, its translation, and why a request for pages fails.

use core::fmt;

use crate::mem::addr::PhysAddr;
use crate::paging::error::MapError;
use crate::paging::format::Perm;

/// The permissions of a page. (An application never maps executable pages.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
}

impl Access {
    /// The permissions in a page table: an application runs in the kernel's mode.
    pub(super) const fn perm(self) -> Perm {
        match self {
            Self::Read => Perm::KR,
            Self::ReadWrite => Perm::KRW,
        }
    }

    /// The access that `perm` grants to an application.
    pub(super) const fn of(perm: Perm) -> Self {
        if perm.contains(Perm::W) { Self::ReadWrite } else { Self::Read }
    }
}

/// `r-` or `rw`.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "r-",
            Self::ReadWrite => "rw",
        })
    }
}

/// The frame that a page is mapped to, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The frame's physical address.
    pub pa: PhysAddr,
    /// The page's permissions.
    pub access: Access,
    /// The number of pages that are mapped to the frame.
    pub pp_ref: u32,
}

/// Why a request for pages failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VmError {
    /// There are not enough free frames.
    OutOfMemory {
        /// Pages that were asked for.
        asked: usize,
        /// Frames that are free.
        free: usize,
    },
    /// No gap between the areas is large enough.
    OutOfAddresses {
        /// Pages that were asked for.
        asked: usize,
    },
    /// The page tables cannot be changed as asked.
    Map(MapError),
}

impl fmt::Display for VmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { asked, free } => {
                write!(f, "out of memory: {asked} pages asked for, {free} are free")
            }
            Self::OutOfAddresses { asked } => {
                write!(f, "out of addresses: {asked} pages in a row asked for")
            }
            Self::Map(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for VmError {}

impl From<MapError> for VmError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}
