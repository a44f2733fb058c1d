//! What a processor does with a page table, for each format, from the manuals alone.
//!
//! Nothing here uses this crate's formats: what they encode is decoded a second time, by someone
//! else as it were. Sources: Intel SDM vol. 3A, 4.3 (32-bit paging), 4.5 (4-level paging
//! and 5-level paging), 4.6 (access rights), 4.8 (accessed and dirty flags); RISC-V privileged
//! specification, 12.3.2 (virtual address translation process).

use crate::addr::PhysAddr;
use crate::i386::I386;
use crate::riscv::Sv;
use crate::sim::memory::SimMemory;
use crate::x86_64::LongMode;

/// A translation, as a TLB keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// The physical address of the 4 KB page.
    pub pa: u64,
    /// Bytes of the page that it is part of.
    pub size: u64,
    /// Whether writing is permitted.
    pub writable: bool,
    /// Whether user code may use it.
    pub user: bool,
    /// Whether it stays in the TLB when the page directory changes.
    pub global: bool,
    /// Whether its entry says dirty.
    pub dirty: bool,
}

/// A processor's table walk.
pub trait Mmu {
    /// Translates `va` from the root at `root`, and sets accessed bits on the way. Sets the dirty
    /// bit if `writes` says so of the page that is found. `None` is a page that is not present.
    fn walk(
        memory: &SimMemory,
        root: u64,
        va: u64,
        writes: impl FnOnce(&Page) -> bool,
    ) -> Option<Page>;
}

/// Whether the bits that are not translated, and the topmost one that is, are all the same.
fn upper_bits_equal(va: u64, translated_bits: u32) -> bool {
    let upper = va >> (translated_bits - 1);
    upper == 0 || upper == u64::MAX >> (translated_bits - 1)
}

impl<const LEVELS: u32> Mmu for LongMode<LEVELS> {
    fn walk(
        memory: &SimMemory,
        root: u64,
        va: u64,
        writes: impl FnOnce(&Page) -> bool,
    ) -> Option<Page> {
        if !upper_bits_equal(va, 12 + 9 * LEVELS) {
            return None;
        }
        let (mut writable, mut user) = (true, true);
        let mut table = root;
        for shift in (0..LEVELS).rev().map(|level| 12 + 9 * level) {
            let at = PhysAddr::new(table + ((va >> shift) & 0x1ff) * 8);
            let mut entry: u64 = memory.load(at);
            if entry & 0x1 == 0 {
                return None;
            }
            writable &= entry & 0x2 != 0;
            user &= entry & 0x4 != 0;
            entry |= 0x20;
            memory.store(at, entry);
            let ps = entry & 0x80 != 0;
            // There are no pages of more than 1 GB: PS is reserved there.
            if ps && shift > 30 {
                return None;
            }
            if !ps && shift > 12 {
                table = entry & 0x000f_ffff_ffff_f000;
                continue;
            }
            let size = 1_u64 << shift;
            let frame = entry & 0x000f_ffff_ffff_f000 & !(size - 1);
            let mut page = Page {
                pa: frame + (va & (size - 1) & !0xfff),
                size,
                writable,
                user,
                global: entry & 0x100 != 0,
                dirty: entry & 0x40 != 0,
            };
            if writes(&page) {
                memory.store(at, entry | 0x40);
                page.dirty = true;
            }
            return Some(page);
        }
        None
    }
}

impl Mmu for I386 {
    fn walk(
        memory: &SimMemory,
        root: u64,
        va: u64,
        writes: impl FnOnce(&Page) -> bool,
    ) -> Option<Page> {
        let va = u32::try_from(va).ok()?;
        let pde_at = PhysAddr::new(root + u64::from(va >> 22) * 4);
        let pde: u32 = memory.load(pde_at);
        if pde & 0x1 == 0 {
            return None;
        }
        memory.store(pde_at, pde | 0x20);
        let (at, entry, shift) = if pde & 0x80 != 0 {
            (pde_at, pde, 22)
        } else {
            let table = u64::from(pde & 0xffff_f000);
            let at = PhysAddr::new(table + u64::from((va >> 12) & 0x3ff) * 4);
            let pte: u32 = memory.load(at);
            if pte & 0x1 == 0 {
                return None;
            }
            (at, pte, 12)
        };
        let offset_mask = (1_u32 << shift) - 1;
        let rights = pde & entry;
        let mut page = Page {
            pa: u64::from((entry & !offset_mask) | (va & offset_mask & !0xfff)),
            size: 1 << shift,
            writable: rights & 0x2 != 0,
            user: rights & 0x4 != 0,
            global: entry & 0x100 != 0,
            dirty: entry & 0x40 != 0,
        };
        let mut marks = 0x20;
        if writes(&page) {
            marks |= 0x40;
            page.dirty = true;
        }
        memory.store(at, entry | marks);
        Some(page)
    }
}

impl<const LEVELS: u32> Mmu for Sv<LEVELS> {
    fn walk(
        memory: &SimMemory,
        root: u64,
        va: u64,
        writes: impl FnOnce(&Page) -> bool,
    ) -> Option<Page> {
        if !upper_bits_equal(va, 12 + 9 * LEVELS) {
            return None;
        }
        let mut table = root;
        for level in (0..LEVELS).rev() {
            let at = PhysAddr::new(table + ((va >> (12 + 9 * level)) & 0x1ff) * 8);
            let pte: u64 = memory.load(at);
            let (v, r, w, x) = (pte & 1 != 0, pte & 2 != 0, pte & 4 != 0, pte & 8 != 0);
            if !v || (!r && w) {
                return None;
            }
            let ppn = (pte >> 10) & 0xfff_ffff_ffff;
            if !r && !x {
                // U, A and D of a pointer to a table are reserved and must be zero (12.4.1).
                if pte & 0xd0 != 0 {
                    return None;
                }
                table = ppn << 12;
                continue;
            }
            let size = 1_u64 << (12 + 9 * level);
            // A misaligned superpage faults.
            if (ppn << 12) & (size - 1) != 0 || !r {
                return None;
            }
            let mut page = Page {
                pa: (ppn << 12) + (va & (size - 1) & !0xfff),
                size,
                writable: w,
                user: pte & 0x10 != 0,
                global: pte & 0x20 != 0,
                dirty: pte & 0x80 != 0,
            };
            // This processor faults where A, or D for a write, is not set already.
            let write = writes(&page);
            if pte & 0x40 == 0 || (write && !page.dirty) {
                return None;
            }
            page.dirty |= write;
            return Some(page);
        }
        None
    }
}
