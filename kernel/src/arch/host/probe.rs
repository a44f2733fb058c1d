//! Accesses of the simulated processor, through its page tables; the probes among them report a fault
//! as an error.

use layout::PGSIZE;
use libjos::machine::AccessKind;
use libjos::machine::Fault;

use super::mmu::is_ram;
use super::ports::pc;
use super::trap::{self, Trap};
use crate::arch::outcome::Outcome;
use crate::window;

/// The program counter in a probe that reads, in one that writes, and behind a probe that faulted.
const LOAD: u64 = 0xFFFF_FFFF_F010_0100;
const STORE: u64 = LOAD + 8;
const FAULTED: u64 = LOAD + 16;

/// The pointer to the byte at `va`. A fault raises a trap, and then the access is tried again. If a listener moves the
/// program counter, as `recover` does, RAX and RDX are the outcome.
pub(super) fn at(va: u64, kind: AccessKind, rip: u64) -> Result<*mut u8, Outcome> {
    loop {
        let translation = pc().processor.translate(va, kind);
        match translation {
            Ok(pa) if is_ram(pa) => return Ok(window::at(pa)),
            Ok(pa) => panic!("an access to {pa:#x}, where the simulated PC has nothing"),
            Err(exception) => {
                let frame = trap::raise(exception, rip, va);
                if frame.rip != rip {
                    return Err(Outcome { value: frame.rax as usize, fault: frame.rdx as usize });
                }
            }
        }
    }
}

/// Calls `each` with the index of each of the `size` bytes at `va`, and a pointer to it.
fn bytes(
    va: u64,
    size: usize,
    kind: AccessKind,
    mut each: impl FnMut(usize, *mut u8),
) -> Result<(), Fault> {
    let rip = if kind == AccessKind::Write { STORE } else { LOAD };
    // The processor looks at both pages before it writes to one.
    let last = va.wrapping_add(size as u64 - 1);
    for va in [va, last - last % PGSIZE].into_iter().filter(|page| *page >= va) {
        if let Err(outcome) = at(va, kind, rip) {
            return outcome.check().map(|_| ());
        }
    }
    for i in 0..size {
        let Ok(byte) = at(va.wrapping_add(i as u64), kind, rip) else {
            unreachable!("its page was just there")
        };
        each(i, byte);
    }
    Ok(())
}

/// Reads `SIZE` bytes.
fn load_bytes<const SIZE: usize>(va: u64) -> Result<[u8; SIZE], Fault> {
    let mut value = [0; SIZE];
    // SAFETY: memory of the window, which may hold any numbers.
    bytes(va, SIZE, AccessKind::Read, |i, byte| value[i] = unsafe { byte.read() })?;
    Ok(value)
}

/// Writes these bytes. No Rust object lies there.
fn store_bytes<const SIZE: usize>(va: u64, value: [u8; SIZE]) -> Result<(), Fault> {
    // SAFETY: memory of the window, in which no Rust object lies.
    bytes(va, SIZE, AccessKind::Write, |i, byte| unsafe { byte.write(value[i]) })
}

pub(crate) fn load(va: u64) -> Result<u64, Fault> {
    load_bytes(va).map(u64::from_le_bytes)
}

pub(crate) fn load_word(va: u64) -> Result<usize, Fault> {
    load(va).map(|value| value as usize)
}

pub(crate) fn load_byte(va: u64) -> Result<u8, Fault> {
    load_bytes(va).map(u8::from_le_bytes)
}

pub(crate) fn load_user(va: u64) -> Result<u64, Fault> {
    pc().processor.allows_user_access = true;
    let bytes = load_bytes(va);
    pc().processor.allows_user_access = false;
    bytes.map(u64::from_le_bytes)
}

pub(crate) unsafe fn store(va: u64, value: u64) -> Result<(), Fault> {
    store_bytes(va, value.to_le_bytes())
}

pub(crate) unsafe fn store_byte(va: u64, value: u8) -> Result<(), Fault> {
    store_bytes(va, [value])
}

/// In `copy`, addresses below this mean memory of the simulated PC, and others the host's own.
const HOST_MEMORY: u64 = 0x5000_0000_0000;

/// Copies bytes between an area and a buffer, which is the host's memory.
///
/// # Safety
///
/// The buffer is the caller's own.
pub(crate) unsafe fn copy(to: u64, from: u64, length: usize) {
    let place = |va: u64, kind| {
        if va < HOST_MEMORY {
            at(va, kind, trap::CODE).expect("this access is no probe")
        } else {
            core::ptr::with_exposed_provenance_mut(va as usize)
        }
    };
    for i in 0..length as u64 {
        let (from, to) = (place(from + i, AccessKind::Read), place(to + i, AccessKind::Write));
        // SAFETY: bytes of the window, or of the caller's buffer.
        unsafe { to.write(from.read()) };
    }
}

/// Whether the trap is a probe's fault: if so, makes the probe return it.
pub(crate) fn recover(trap: &mut Trap<'_>) -> bool {
    let rip = trap.frame.rip;
    if ![LOAD, STORE].contains(&rip) {
        return false;
    }
    let Some(fault) = trap.fault(rip == STORE) else { return false };
    let Outcome { value, fault } = fault.into();
    trap.frame.return_words([value, fault], FAULTED as usize);
    true
}
