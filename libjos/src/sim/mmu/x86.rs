//! x86: 32-bit, 4-level and 5-level paging.
//!
//! Source: Intel SDM vol. 3A, 4.3 (32-bit paging, tables 4-4 to 4-6), 4.5 (4-level and 5-level
//! paging, tables 4-14 to 4-20), 4.6 (access rights), 4.7 (page-fault exceptions), 4.8 (accessed
//! and dirty flags); vol. 1, 3.3.7.1 (canonical addresses).

use super::{
    AccessKind, Control, Denial, Exception, Kind, MemoryAccess, Page, Ram, Rights, Table, Walker,
};
use crate::mem::addr::PhysAddr;

const P: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const PS: u64 = 1 << 7;
const G: u64 = 1 << 8;
const XD: u64 = 1 << 63;

/// MAXPHYADDR: bits of a physical address, as many as QEMU's PC has.
const PHYSICAL_BITS: u32 = 40;

/// Bits `last` to `first`.
const fn bits(last: u32, first: u32) -> u64 {
    u64::MAX >> (63 - last) & u64::MAX << first
}

pub(super) fn translate(walk: &mut Walker<'_, impl Ram>, va: u64) -> Result<Page, Denial> {
    let all =
        Rights { readable: true, writable: true, executable: true, user: true, global: false };
    let mut table = walk.first_table(va, all);
    loop {
        let at = walk.entry_at(&table, va);
        let mut entry = load(walk, at);
        if entry & P == 0 {
            return Err(Denial::NotPresent);
        }
        if entry & reserved(walk, table.level, entry) != 0 {
            return Err(Denial::Reserved);
        }
        if entry & A == 0 {
            // An entry that is not marked as accessed is not kept (4.10.2.3, 4.10.3.1).
            if walk.access.is_none() {
                return Err(Denial::NotPresent);
            }
            entry |= A;
            store(walk, at, entry);
        }
        let rights = Rights {
            writable: table.rights.writable && entry & RW != 0,
            executable: table.rights.executable && entry & XD == 0,
            user: table.rights.user && entry & US != 0,
            ..table.rights
        };
        if !is_leaf(walk, table.level, entry) {
            table = Table { level: table.level - 1, pa: entry & address(walk.kind), rights };
            walk.caches.keep_table(va, table);
            continue;
        }
        let size = 1_u64 << walk.kind.shift(table.level);
        let mut page = Page {
            pa: frame(walk.kind, entry, size) + (va & (size - 1) & !0xfff),
            size,
            rights: Rights { global: entry & G != 0 && walk.control.pge, ..rights },
            dirty: entry & D != 0,
        };
        if let Some(access) = walk.access
            && access.kind == AccessKind::Write
            && permits(rights, access, walk.control)
        {
            store(walk, at, entry | D);
            page.dirty = true;
        }
        return Ok(page);
    }
}

fn load(walk: &Walker<'_, impl Ram>, at: PhysAddr) -> u64 {
    match walk.kind {
        Kind::I386 => walk.memory.load::<u32>(at).into(),
        _ => walk.memory.load(at),
    }
}

fn store(walk: &Walker<'_, impl Ram>, at: PhysAddr, entry: u64) {
    match walk.kind {
        Kind::I386 => walk.memory.store(at, entry as u32),
        _ => walk.memory.store(at, entry),
    }
}

/// Whether `entry` maps a page. PS says so, but at the last level it is PAT, and with 32-bit paging
/// it is ignored without CR4.PSE.
fn is_leaf(walk: &Walker<'_, impl Ram>, level: u32, entry: u64) -> bool {
    let obeys_ps = walk.kind != Kind::I386 || walk.has_leaves(level);
    level == 0 || (entry & PS != 0 && obeys_ps)
}

/// The bits that must be 0 in `entry`, which is present.
fn reserved(walk: &Walker<'_, impl Ram>, level: u32, entry: u64) -> u64 {
    let large = level > 0 && is_leaf(walk, level, entry);
    let size_bits = walk.kind.shift(level);
    if walk.kind == Kind::I386 {
        // With PSE-36 bits 20:13 are address bits 39:32.
        return if large { bits(21, PHYSICAL_BITS - 19) } else { 0 };
    }
    let mut reserved = bits(51, PHYSICAL_BITS);
    if !walk.control.nxe {
        reserved |= XD;
    }
    if large {
        // Between PAT, bit 12, and the address.
        reserved |= bits(size_bits - 1, 13);
    }
    // The manual reserves PS where there are no 1 GB pages. Every processor has 2 MB pages: one that
    // was told to have none must meet none.
    if level > 0 && !walk.has_leaves(level) {
        reserved |= PS;
    }
    reserved
}

/// The bits of an entry that are a table's or a 4 KB page's address.
fn address(kind: Kind) -> u64 {
    if kind == Kind::I386 { bits(31, 12) } else { bits(PHYSICAL_BITS - 1, 12) }
}

/// The address of the page of `size` bytes that `entry` maps.
fn frame(kind: Kind, entry: u64, size: u64) -> u64 {
    let mut frame = entry & address(kind) & !(size - 1);
    if kind == Kind::I386 && size > 4096 {
        frame |= (entry & bits(20, 13)) << (32 - 13);
    }
    frame
}

/// Whether a page with these rights permits the access (4.6.1).
pub(super) fn permits(page: Rights, access: MemoryAccess, control: Control) -> bool {
    if access.user {
        return page.user
            && match access.kind {
                AccessKind::Read => true,
                AccessKind::Write => page.writable,
                AccessKind::Fetch => page.executable,
            };
    }
    match access.kind {
        AccessKind::Read => !(page.user && control.smap),
        AccessKind::Write => !(page.user && control.smap) && (page.writable || !control.wp),
        AccessKind::Fetch => !(page.user && control.smep) && page.executable,
    }
}

/// The exception for an access that is denied (4.7, figure 4-12). An address that is not canonical is
/// #GP; so is an offset of more than 32 bits, which lies beyond every segment's limit.
pub(super) fn exception(
    kind: Kind,
    denial: Denial,
    access: MemoryAccess,
    control: Control,
) -> Exception {
    if denial == Denial::NonCanonical {
        return Exception::GeneralProtection;
    }
    let nx = kind != Kind::I386 && control.nxe;
    let fetch = access.kind == AccessKind::Fetch && (control.smep || nx);
    let code = [
        denial != Denial::NotPresent,
        access.kind == AccessKind::Write,
        access.user,
        denial == Denial::Reserved,
        fetch,
    ];
    Exception::PageFault(code.into_iter().rev().fold(0, |code, bit| code << 1 | u32::from(bit)))
}
