//! The simulated processor.

use libjos::mem::addr::{PhysAddr, VirtAddr};
use raw_cpuid::{CpuId, CpuIdResult};

use super::ports::pc;
use super::process::{self, HALTED, SHUT_DOWN};
use super::processor::{GLOBAL_PAGES, SMAP, SMEP, TASK_SWITCHED, WRITE_PROTECT};

pub(crate) const DWARF_PLACE: u8 = 0;
pub(crate) const FILLS: bool = true;

pub(crate) fn cpuid() -> CpuId<fn(u32, u32) -> CpuIdResult> {
    fn read(leaf: u32, subleaf: u32) -> CpuIdResult {
        let [eax, ebx, ecx, edx] =
            pc().processor.cpuid.get(&(leaf, subleaf)).copied().unwrap_or_default();
        CpuIdResult { eax, ebx, ecx, edx }
    }
    CpuId::with_cpuid_reader(read)
}

pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(pc().processor.control.cr3)
}

pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    pc().processor.lcr3(pgdir);
}

pub(crate) fn protect_kernel() {
    let control = &mut pc().processor.control;
    control.cr0 |= WRITE_PROTECT;
    control.cr4 |= GLOBAL_PAGES | SMEP | SMAP;
}

/// # Safety
///
/// None is needed here.
pub(crate) unsafe fn allow_machine_checks() {
    pc().processor.control.cr4 |= 1 << 6;
}

pub(in crate::arch) fn clear_task_switched() {
    pc().processor.control.cr0 &= !TASK_SWITCHED;
}

pub(crate) fn invlpg(va: VirtAddr) {
    pc().processor.invlpg(va.as_u64());
}

pub(crate) fn made_valid(_page: Option<VirtAddr>) {}

pub(crate) fn flush_tlb() {
    pc().processor.flush_tlb();
}

pub(crate) fn stack_pointer() -> VirtAddr {
    VirtAddr::new(pc().processor.rsp)
}

pub(crate) fn frame_pointer() -> u64 {
    pc().processor.rbp
}

/// Makes `frame` the frame pointer.
#[cfg(test)]
pub(crate) fn set_frame_pointer(frame: u64) {
    pc().processor.rbp = frame;
}

pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame, frame.wrapping_add(8)]
}

pub(crate) fn counter() -> u64 {
    pc().processor.pass_time()
}

pub(crate) fn fine_counter() -> u64 {
    counter()
}

pub(crate) fn halt() {
    process::end(HALTED)
}

/// Shuts the processor down.
///
/// # Safety
///
/// None is needed here.
pub(crate) unsafe fn shut_down() {
    process::end(SHUT_DOWN)
}

/// A model-specific register, with the functions of the crate `x86_64`'s.
pub(crate) struct Msr(u32);

impl Msr {
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// # Safety
    ///
    /// None is needed here.
    pub(crate) unsafe fn read(&self) -> u64 {
        pc().processor.msrs.get(&self.0).copied().unwrap_or(0)
    }

    /// # Safety
    ///
    /// None is needed here.
    pub(crate) unsafe fn write(&mut self, value: u64) {
        pc().processor.msrs.insert(self.0, value);
    }
}

/// Whether write protection binds the kernel (CR0.WP).
#[cfg(test)]
pub(crate) fn is_protected() -> bool {
    pc().processor.control.cr0 & WRITE_PROTECT != 0
}

/// Sets a bit of a control register (EFER) that has no name.
#[cfg(test)]
pub(crate) fn set_unknown_bit() {
    pc().processor.control.efer |= 1 << 62;
}
