//! `test=registers` and `test=registers-handled`: a fault with a different value in every register, so
//! that the report shows if it confuses two registers.
//!
//! The second first causes a fault that an application's handler resolves, so that the report also
//! shows if handling a fault changes a register.

use core::arch::naked_asm;

use layout::MemLayout;
use libjos::app::area::{Access, VmArea, area_addresses};

use crate::arch::Layout;

/// An unmapped address. Fetching an instruction from it is the fault.
const NOWHERE: u64 = 0x7654_0AB0;
/// The middle of the kernel's stack, and not aligned: a fault can come with any stack pointer.
const ESP: u64 = Layout::KSTACKTOP - Layout::KSTKSIZE / 2 + 8;
/// The address of the first area.
const AREAS_START: u64 = area_addresses::<Layout>().start;
/// The flags that do not affect the kernel: ID, OF, DF, SF, ZF, AF, PF, the constant 1, and CF.
const EFLAGS: u64 = 0x20_0CD7;

/// Faults at once.
pub(super) fn fault() {
    // SAFETY: no code runs at NOWHERE: fetching it faults.
    unsafe { load_registers(NOWHERE as u32) }
}

/// Faults in an area, whose handler maps a page; then faults like [`fault`].
pub(super) fn fault_after_handled() {
    let area = VmArea::reserve(1).expect("there are addresses");
    assert_eq!(area.base().as_u64(), AREAS_START, "no other area was made");
    area.on_fault(|area, fault| area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok());
    // SAFETY: the code needs no register, and writes to an area, where no Rust object lies.
    unsafe { load_registers(store_and_fault as *const () as usize as u32) }
}

/// Loads every register with a value that spells its name (D1 for EDI, 51 for ESI, B9 for EBP), and
/// continues at `eip`.
///
/// # Safety
///
/// The code at `eip` must be fit to run with these registers.
#[unsafe(naked)]
unsafe extern "C" fn load_registers(eip: u32) -> ! {
    // IRETD, which sets all flags at once, takes no stack pointer within privilege level 0: so its three words
    // are put below ESP.
    naked_asm!(
        "mov eax, [esp + 4]",
        "mov esp, {ESP}",
        "push {EFLAGS}",
        ".byte 0x0e", // push cs, by 32 bits
        "push eax",
        "mov eax, 0xa000000a",
        "mov ebx, 0xb000000b",
        "mov ecx, 0xc000000c",
        "mov edx, 0xd000000d",
        "mov esi, 0x51000051",
        "mov edi, 0xd10000d1",
        "mov ebp, 0xb90000b9",
        "iretd",
        ESP = const ESP,
        EFLAGS = const EFLAGS,
    )
}

/// Writes to the first area's first page, then jumps to NOWHERE; neither changes a register.
#[unsafe(naked)]
extern "C" fn store_and_fault() {
    naked_asm!(
        "mov [{AREAS_START}], eax",
        "jmp dword ptr [2f]",
        "2:",
        ".long {NOWHERE}",
        AREAS_START = const AREAS_START,
        NOWHERE = const NOWHERE,
    )
}
