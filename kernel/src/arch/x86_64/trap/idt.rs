//! The IDT: every exception and every interrupt of a device has an entry, which leads to its stub.

use spin::Once;
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::{PrivilegeLevel, VirtAddr};

use super::segments;
use crate::arch::interrupts::{IRQ_OFFSET, NLINES};
use crate::arch::x86::jos::{BREAKPOINT, SYSCALL};
use crate::arch::x86::trap::machine_check;
use crate::arch::x86::trap::stubs::{HANDLER, Handler, stub};

static IDT: Once<InterruptDescriptorTable> = Once::new();

/// Loads GDT, TSS and IDT. From here on every exception calls `handler`, machine checks included.
pub(crate) fn init(handler: Handler) {
    HANDLER.call_once(|| handler);
    segments::init();
    IDT.call_once(idt).load();
    machine_check::init();
}

/// The IDT, with an entry for every exception that a processor may raise (Intel SDM vol. 3A, 6.3.1,
/// table 6-1; AMD APM vol. 2, 8.2), by its name in the crate `x86_64`.
fn idt() -> InterruptDescriptorTable {
    let mut idt = InterruptDescriptorTable::new();
    macro_rules! entries {
        ($($vector:literal $name:ident $(on $stack:expr)?;)*) => {$(
            // SAFETY: the stub of this vector completes the frame, with or without an error code from
            // the processor, and returns with IRETQ.
            let options = unsafe { idt.$name.set_handler_addr(VirtAddr::new(stub($vector))) };
            // SAFETY: the TSS has a stack at this index, which no other vector uses.
            $(unsafe { options.set_stack_index($stack) };)?
            let _ = options;
        )*};
    }
    entries! {
        0 divide_error;
        1 debug;
        2 non_maskable_interrupt on segments::NMI_STACK;
        4 overflow;
        5 bound_range_exceeded;
        6 invalid_opcode;
        7 device_not_available;
        8 double_fault on segments::DOUBLE_FAULT_STACK;
        10 invalid_tss;
        11 segment_not_present;
        12 stack_segment_fault;
        13 general_protection_fault;
        14 page_fault;
        16 x87_floating_point;
        17 alignment_check;
        18 machine_check on segments::MACHINE_CHECK_STACK;
        19 simd_floating_point;
        20 virtualization;
        21 cp_protection_exception;
        28 hv_injection_exception;
        29 vmm_communication_exception;
        30 security_exception;
    }
    for vector in IRQ_OFFSET..IRQ_OFFSET + NLINES {
        // SAFETY: as above.
        unsafe { idt[vector as u8].set_handler_addr(VirtAddr::new(stub(vector))) };
    }
    // Programs may raise these two.
    // SAFETY: as above.
    unsafe { idt[SYSCALL as u8].set_handler_addr(VirtAddr::new(stub(SYSCALL))) }
        .set_privilege_level(PrivilegeLevel::Ring3);
    // SAFETY: as above.
    unsafe { idt.breakpoint.set_handler_addr(VirtAddr::new(stub(BREAKPOINT))) }
        .set_privilege_level(PrivilegeLevel::Ring3);
    idt
}
