//! RISC-V: Sv39 and Sv48.
//!
//! Source: privileged specification, 12.3.2 (virtual address translation process), 12.4.1
//! (addressing and memory protection), 12.1.1.3 (SUM), table "Supervisor cause register values" in
//! 12.1.8. This processor has neither Svpbmt nor Svnapot, so their bits are reserved, and MXR is clear.
//! It faults if A, or D for a write, is not set already (Svade), and remembers entries that are not
//! valid (it has no Svvptc).

use super::{
    AccessKind, Control, Denial, Exception, MemoryAccess, Page, Ram, Rights, Table, Walker,
};

const V: u64 = 1 << 0;
const R: u64 = 1 << 1;
const W: u64 = 1 << 2;
const X: u64 = 1 << 3;
const U: u64 = 1 << 4;
const G: u64 = 1 << 5;
const A: u64 = 1 << 6;
const D: u64 = 1 << 7;
/// Bits 53:10.
const PPN: u64 = 0x003f_ffff_ffff_fc00;
/// Bits 63:54: N, PBMT, and the bits reserved for later use.
const RESERVED: u64 = 0xffc0_0000_0000_0000;

pub(super) fn translate(walk: &mut Walker<'_, impl Ram>, va: u64) -> Result<Page, Denial> {
    let mut table = walk.first_table(va, Rights::default());
    loop {
        let level = table.level;
        let pte: u64 = walk.memory.load(walk.entry_at(&table, va));
        if pte & V == 0 {
            walk.caches.keep_invalid(va, table);
            return Err(Denial::NotPresent);
        }
        if pte & (R | W) == W || pte & RESERVED != 0 {
            return Err(Denial::Reserved);
        }
        let pa = (pte & PPN) << 2;
        // All below a global entry is global (12.3.1).
        let global = table.rights.global || pte & G != 0;
        if pte & (R | X) == 0 {
            // U, A and D of a pointer to a table are reserved. At the last level there are no tables
            // to point to.
            if level == 0 || pte & (U | A | D) != 0 {
                return Err(Denial::Reserved);
            }
            table = Table { level: level - 1, pa, rights: Rights { global, ..Rights::default() } };
            walk.caches.keep_table(va, table);
            continue;
        }
        let size = 1_u64 << walk.kind.shift(level);
        // A misaligned superpage. Every RISC-V processor has superpages of all sizes: one that was told
        // to have none must meet none.
        if pa & (size - 1) != 0 || !walk.has_leaves(level) {
            return Err(Denial::Reserved);
        }
        if pte & A == 0 {
            return Err(Denial::Forbidden);
        }
        let rights = Rights {
            readable: pte & R != 0,
            writable: pte & W != 0,
            executable: pte & X != 0,
            user: pte & U != 0,
            global,
        };
        let pa = pa + (va & (size - 1) & !0xfff);
        return Ok(Page { pa, size, rights, dirty: pte & D != 0 });
    }
}

/// Steps 6 and 7 of 12.3.2.
pub(super) fn permits(page: &Page, access: MemoryAccess, control: Control) -> bool {
    let rights = page.rights;
    let mode = match (access.user, access.kind) {
        (true, _) => rights.user,
        (false, AccessKind::Fetch) => !rights.user,
        (false, _) => !(rights.user && control.smap),
    };
    mode && match access.kind {
        AccessKind::Read => rights.readable,
        AccessKind::Write => rights.writable && page.dirty,
        AccessKind::Fetch => rights.executable,
    }
}

pub(super) fn exception(access: MemoryAccess) -> Exception {
    Exception::Cause(match access.kind {
        AccessKind::Fetch => 12,
        AccessKind::Read => 13,
        AccessKind::Write => 15,
    })
}
