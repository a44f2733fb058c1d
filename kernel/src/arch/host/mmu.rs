//! Address translation by `libjos`'s simulated processor, which obeys the control registers of this one.

use layout::MemLayout;
use libjos::machine::AccessKind;
use libjos::mem::addr::PhysAddr;
use libjos::paging::word::Word;
use libjos::sim::mmu::{Control, Denial, Exception, MemoryAccess, Ram};
use libjos::sim::processor::Processor as Translator;

use super::processor::{
    GIGABYTE_PAGES, GLOBAL_PAGES, NO_EXECUTE, Processor, SMAP, SMEP, WRITE_PROTECT,
};
use crate::arch::x86_64::Layout;
use crate::window;

impl Processor {
    /// The physical address that `va` leads to, for an access by the kernel.
    pub(super) fn translate(&mut self, va: u64, kind: AccessKind) -> Result<u64, Exception> {
        if self.control.cr3 == 0 {
            // The entry code maps the window's memory at 0 and at KERNBASE.
            let pa = va.checked_sub(Layout::KERNBASE).unwrap_or(va);
            if pa < Layout::WINDOW_SIZE {
                return Ok(pa);
            }
        }
        let access = MemoryAccess { kind, user: false };
        let translated = self.translator().translate(&Window, va, access);
        translated.map(PhysAddr::as_u64).map_err(|denial| {
            if denial != Denial::NonCanonical {
                self.control.cr2 = va;
            }
            self.translator().exception(denial, access)
        })
    }

    /// Uses the page directory at `pgdir`.
    pub(super) fn lcr3(&mut self, pgdir: PhysAddr) {
        self.control.cr3 = pgdir.as_u64();
        self.translator().lcr3(&Window, pgdir);
    }

    pub(super) fn invlpg(&mut self, va: u64) {
        self.translator().invlpg(&Window, va);
    }

    /// Drops all translations, global ones too.
    pub(super) fn flush_tlb(&mut self) {
        self.translator().flush(&Window);
    }

    /// The processor that translates, as the registers now say.
    fn translator(&mut self) -> &mut Translator {
        let registers = self.control;
        let cr4 = |bit| registers.cr4 & bit != 0;
        self.translator.set_control(Control {
            wp: registers.cr0 & WRITE_PROTECT != 0,
            smep: cr4(SMEP),
            smap: cr4(SMAP) && !self.allows_user_access,
            pge: cr4(GLOBAL_PAGES),
            nxe: registers.efer & NO_EXECUTE != 0,
        });
        let features = self.cpuid.get(&(0x8000_0001, 0)).map_or(0, |registers| registers[3]);
        self.translator.leaf_levels = 0b011 | u32::from(features & GIGABYTE_PAGES != 0) << 2;
        &mut self.translator
    }
}

/// The memory that the window shows. Elsewhere there are all ones, as on a PC's bus.
struct Window;

impl Ram for Window {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        let pa = pa.as_u64();
        if !is_ram(pa) {
            return W::from_u64(u64::MAX >> (64 - 8 * W::BYTES));
        }
        // SAFETY: the window's memory, which may hold any numbers.
        unsafe { window::at::<W>(pa).read() }
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        let pa = pa.as_u64();
        if is_ram(pa) {
            // SAFETY: the processor may change A and D of any entry; no Rust object lies there.
            unsafe { window::at::<W>(pa).write(word) };
        }
    }
}

/// Whether the host has memory for the physical address.
pub(super) fn is_ram(pa: u64) -> bool {
    pa < Layout::WINDOW_LAST_FRAME
}
