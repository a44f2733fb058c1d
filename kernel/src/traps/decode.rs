//! What an exception means, in one sentence: its name, and for those that a memory system meets,
//! the access, the reason and the place.

use core::fmt;

use layout::{Jos64, MemLayout};
use libjos::mem::addr::VirtAddr;
use libjos::monitor::processor::exception;
use libjos::monitor::processor::vector::{
    DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_TSS, PAGE_FAULT, STACK_SEGMENT,
};
use x86_64::structures::idt::{DescriptorTable, PageFaultErrorCode, SelectorErrorCode};

use super::TrapFrame;
use crate::symbols;

/// An exception, to be displayed.
pub(super) struct Exception<'a> {
    /// The state that it interrupted.
    pub(super) frame: &'a TrapFrame,
    /// The address of the latest page fault.
    pub(super) cr2: u64,
}

impl fmt::Display for Exception<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vector = self.frame.vector;
        let (mnemonic, name) = exception(vector);
        let overflow = vector == DOUBLE_FAULT && in_guard_gap(self.cr2);
        let name = if overflow { "kernel stack overflow" } else { name };
        write!(f, "{name} ({mnemonic}, vector {vector})")?;
        match vector {
            PAGE_FAULT => self.page_fault(f),
            DOUBLE_FAULT if overflow => write!(
                f,
                ": the stack ran into the guard gap below KSTACKTOP-KSTKSIZE, at {:#018x}",
                self.cr2
            ),
            DOUBLE_FAULT => write!(
                f,
                ": an exception could not be delivered; the latest page fault was at {:#018x}, in {}",
                self.cr2,
                Place(self.cr2)
            ),
            INVALID_TSS..=GENERAL_PROTECTION => self.segment_fault(f),
            _ => Ok(()),
        }
    }
}

impl Exception<'_> {
    /// Access, address, reason and region of a page fault (Intel SDM vol. 3A, 4.7).
    fn page_fault(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use PageFaultErrorCode as E;
        let error = E::from_bits_truncate(self.frame.error);
        let access = if error.contains(E::INSTRUCTION_FETCH) {
            "instruction fetch from"
        } else if error.contains(E::CAUSED_BY_WRITE) {
            "write to"
        } else {
            "read of"
        };
        // QEMU clears P along with it.
        let reason = if error.contains(E::MALFORMED_TABLE) {
            "reserved bit set in a page-table entry"
        } else if !error.contains(E::PROTECTION_VIOLATION) {
            "page not present"
        } else if error.contains(E::INSTRUCTION_FETCH) {
            "no-execute page"
        } else {
            "protection violation (page present)"
        };
        let user = if error.contains(E::USER_MODE) { ", by user code" } else { "" };
        let (cr2, place) = (self.cr2, Place(self.cr2));
        write!(f, ": {access} {cr2:#018x}: {reason}{user}, in {place}")
    }

    /// The selector of a segment fault, or the register that looks like its cause: the processor
    /// does not say which address was non-canonical (Intel SDM vol. 3A, 6.15 "Interrupt 13").
    fn segment_fault(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = SelectorErrorCode::new_truncate(self.frame.error);
        if !error.is_null() {
            let table = match error.descriptor_table() {
                DescriptorTable::Gdt => "GDT",
                DescriptorTable::Idt => "IDT",
                DescriptorTable::Ldt => "LDT",
            };
            let external = if error.external() { ", on an external event" } else { "" };
            return write!(f, ": {table} entry {}{external}", error.index());
        }
        match self.non_canonical_register() {
            Some((name, value)) => {
                write!(f, ": access to a non-canonical address, it seems: {name} is {value:#018x}")
            }
            None if matches!(self.frame.vector, GENERAL_PROTECTION | STACK_SEGMENT) => {
                write!(f, ": an instruction or operand that is not allowed here")
            }
            None => Ok(()),
        }
    }

    /// The first register with an address that no page table can translate: RIP or RSP, if it is
    /// one of them, for those are used as addresses by every instruction or nearly.
    fn non_canonical_register(&self) -> Option<(&'static str, u64)> {
        let registers = self.frame.registers();
        let always_addresses = registers.iter().filter(|(name, _)| matches!(*name, "rip" | "rsp"));
        always_addresses
            .chain(&registers)
            .find(|(_, value)| (Jos64::LOWER_END..Jos64::UPPER_START).contains(value))
            .copied()
    }
}

/// Whether `va` lies in the guard gap of the kernel stack.
fn in_guard_gap(va: u64) -> bool {
    (Jos64::KSTACK - Jos64::KSTKGAP..Jos64::KSTACK).contains(&va)
}

/// What `va` is for: the region of the memory map, and the part of the kernel.
struct Place(u64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = layout::region_of::<Jos64>(self.0).map_or("nowhere", |region| region.name);
        write!(f, "\"{name}\"")?;
        match symbols::part_of(VirtAddr::new(self.0)) {
            Some(part) => write!(f, " (kernel {part})"),
            None => Ok(()),
        }
    }
}
