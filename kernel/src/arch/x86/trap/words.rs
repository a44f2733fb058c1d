//! The description of a [`Trap`] in this machine's terms.

use core::fmt;

use layout::MemLayout;
use libjos::machine::AccessKind;
use libjos::mem::addr::VirtAddr;
use monitor::processor::vector::{
    DOUBLE_FAULT, GENERAL_PROTECTION, INVALID_TSS, MACHINE_CHECK, PAGE_FAULT, STACK_SEGMENT,
};
use monitor::processor::{CR2, ErrorCode, exception};
use x86_64::structures::idt::{DescriptorTable, PageFaultErrorCode, SelectorErrorCode};

use super::machine_check;
use crate::arch::control;
use crate::arch::interrupts::{IRQ_OFFSET, NLINES, interrupt};
use crate::arch::trap::{Trap, TrapFrame};
use crate::arch::values::{DIGITS, write_general};
use crate::arch::{ADDRESS_COLUMNS, Layout};
use crate::trap::cause::{Cause, PageFault};

impl Trap<'_> {
    /// The cause, in terms that all machines share.
    #[must_use]
    pub(crate) fn cause(&self) -> Cause {
        use PageFaultErrorCode as E;
        let error = E::from_bits_truncate(self.frame.error());
        let va = VirtAddr::new(self.cr2);
        // A processor without no-execute pages reports a fetch as a read (4.7, bit 4). But an instruction on a page that
        // is not there reads nothing.
        let is_fetch = error.contains(E::INSTRUCTION_FETCH)
            || !error.contains(E::PROTECTION_VIOLATION) && self.cr2 == self.instruction();
        match self.frame.vector() {
            // Source: Intel SDM vol. 3A, 4.7.
            PAGE_FAULT => Cause::PageFault(PageFault {
                va,
                access: if is_fetch {
                    AccessKind::Fetch
                } else if error.contains(E::CAUSED_BY_WRITE) {
                    AccessKind::Write
                } else {
                    AccessKind::Read
                },
                present: error.contains(E::PROTECTION_VIOLATION),
                malformed: error.contains(E::MALFORMED_TABLE),
                by_user: error.contains(E::USER_MODE),
            }),
            DOUBLE_FAULT => Cause::DoubleFault(va),
            vector @ IRQ_OFFSET.. if vector - IRQ_OFFSET < NLINES => {
                Cause::Interrupt(interrupt(vector - IRQ_OFFSET))
            }
            _ => Cause::Other,
        }
    }

    /// The address of the interrupted instruction.
    #[must_use]
    pub(crate) fn instruction(&self) -> u64 {
        self.frame.instruction()
    }

    /// The frame pointer of the interrupted function.
    #[must_use]
    pub(crate) fn frame_pointer(&self) -> u64 {
        self.frame.frame_pointer()
    }

    /// The exception's name.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        exception(self.frame.vector()).1
    }

    /// Writes the exception's short name in the manuals, and its vector.
    pub(crate) fn write_code(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vector = self.frame.vector();
        write!(f, "{}, vector {vector}", exception(vector).0)
    }

    /// Writes the end of the sentence that begins with the name, for [`Cause::Other`].
    pub(crate) fn write_detail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame.vector() {
            INVALID_TSS..=GENERAL_PROTECTION => self.segment_fault(f),
            _ => Ok(()),
        }
    }

    /// Writes the registers, and the error code bit by bit.
    pub(crate) fn write_registers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (register, flags) = self.frame.flags();
        let control = control::read().with(&CR2, self.cr2);
        writeln!(f, "{}", self.frame)?;
        writeln!(f, "  {:<6} {flags:0DIGITS$x}  {}", register.name, register.names(flags))?;
        writeln!(f, "{control}")?;
        writeln!(f, "  {}", ErrorCode { vector: self.frame.vector(), code: self.frame.error() })
    }

    /// Writes the machine's own records of the trap, for [`Cause::Other`].
    pub(crate) fn write_records(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame.vector() {
            MACHINE_CHECK => machine_check::write_banks(f),
            _ => Ok(()),
        }
    }

    /// Writes the selector of a segment fault, or else the register that probably caused it: the
    /// processor does not say which address was non-canonical (Intel SDM vol. 3A, 6.15 "Interrupt 13").
    fn segment_fault(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = SelectorErrorCode::new_truncate(self.frame.error());
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
                write!(
                    f,
                    ": access to a non-canonical address, it seems: {name} is {value:#0ADDRESS_COLUMNS$x}"
                )
            }
            None if matches!(self.frame.vector(), GENERAL_PROTECTION | STACK_SEGMENT) => {
                write!(f, ": an instruction or operand that is not allowed here")
            }
            None => Ok(()),
        }
    }

    /// The first register with a non-canonical address, if a machine has such addresses. RIP and RSP come
    /// first, since nearly every instruction uses them as addresses.
    fn non_canonical_register(&self) -> Option<(&'static str, u64)> {
        let registers = self.frame.registers();
        let always_addresses = registers.iter().filter(|(name, _)| matches!(*name, "rip" | "rsp"));
        always_addresses
            .chain(&registers)
            .find(|(_, value)| (Layout::LOWER_END..Layout::UPPER_START).contains(value))
            .copied()
    }
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_general(f, self.registers())
    }
}

#[cfg(test)]
mod tests;
