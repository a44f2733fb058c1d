//! [`Pc`]: the machine that `libjos` works on, a PC with an x86-64 processor.

use core::arch::asm;
use core::fmt;
use core::ptr::{self, NonNull};

use layout::{Jos64, MemLayout, PGSIZE};
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr;
use libjos::mem::pages::{POISON, PageArray, PageInfo};
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::word::Word;
use libjos::pmap::Globals;
use raw_cpuid::{CpuId, CpuIdReaderNative};
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr3Flags, Cr4, Cr4Flags};
use x86_64::structures::paging::PhysFrame;

use crate::console;
use crate::globals;
use crate::probe;

/// The machine. Holding one allows all that [`Machine`] does, so there is one, in
/// [`pmap`](crate::pmap).
#[derive(Debug)]
pub struct Pc {
    /// Levels at which this processor accepts a leaf. CPUID is slow, above all in a virtual
    /// machine, so it is asked once.
    leaf_levels: u32,
}

impl Pc {
    /// The machine. Only for [`pmap`](crate::pmap).
    ///
    /// Pages of 4 KB and 2 MB there are always, of 1 GB where CPUID says so (Intel SDM vol. 3A,
    /// 4.1.4).
    pub(crate) fn new() -> Self {
        let features = cpuid().get_extended_processor_and_feature_identifiers();
        let has_1gb = features.is_some_and(|features| features.has_1gib_pages());
        Self { leaf_levels: 0b011 | u32::from(has_1gb) << 2 }
    }
}

/// Where the kernel sees the `size` bytes at `pa` (JOS's `KADDR`). All access to page tables goes
/// through here, so for the window at KERNBASE the checks are one comparison and one test of bits.
///
/// # Panics
///
/// Where they do not all lie in one window, are not aligned, or end where the address space does:
/// no Rust object may, and the window's last frame is nobody's.
#[inline(always)]
fn kaddr<T>(pa: PhysAddr, size: u64) -> *mut T {
    // An address below the window wraps, and lies far beyond its end then.
    let offset = pa.as_u64().wrapping_sub(Jos64::PHYS_BASE);
    let aligned = offset & (align_of::<T>() as u64 - 1) == 0;
    let window = ptr::with_exposed_provenance_mut::<T>(Jos64::KERNBASE as usize);
    if size > Jos64::WINDOW_SIZE || offset >= Jos64::WINDOW_SIZE - size || !aligned {
        in_physmap(pa, size)
    } else {
        // A pointer and a distance, not a sum of numbers: an access then names both.
        window.wrapping_byte_add(offset as usize)
    }
}

/// [`kaddr`] for what is not in the window at KERNBASE.
#[cold]
#[inline(never)]
fn in_physmap<T>(pa: PhysAddr, size: u64) -> *mut T {
    let ends = |va: &VirtAddr| va.as_u64().checked_add(size).is_some();
    match kaddr::kaddr::<Jos64>(pa, size).filter(ends) {
        Some(va) if pa.is_aligned(align_of::<T>() as u64) => {
            ptr::with_exposed_provenance_mut(va.as_u64() as usize)
        }
        _ => panic!(
            "physical address {pa} ({size} bytes) is not aligned, no window shows it, or it ends \
             with the address space"
        ),
    }
}

/// Fills the frame at `pa`, which is free, as [`Pmap::poison_pages`](libjos::pmap::Pmap::poison_pages)
/// wants it.
pub(crate) fn poison_frame(pa: PhysAddr) {
    let words = kaddr::<u64>(pa, PGSIZE);
    for i in 0..PGSIZE as usize / size_of::<u64>() {
        // SAFETY: as in `Pc::store`, for a whole frame that nothing uses.
        unsafe { words.wrapping_add(i).write(POISON) };
    }
}

