//! What can be done with a page of an area, what it is mapped to, and why a call for pages failed.

use core::fmt;

use crate::mem::addr::PhysAddr;
use crate::paging::format::Perm;
use crate::paging::pgdir::MapError;

/// What may be done with a page. (Nothing that an application maps can be executed.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
}

impl Access {
    /// In a page table: the kernel's, for that is what runs.
    pub(in crate::app) const fn perm(self) -> Perm {
        match self {
            Self::Read => Perm::KR,
            Self::ReadWrite => Perm::KRW,
        }
    }

    /// What `perm` lets an application do.
    pub(in crate::app) const fn of(perm: Perm) -> Self {
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

/// What a page is mapped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The frame's physical address.
    pub pa: PhysAddr,
    /// What may be done with it here.
    pub access: Access,
    /// How many addresses lead to the frame.
    pub pp_ref: u32,
}

/// Why a call for pages failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VmError {
    /// There are not enough free pages.
    OutOfMemory {
        /// Pages that were asked for.
        asked: usize,
        /// Pages that are free.
        free: usize,
    },
    /// There are not enough addresses in a row.
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
