//! The library's permissions, as the processor obeys them in `mem_init`'s own map and in user memory: who may
//! read, write and execute each page, and the exception for every access that is forbidden.

use core::mem::ManuallyDrop;

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::Largest;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::{Exception, Mmu};

fn booted<L: MemLayout, F: Format + Mmu>() -> Pmap<SimMachine<L, F>> {
    let (machine, boot) = SimMachine::new(16 * MB);
    mem_init(machine, boot)
}

/// The exceptions of a load, a store and a fetch at `va`, by the user and then by the kernel.
fn raised<L: MemLayout, F: Format + Mmu>(
    machine: &mut SimMachine<L, F>,
    va: u64,
) -> [Option<Exception>; 6] {
    let va = VirtAddr::new(va);
    [0, 1, 2, 3, 4, 5].map(|i| {
        let done = match i {
            0 => machine.user_load(va).map(drop),
            // A page that the user may write holds zeros, and keeps them.
            1 => machine.user_store(va, 0),
            2 => machine.user_fetch(va).map(drop),
            3 => machine.probe_load(va).map(drop),
            4 => machine.probe_store(va, 0),
            _ => machine.kernel_fetch(va).map(drop),
        };
        assert_eq!(done.is_err(), machine.exception.is_some());
        machine.exception
    })
}

/// The exceptions that the manual demands if a page has `perm`: error code or cause.
fn expected<F: Format + Mmu>(perm: Perm) -> [Option<Exception>; 6] {
    let executable = perm.contains(Perm::X) || F::ALWAYS.contains(Perm::X);
    let allowed = [true, perm.contains(Perm::W), executable];
    let mut expected = [None; 6];
    for (i, slot) in expected.iter_mut().enumerate() {
        let user = i < 3;
        if user == perm.contains(Perm::U) && allowed[i % 3] {
            continue;
        }
        *slot = Some(if F::KIND.is_x86() {
            let doing = [0b00001, 0b00011, 0b10001][i % 3];
            Exception::PageFault(doing | u32::from(user) << 2)
        } else {
            Exception::Cause([13, 15, 12][i % 3])
        });
    }
    expected
}

/// Each set of permissions in user memory, by a small page and by a large one.
fn permissions_of_user_memory<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let mut pgdir = ManuallyDrop::new(pmap.pgdir_create().unwrap());
    pmap.switch(&mut pgdir);
    let large = F::page_size(1);
    let run = pmap.page_alloc_run(ALLOC_ZERO, F::INDEX_BITS).unwrap();
    let pa = pmap.pages().page2pa(run);
    for bits in 0..8 {
        let mut perm = Perm::R;
        perm.set(Perm::W, bits & 1 != 0);
        perm.set(Perm::X, bits & 2 != 0);
        perm.set(Perm::U, bits & 4 != 0);
        for (size, first) in [(PGSIZE, 0x1000_0000), (large, 0x2000_0000)] {
            let va = first + large * bits;
            pmap.map_range(&mut pgdir, VirtAddr::new(va), size, pa, perm, Largest).unwrap();
            let found = raised(pmap.machine_mut(), va + size - 8);
            assert_eq!(found, expected::<F>(perm), "{}: {perm}, {size:#x} bytes", F::NAME);
            let absent = raised(pmap.machine_mut(), va + size);
            assert!(absent.iter().all(Option::is_some), "{}: {absent:?}", F::NAME);
        }
    }
}

/// Where the root shows itself: at each level the entry is UVPT's.
fn root_in_uvpt<L: MemLayout, F: Format>() -> Option<u64> {
    let slot = F::index(F::ROOT, VirtAddr::new(L::UVPT)) as u64;
    let offset = |level| slot << (12 + level * F::INDEX_BITS);
    L::SELF_MAP.then(|| L::UVPT | (0..F::ROOT).map(offset).sum::<u64>())
}

/// The map that `mem_init` makes.
fn permissions_of_the_kernel<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let image = pmap.boot().image;
    let window = |pa: PhysAddr| L::KERNBASE + (pa.as_u64() - L::PHYS_BASE);
    for (what, va, perm) in [
        ("text", window(image.text.start), Perm::KRX),
        ("the end of text", window(image.text.end_exclusive) - 8, Perm::KRX),
        ("rodata", window(image.rodata.start), Perm::KR),
        ("data", window(image.data.start), Perm::KRW),
        ("memory below the kernel", window(image.text.start) - 8, Perm::KRW),
        ("memory", L::KERNBASE + 8 * MB, Perm::KRW),
        ("the kernel stack", L::KSTACKTOP - 8, Perm::KRW),
        ("pages", L::UPAGES, Perm::UR),
    ] {
        let found = raised(pmap.machine_mut(), va);
        assert_eq!(found, expected::<F>(perm), "{}: {what}", F::NAME);
    }
    if let Some(va) = root_in_uvpt::<L, F>() {
        let found = raised(pmap.machine_mut(), va);
        // Where there is XD, no table is executed.
        assert_eq!(found, expected::<F>(Perm::UR), "{}: the root, in UVPT", F::NAME);
    }
    let guard = raised(pmap.machine_mut(), L::KSTACKTOP - L::KSTKSIZE - 8);
    assert!(guard.iter().all(Option::is_some), "{}: {guard:?}", F::NAME);
}

on_every_format! {
    permissions_of_user_memory
    permissions_of_the_kernel
}
