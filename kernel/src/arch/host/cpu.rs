//! The simulated processor.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use layout::MemLayout;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use raw_cpuid::{CpuId, CpuIdResult};

use super::Layout;
use super::ports::pc;
use super::process::{self, HALTED, SHUT_DOWN};

pub(crate) const DWARF_PC: u8 = 0;

pub(crate) fn cpuid() -> CpuId<fn(u32, u32) -> CpuIdResult> {
    fn read(leaf: u32, subleaf: u32) -> CpuIdResult {
        let [eax, ebx, ecx, edx] =
            pc().processor.cpuid.get(&(leaf, subleaf)).copied().unwrap_or_default();
        CpuIdResult { eax, ebx, ecx, edx }
    }
    CpuId::with_cpuid_reader(read)
}

pub(crate) fn leaf_levels() -> u32 {
    0b011
}

/// The page directory in use; 0 for the one of the entry code.
static PGDIR: AtomicU64 = AtomicU64::new(0);

pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(PGDIR.load(Ordering::Relaxed))
}

pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    PGDIR.store(pgdir.as_u64(), Ordering::Relaxed);
}

pub(crate) fn protect_kernel() {}

pub(crate) fn invlpg(_va: VirtAddr) {}

pub(crate) fn flush_tlb() {}

/// The stack pointer of a kernel that runs on its own stack.
pub(crate) fn stack_pointer() -> VirtAddr {
    VirtAddr::new(Layout::KSTACKTOP - 64)
}

/// The frame pointer at which backtraces end.
pub(crate) fn frame_pointer() -> u64 {
    0
}

pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame, frame.wrapping_add(8)]
}

pub(crate) fn counter() -> u64 {
    pc().processor.pass_time()
}

pub(crate) fn describe(_out: &mut dyn fmt::Write) -> fmt::Result {
    Ok(())
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