impl PhysMem for Pc {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        // SAFETY: aligned and in a window, which is mapped for good (`kaddr`). Words at
        // physical addresses are written by this type and the processor alone, atomically.
        unsafe { W::load(kaddr(pa, W::BYTES)) }
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        // SAFETY: as in `load`; and `libjos` writes only to frames that are its own, and to those
        // that it has given out to nobody else. Outside the kernel's code and constants the
        // window is writable.
        unsafe { W::store(kaddr(pa, W::BYTES), word) };
    }

    fn store_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        /// Stores to a turn of the loop: a page table is some hundred of them.
        const UNROLLED: usize = 16;
        let mut next = kaddr::<W>(pa, W::BYTES * count as u64);
        let mut word = first;
        let mut store = |count: usize| {
            for i in 0..count {
                // SAFETY: as in `store`; all the words lie in one window, and this stores `count`
                // of them in all.
                unsafe { W::store(next.wrapping_add(i), word) };
                word = word.wrapping_add(step);
            }
            next = next.wrapping_add(count);
        };
        for _ in 0..count / UNROLLED {
            store(UNROLLED);
        }
        store(count % UNROLLED);
    }

    fn zero_frame(&self, pa: PhysAddr) {
        assert!(pa.is_aligned(PGSIZE), "frame {pa} is not aligned");
        // SAFETY: as in `store`, for a whole frame that nothing uses yet.
        unsafe { kaddr::<u64>(pa, PGSIZE).write_bytes(0, PGSIZE as usize / size_of::<u64>()) };
    }

    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        let size = (npages * size_of::<PageInfo>()) as u64;
        let start = NonNull::new(kaddr(pa, size)).expect("KERNBASE is not 0");
        let array = NonNull::slice_from_raw_parts(start, npages);
        // SAFETY: RAM in the window, which is mapped for good and may hold any numbers; that nobody
        // has a reference into it the caller has promised. One processor runs, so nothing accesses
        // it while something else does.
        unsafe { PageArray::new(array) }
    }
}

impl Machine for Pc {
    type Layout = Jos64;
    type Format = X86_64;

    fn leaf_levels(&self) -> u32 {
        self.leaf_levels
    }

    fn lcr3(&mut self, pgdir: PhysAddr) {
        let frame = PhysFrame::from_start_address(x86_64::PhysAddr::new(pgdir.as_u64()))
            .expect("a page directory is a whole frame");
        // SAFETY: the caller maps all code, stacks and data in use at the same addresses in the
        // new directory (the contract of this method).
        unsafe { Cr3::write(frame, Cr3Flags::empty()) };
    }

    /// Adds to what the entry wrote (`boot::entry`), and to CR4.MCE (`traps`):
    ///
    /// | bit | since |
    /// |---|---|
    /// | CR0.WP | read-only pages are to bind the kernel: its code and constants, UPAGES, UVPT |
    /// | CR4.PGE | the kernel's half is mapped global |
    /// | CR4.SMEP, SMAP | the kernel shall not run user pages, nor touch them but where it says so |
    /// | CR4.UMIP | user code has no business with the addresses of GDT, IDT and TSS |
    ///
    /// No-execute pages are on since the entry. Bits and CPUID leaves: Intel SDM vol. 3A, 2.5
    /// "Control registers", and 4.6 "Access rights".
    fn protect_kernel(&mut self) {
        let basic = cpuid().get_feature_info();
        let extended = cpuid().get_extended_feature_info();
        let basic = |has: fn(&raw_cpuid::FeatureInfo) -> bool| basic.as_ref().is_some_and(has);
        let extended =
            |has: fn(&raw_cpuid::ExtendedFeatures) -> bool| extended.as_ref().is_some_and(has);

        let mut cr4 = Cr4::read();
        cr4.set(Cr4Flags::PAGE_GLOBAL, basic(|f| f.has_pge()));
        cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, extended(|f| f.has_smep()));
        cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, extended(|f| f.has_smap()));
        cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, extended(|f| f.has_umip()));
        // SAFETY: only protections are added, each of which the processor has; kern_pgdir gives
        // the kernel what it needs without what they forbid.
        unsafe {
            Cr4::write(cr4);
            Cr0::update(|cr0| cr0.insert(Cr0Flags::WRITE_PROTECT));
        }
    }

    fn invlpg(&mut self, va: VirtAddr) {
        // A non-canonical address has no translation to drop.
        if let Ok(va) = x86_64::VirtAddr::try_new(va.as_u64()) {
            tlb::flush(va);
        }
    }

    /// Reloading CR3 spares global translations; turning them off and on again does not (Intel SDM
    /// vol. 3A, 4.10.4.1).
    fn flush_tlb(&mut self) {
        let cr4 = Cr4::read();
        if cr4.contains(Cr4Flags::PAGE_GLOBAL) {
            // SAFETY: the bit only says whether translations outlive a change of CR3.
            unsafe {
                Cr4::write(cr4 - Cr4Flags::PAGE_GLOBAL);
                Cr4::write(cr4);
            }
        } else {
            tlb::flush_all();
        }
    }

    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        probe::load(va.as_u64())
    }

    fn probe_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        // SAFETY: the memory system probes only pages that it has mapped for that, or that must
        // fault.
        unsafe { probe::store(va.as_u64(), value) }
    }

    fn stack_pointer(&self) -> VirtAddr {
        let rsp: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack, preserves_flags)) };
        VirtAddr::new(rsp)
    }

    fn tell_debugger(&mut self, globals: &Globals) {
        globals::note(globals);
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        console::print(text);
    }
}

/// The processor's identification.
pub(crate) fn cpuid() -> CpuId<CpuIdReaderNative> {
    CpuId::new()
}
