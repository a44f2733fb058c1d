//! The simulated processor's walk of the page tables (Intel SDM vol. 3A, 4.5 to 4.7), written without
//! libjos's decoders.

use layout::{MemLayout, PGSIZE};

use super::processor::{Processor, SMAP, SMEP, Translation, WRITE_PROTECT};
use crate::arch::x86_64::Layout;
use crate::window;

// Bits of an entry.
const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
/// The address in an entry, and the bits that must be 0.
const ADDRESS: u64 = 0x0007_FFFF_FFFF_F000;
const RESERVED: u64 = 1 << 51;

/// Kinds of access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    Read,
    Write,
    Fetch,
    /// A read that SMAP allows, after STAC.
    ReadUser,
}

/// The exception that an access raises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exception {
    GeneralProtection,
    /// With its error code.
    PageFault(u64),
}

impl Processor {
    /// The physical address that `va` leads to, for an access by the kernel.
    pub(super) fn translate(&mut self, va: u64, access: Access) -> Result<u64, Exception> {
        if (Layout::LOWER_END..Layout::UPPER_START).contains(&va) {
            return Err(Exception::GeneralProtection);
        }
        let page = va - va % PGSIZE;
        let kept = self.tlb.get(&page).copied();
        // The first write to a page walks the tables, to set D.
        let found = match kept.filter(|kept| kept.dirty || access != Access::Write) {
            Some(kept) => kept,
            None => self.walk(page, access).map_err(|reserved| self.fault(access, reserved, va))?,
        };
        self.tlb.insert(page, found);
        let is_refused = match access {
            Access::Read => found.user && self.control.cr4 & SMAP != 0,
            Access::ReadUser => false,
            Access::Write => self.refuses_write(found.user, found.writable),
            Access::Fetch => !found.executable || found.user && self.control.cr4 & SMEP != 0,
        };
        if is_refused {
            self.tlb.remove(&page);
            return Err(self.fault(access, PRESENT, va));
        }
        Ok(found.pa + va % PGSIZE)
    }

    fn refuses_write(&self, user: bool, writable: bool) -> bool {
        user && self.control.cr4 & SMAP != 0 || !writable && self.control.cr0 & WRITE_PROTECT != 0
    }

    /// The page fault of an access, with further bits of its error code.
    fn fault(&mut self, access: Access, bits: u64, va: u64) -> Exception {
        self.control.cr2 = va;
        let kind = match access {
            Access::Read | Access::ReadUser => 0,
            Access::Write => 1 << 1,
            Access::Fetch => 1 << 4,
        };
        Exception::PageFault(kind | bits)
    }

    /// Walks the tables, or fails with bits of the error code.
    fn walk(&self, page: u64, access: Access) -> Result<Translation, u64> {
        let mut found = Translation {
            pa: 0,
            writable: true,
            user: true,
            executable: true,
            global: false,
            dirty: access == Access::Write,
        };
        if self.control.cr3 == 0 {
            // The entry code maps the window's memory at 0 and at KERNBASE.
            found.pa = page.checked_sub(Layout::KERNBASE).unwrap_or(page);
            found.user = false;
            return if found.pa < Layout::WINDOW_SIZE { Ok(found) } else { Err(0) };
        }
        let mut table = self.control.cr3 & ADDRESS;
        for shift in [39, 30, 21, 12] {
            let at = table + (page >> shift & 0x1FF) * 8;
            let entry = read(at);
            if entry & PRESENT == 0 {
                return Err(0);
            }
            if entry & RESERVED != 0 {
                return Err(PRESENT | 1 << 3);
            }
            found.writable &= entry & WRITABLE != 0;
            found.user &= entry & USER != 0;
            found.executable &= entry & NO_EXECUTE == 0;
            let is_leaf = shift == 12 || shift < 39 && entry & LARGE != 0;
            let writes = access == Access::Write && !self.refuses_write(found.user, found.writable);
            let dirty = if is_leaf && writes { DIRTY } else { 0 };
            write(at, entry | ACCESSED | dirty);
            if is_leaf {
                let offset = page & ((1 << shift) - 1);
                found.pa = (entry & ADDRESS & !((1 << shift) - 1)) + offset;
                found.global = entry & GLOBAL != 0;
                found.dirty = entry & DIRTY != 0 || dirty != 0;
                return Ok(found);
            }
            table = entry & ADDRESS;
        }
        unreachable!("the last level has no tables")
    }
}

/// The word at `pa`; all ones outside of RAM, as a PC's bus gives.
fn read(pa: u64) -> u64 {
    // SAFETY: the window's memory, which may hold any numbers.
    if is_ram(pa) { unsafe { window::at::<u64>(pa).read() } } else { u64::MAX }
}

fn write(pa: u64, word: u64) {
    if is_ram(pa) {
        // SAFETY: the processor may change A and D of any entry; no Rust object lies there.
        unsafe { window::at::<u64>(pa).write(word) };
    }
}

/// Whether the host has memory for the physical address.
pub(super) fn is_ram(pa: u64) -> bool {
    pa < Layout::WINDOW_LAST_FRAME
}
