//! The kernel's GDT, and the TSS with the separate stacks of double fault, NMI and machine check.

use layout::MemLayout;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;

use crate::arch::Layout;
use crate::arch::x86::stack::EXCEPTION_STACKS;
use crate::arch::x86_64::program::{USER_CODE, USER_DATA};

/// Indices of the stacks in the TSS (Intel SDM vol. 3A, 6.14.5 "Interrupt stack table").
pub(super) const DOUBLE_FAULT_STACK: u16 = 0;
pub(super) const NMI_STACK: u16 = 1;
pub(super) const MACHINE_CHECK_STACK: u16 = 2;

static TSS: Once<TaskStateSegment> = Once::new();
static GDT: Once<GlobalDescriptorTable> = Once::new();

/// Loads GDT and TSS. The entry code's GDT lies at a low address, which `kern_pgdir` does not map.
pub(super) fn init() {
    let tss = TSS.call_once(|| {
        let mut tss = TaskStateSegment::new();
        // The stack for traps of programs.
        tss.privilege_stack_table[0] = VirtAddr::new(Layout::KSTACKTOP);
        for (i, stack) in EXCEPTION_STACKS.iter().enumerate() {
            tss.interrupt_stack_table[i] = VirtAddr::new(stack.top().as_u64());
        }
        tss
    });
    let mut gdt = GlobalDescriptorTable::new();
    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    let user_data = gdt.append(Descriptor::user_data_segment());
    let user_code = gdt.append(Descriptor::user_code_segment());
    assert!((u64::from(user_data.0), u64::from(user_code.0)) == (USER_DATA, USER_CODE));
    let task = gdt.append(Descriptor::tss_segment(tss));
    GDT.call_once(|| gdt).load();
    // SAFETY: the selectors belong to the table just loaded: flat segments of privilege level 0, like
    // those in use, and the TSS, which is loaded only here.
    unsafe {
        CS::set_reg(code);
        SS::set_reg(data);
        DS::set_reg(data);
        ES::set_reg(data);
        load_tss(task);
    }
}
