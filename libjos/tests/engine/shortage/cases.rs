//! The operations that take pages, one row each.
//!
//! Not here are those that have no error: `boot_map_region` panics where `map_range` fails.

use layout::{MemLayout, PGSIZE};
use libjos::app::area::{Access, VmError};
use libjos::app::backing::Backing;
use libjos::app::memory::{Memory, map_pages};
use libjos::heap::OutOfPages;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags};
use libjos::paging::format::{Format, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;

use libjos::space::AddressSpace;

use super::List::{AnyOrder, Kept};
use super::Owed::{Nothing, Pages};
use super::Used::{Kernel, User};
use super::given::*;
use super::{Case, Refused};
use crate::places::{Spaces, block, device, far, huge, middle, page, part, top};

mod application;
mod tables;
mod user;

/// A row that says nothing yet: nothing need be there, and no page is taken.
fn user<L: MemLayout, F: Format + Mmu>() -> Case<L, F> {
    Case {
        name: "",
        used: User,
        prepare: |_, _| {},
        run: |_, _| Ok(Nothing),
        refused: |_| panic!("it needs no page"),
        takes: 0,
        list: Kept,
    }
}

/// A case in the kernel's directory.
fn kernel<L: MemLayout, F: Format + Mmu>() -> Case<L, F> {
    Case { used: Kernel, ..user() }
}
pub(crate) fn cases<L: MemLayout, F: Format + Mmu>() -> Vec<Case<L, F>> {
    [tables::cases(), user::cases(), application::cases()].into_iter().flatten().collect()
}
