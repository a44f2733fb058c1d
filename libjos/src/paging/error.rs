//! [`MapError`]: why an operation on mappings was refused.

use core::fmt;

use layout::PGSIZE;

use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::CountError;

/// Why an address cannot be mapped, or its mapping changed, as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// There is no free page for a page table.
    NoMemory {
        /// The address that needs the table.
        va: VirtAddr,
    },
    /// A large page is in the way.
    LargePage {
        /// The page asked for; of a range, the first that lies in a large page.
        page: InLargePage,
    },
    /// A page of the smallest size is mapped here already.
    AlreadyMapped {
        /// The first such address.
        va: VirtAddr,
    },
    /// Nothing is mapped here.
    NotMapped {
        /// The first such address.
        va: VirtAddr,
    },
    /// The tables below hold something other than one large page in pieces.
    NotUniform {
        /// The address asked for.
        va: VirtAddr,
    },
    /// An address or a size is not of whole pages.
    Misaligned {
        /// The virtual address asked for.
        va: VirtAddr,
    },
    /// The physical address is not of a whole page.
    MisalignedPa {
        /// The physical address asked for.
        pa: PhysAddr,
    },
    /// The range goes on behind the last address of the machine, or of the half that it begins in.
    PastEnd {
        /// The last address there.
        last: VirtAddr,
    },
    /// The machine has no such address.
    NonCanonical {
        /// The address.
        va: VirtAddr,
    },
    /// This part of the address space is kept for UVPT, where the page tables show themselves if the
    /// format lets them. Nothing else is mapped there; it changes only with the tables.
    Uvpt {
        /// The first such address.
        va: VirtAddr,
    },
    /// No entry can hold this physical address, or that of a page behind it in the range.
    BeyondPhysical {
        /// The physical address asked for.
        pa: PhysAddr,
    },
    /// [`Perm::G`](crate::paging::format::Perm::G) is asked for where address spaces differ: the page would
    /// stay visible in the next one.
    Global {
        /// The first such address.
        va: VirtAddr,
    },
    /// The page to be mapped is free.
    FreePage {
        /// The page's physical address.
        pa: PhysAddr,
    },
    /// The `pp_ref` of the page to be mapped would overflow.
    Overflow {
        /// The page's physical address.
        pa: PhysAddr,
    },
}

/// A page in a large one: its address, and the size of the large one.
///
/// Both share a word, so that each [`MapError`] is a tag and a word, which registers return. Returned in memory, the
/// results of `page_insert` and `page_remove` take 9 instructions more of 125.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InLargePage(u64);

impl InLargePage {
    /// The address of the page.
    #[must_use]
    pub const fn va(self) -> VirtAddr {
        VirtAddr::new(self.0).page_start()
    }

    /// Bytes of the large page.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << (self.0 % PGSIZE)
    }
}

impl fmt::Debug for InLargePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in a page of {:#x} bytes", self.va(), self.size())
    }
}

impl MapError {
    /// The page of `va` lies in a large one of `size` bytes.
    #[must_use]
    pub const fn large_page(va: VirtAddr, size: u64) -> Self {
        let shift = size.trailing_zeros() as u64;
        Self::LargePage { page: InLargePage(va.page_start().as_u64() | shift) }
    }
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoMemory { va } => write!(f, "no free page for a page table for {va}"),
            Self::LargePage { page } => {
                write!(f, "{} lies in a large page of {:#x} bytes", page.va(), page.size())
            }
            Self::AlreadyMapped { va } => write!(f, "{va} is mapped already"),
            Self::NotMapped { va } => write!(f, "{va} is not mapped"),
            Self::NotUniform { va } => write!(f, "the pages around {va} make no large page"),
            Self::Misaligned { va } => write!(f, "the range at {va} is not of whole pages"),
            Self::MisalignedPa { pa } => write!(f, "physical address {pa} is not of a whole page"),
            Self::PastEnd { last } => {
                write!(f, "the range goes on behind {last}, where there are no more addresses")
            }
            Self::NonCanonical { va } => write!(f, "{va} is not a canonical address"),
            Self::Uvpt { va } => {
                write!(f, "{va} is UVPT's, for page tables alone; change what they map instead")
            }
            Self::BeyondPhysical { pa } => {
                write!(f, "the range at physical address {pa} ends where no entry can lead")
            }
            Self::Global { va } => {
                write!(f, "{va} cannot be global: other address spaces have something else there")
            }
            Self::FreePage { pa } => CountError::Free { pa }.fmt(f),
            Self::Overflow { pa } => CountError::Overflow { pa }.fmt(f),
        }
    }
}

impl core::error::Error for MapError {}

impl From<CountError> for MapError {
    fn from(error: CountError) -> Self {
        match error {
            CountError::Free { pa } => Self::FreePage { pa },
            CountError::Overflow { pa } => Self::Overflow { pa },
        }
    }
}
