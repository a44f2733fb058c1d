//! `make bench-kernel`: the memory system's instruction counts in the machine, beside those of JOS and xv6.
//!
//! Under QEMU's `-icount shift=0,sleep=off` the processor's counter counts instructions, so a figure
//! is the same on every run. (A REP string instruction counts once for each repetition.) Elsewhere it
//! counts cycles, which differ from run to run, so that differences of them may come out as 0. The
//! operations run on the booted kernel's own memory system; `mem_init` as a whole runs a second time,
//! in RAM that the first one left free.

#![no_std]
#![no_main]

use core::fmt;
use core::hint::black_box;
use core::mem::ManuallyDrop;
use core::sync::atomic::{Ordering, compiler_fence};

use kernel::machine::Hardware;
use kernel::{Format, Layout, clock, pmap};
use layout::{KB, MB, MemLayout, PGSIZE};
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::boot::Boot;
use libjos::mem::boot_alloc::BootAlloc;
use libjos::mem::pages::{AllocFlags, Block, Frame, PageAllocator, PageInfo};
use libjos::mem::reservations::Reservations;
use libjos::paging::directory::Pgdir;
use libjos::paging::format::{self, Perm};
use libjos::paging::vm::Vm;
use libjos::pmap::{Pmap, mem_init};
use libjos::space::AddressSpace;
use libjos::{print, println};

use second::SecondMachine;

mod second;

libjos::application!(bench);

/// Whether the machine is that of xv6-riscv. If not, its peers are JOS and xv6.
const IS_SV39: bool = <Format as format::Format>::LEVELS == 3;
/// Pages in the window of 256 MB.
const NPAGES: u64 = Layout::WINDOW_SIZE / PGSIZE;

fn bench() {
    // SAFETY: this maps, frees and writes only its own allocations, in directories of its own or at
    // UTEMP, where nothing is; the second `mem_init` uses RAM that the first one left free, on a
    // machine that does not change the processor's state.
    let pmap = &mut *unsafe { pmap::memory_system() };
    let single = single_pages(pmap);
    let copyin = copyin(pmap);
    // Before the region's tables are made: the second `mem_init` may overwrite them.
    let boot = second_boot(pmap);
    let region = boot_map_region(pmap);
    let whole = whole(pmap.machine(), &boot);

    let [
        init_goal,
        region_goal,
        pair_goal,
        hit_goal,
        copyin_goal,
        checks_goal,
        whole_goal,
        tables_goal,
    ] = match <Format as format::Format>::LEVELS {
        2 => ["-", "-", "113", "36", "1150", "8466795", "-", "-"],
        3 => ["-"; 8],
        _ => ["5", "3", "90", "25", "700", "6000000", "400000", "64"],
    };
    // Goals and peers' figures for `mem_init` are known only for 256 MB.
    let known = |figure| if whole.npages.div_ceil(256) == NPAGES / 256 { figure } else { "-" };
    let mb = whole.npages * PGSIZE / MB;
    // The peers' figures were measured elsewhere: docs/performance.md says how.
    let compiled = if IS_SV39 { "-O/-O2" } else { "two levels -O1/-O2; four -O2" };
    println!("\nInstructions, with frames for {mb} MB; C: {compiled}");
    let line = |what: &str, count: &dyn fmt::Display, goal, jos, xv6, xv6_riscv| {
        // The count gets all columns that its name leaves, since counts with much RAM are long.
        let rest = 36 - what.len();
        print!("{what}{count:>rest$}{goal:>8}  ");
        if IS_SV39 { println!("{xv6_riscv}") } else { println!("{jos:<17} {xv6}") }
    };
    line("", &"JOS64", "goal", "JOS two; four", "xv6", "xv6-riscv");
    line(
        "page_init, a page",
        &Per(whole.page_init, whole.npages),
        init_goal,
        "18.9/17.0",
        "-",
        "-",
    );
    let (a_page, jos) = (Per(region, NPAGES), "51.1/38.1; 68.1");
    line("boot_map_region, a 4 KB page", &a_page, region_goal, jos, "46.1/26.0", "74.0/80.0");
    let (pair, xv6) = (&single.alloc_free, "22+~50/21+~50");
    line("page_alloc + page_free", pair, "-", "40/40; 24", xv6, "437/401");
    let pair = &single.insert_remove;
    line("page_insert + page_remove", pair, pair_goal, "173/113; 196", "-", "224/239");
    line("pgdir_walk, hit", &single.hit, hit_goal, "40/33; 59", "34/34", "61/68");
    line("pgdir_walk, miss", &single.miss, "-", "31/29; 54", "-", "43/47");
    line("copyin, 4,096 bytes", &copyin, copyin_goal, "1073", "12293", "20622");
    let jos = known("17792757/16933591");
    line("mem_init, all checks", &whole.all, known(checks_goal), jos, "-", "-");
    let jos = known("4739184/3820818");
    line("mem_init, no check", &whole.no_check(), known(whole_goal), jos, "-", "-");
    line("  a frame", &Per(whole.no_check(), whole.npages), "-", "-", "-", "-");
    line("  of it: boot_alloc", &whole.boot_alloc, "-", "-", "-", "-");
    line("  of it: page_init", &whole.page_init, "-", "-", "-", "-");
    let (xv6, riscv) = (known("3019232/1708191"), known("9137315/9533911"));
    line("  of it: all regions mapped", &whole.regions, "-", "-", xv6, riscv);
    line("check_page_free_list", &whole.check_free_list, "-", "-", "-", "-");
    line("check_page_alloc", &whole.check_page_alloc, "-", "-", "-", "-");
    line("check_page", &whole.check_page, "-", "-", "-", "-");
    line("check_kern_pgdir", &whole.check_kern_pgdir, "-", "-", "-", "-");
    let tables_kb = (whole.ntables + 1) * PGSIZE / KB;
    line("page tables at the end, KB", &tables_kb, known(tables_goal), known("268"), "-", "-");
}

/// A count divided by a number of pieces, to one decimal.
struct Per(u64, u64);

impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (10 * self.0 + self.1 / 2) / self.1;
        let width = f.width().unwrap_or(0).saturating_sub(2);
        write!(f, "{:>width$}.{}", tenths / 10, tenths % 10)
    }
}

/// Counts the instructions of `work`.
fn count<R>(work: impl FnOnce() -> R) -> u64 {
    fn between<R>(work: impl FnOnce() -> R) -> u64 {
        let start = now();
        let result = work();
        let end = now();
        black_box(result);
        end - start
    }
    between(work).saturating_sub(between(|| ()))
}

/// The instructions so far. The compiler moves no memory access across the call.
#[inline(always)]
fn now() -> u64 {
    compiler_fence(Ordering::SeqCst);
    let now = clock::now();
    compiler_fence(Ordering::SeqCst);
    now
}

/// Instruction counts of operations on one page.
struct SinglePages {
    alloc_free: u64,
    insert_remove: u64,
    hit: u64,
    miss: u64,
}

#[inline(never)] // so that the small stack holds its variables only while it runs
fn single_pages(pmap: &mut Pmap<Hardware>) -> SinglePages {
    // In the directory in use, as for JOS's figures, so that the translation is dropped too.
    let (vm, pgdir) = pmap.split();
    let pgdir = black_box(pgdir);
    let (va, absent) = (black_box(VirtAddr::new(Layout::UTEMP)), black_box(VirtAddr::new(64 * MB)));
    let page = vm.page_alloc(AllocFlags::empty()).expect("there is memory");
    // Another use of the page keeps it from being freed; mapping it once makes the tables.
    vm.pages_mut().page_incref(page).expect("it was just allocated");
    vm.page_insert(pgdir, page, va, Perm::URW).expect("nothing is mapped there");
    vm.page_remove(pgdir, va).expect("no large page is there");

    let alloc_free = alloc_free(vm);
    let insert_remove = insert_remove(vm, pgdir, page, [va, black_box(va)]);
    let (hit, miss) = (walk(vm, pgdir, va), walk(vm, pgdir, absent));

    assert!(matches!(vm.pgdir_walk(pgdir, va, false), Ok(Some(_))), "it was to be a hit");
    assert!(matches!(vm.pgdir_walk(pgdir, absent, false), Ok(None)), "it was to be a miss");
    assert!(vm.pages().pp_ref(page) == 1 && vm.page_lookup(pgdir, va).is_none(), "page kept");
    SinglePages { alloc_free, insert_remove, hit, miss }
}

// Each operation is counted in a function of its own, which shares no part of its work with another.

#[inline(never)]
fn alloc_free(vm: &mut Vm<Hardware>) -> u64 {
    count(|| {
        let page = vm.page_alloc(AllocFlags::empty());
        vm.pages_mut().page_free(black_box(page).expect("there is memory"));
    })
}

/// Maps `page` and unmaps it: at one address, which the compiler does not know.
#[inline(never)]
fn insert_remove(vm: &mut Vm<Hardware>, pgdir: &mut Pgdir, page: Frame, va: [VirtAddr; 2]) -> u64 {
    count(|| (vm.page_insert(pgdir, page, va[0], Perm::URW), vm.page_remove(pgdir, va[1])))
}

#[inline(never)]
fn walk(vm: &mut Vm<Hardware>, pgdir: &mut Pgdir, va: VirtAddr) -> u64 {
    count(|| vm.pgdir_walk(pgdir, va, false))
}

/// Copies the bytes of a page of user memory to the kernel.
#[inline(never)]
fn copyin(vm: &mut Vm<Hardware>) -> u64 {
    let mut space = AddressSpace::uvmcreate(vm).expect("there is memory");
    space.uvmalloc(vm, 0, PGSIZE, Perm::W).expect("there is memory");
    space.copyout(vm, VirtAddr::new(0), &[1; 16]).expect("user memory");
    let mut bytes = black_box([0; PGSIZE as usize]);
    let count = count(|| space.copyin(vm, &mut bytes, black_box(VirtAddr::new(0))));
    assert!(bytes[15] == 1 && bytes[16] == 0, "it was to copy");
    space.uvmfree(vm);
    count
}

/// A page directory with nothing in it, which stays.
fn new_pgdir<M: Machine>(vm: &mut Vm<M>) -> ManuallyDrop<Pgdir> {
    ManuallyDrop::new(vm.pgdir_empty().expect("there is memory"))
}

/// Maps 65,536 pages of 4 KB: the physical addresses lie one page off, so that no larger page fits.
fn boot_map_region(pmap: &mut Pmap<Hardware>) -> u64 {
    let mut pgdir = black_box(new_pgdir(pmap));
    let (va, pa) = (VirtAddr::new(Layout::KERNBASE), PhysAddr::new(Layout::PHYS_BASE + PGSIZE));
    let region = count(|| {
        pmap.boot_map_region(&mut pgdir, va, Layout::WINDOW_SIZE, pa, Perm::KRW);
    });
    for offset in (0..Layout::WINDOW_SIZE).step_by(PGSIZE as usize) {
        assert!(pmap.va2pa(&pgdir, va + offset) == Some(pa + offset), "at {}", va + offset);
    }
    region
}

/// Instruction counts of `mem_init` and its parts.
struct Whole {
    all: u64,
    boot_alloc: u64,
    page_init: u64,
    /// Frames that `page_init` sets up.
    npages: u64,
    regions: u64,
    check_free_list: u64,
    /// The cost of one more table in `check_free_list`.
    check_table: u64,
    check_page_alloc: u64,
    check_page: u64,
    check_kern_pgdir: u64,
    /// Page tables, without the directory.
    ntables: u64,
}

impl Whole {
    /// The count without the checks. `check_page_free_list` runs twice, the first time before there
    /// are any tables to check.
    fn no_check(&self) -> u64 {
        let early_check_free_list =
            self.check_free_list.saturating_sub(self.ntables * self.check_table);
        let checks = early_check_free_list
            + self.check_free_list
            + self.check_page_alloc
            + self.check_page
            + self.check_kern_pgdir;
        self.all.saturating_sub(checks)
    }
}

/// The input for a second `mem_init`, with all memory in use now reserved.
#[inline(never)] // as `single_pages`
fn second_boot(pmap: &Pmap<Hardware>) -> Boot {
    let mut boot = pmap.boot().clone();
    let in_use = pmap.pages().infos().zip(0..).filter(|(info, _)| info.pp_link == PageInfo::IN_USE);
    let at = |index: u64| PhysAddr::new(Layout::PHYS_BASE + index * PGSIZE);
    let tables = in_use.map(|(_, index)| PhysRange::from_size(at(index), PGSIZE));
    let pgdir = PhysRange::from_size(pmap.kern_root(), PGSIZE);
    let in_use = tables.chain([pgdir, pmap.boot_memory().pages, pmap.boot_memory().runs]);
    let loaders = pmap.boot().reserved.runs().iter().copied();
    boot.reserved = Reservations::new(loaders.chain(in_use), &boot.memory);
    boot
}

#[inline(never)] // as `single_pages`
fn whole(hardware: &Hardware, boot: &Boot) -> Whole {
    // Before the second memory system exists, since this allocates the same memory.
    let npages = boot.memory.npages::<Layout>() as u64;
    let boot_alloc = boot_alloc(hardware, boot, npages);

    let (machine, its_boot) = (SecondMachine(hardware), boot.clone());
    // Without `count`, whose closure would hold another memory system: the stack is small.
    let start = now();
    let pmap = &mut mem_init(machine, its_boot);
    let all = now() - start;
    let ntables =
        pmap.pages().infos().filter(|info| info.pp_link == PageInfo::IN_USE).count() as u64;

    let check_free_list = count(|| pmap.checks().check_page_free_list());
    let check_page_alloc = count(|| pmap.checks().check_page_alloc());
    let check_page = count(|| pmap.checks().check_page());
    let check_kern_pgdir = count(|| pmap.checks().check_kern_pgdir());

    // A page in the middle of the region for devices, which has no table yet, adds one table.
    let (device, nfree) = (VirtAddr::new(Layout::MMIOBASE + 2 * MB), pmap.pages().nfree());
    let (vm, pgdir) = pmap.split();
    vm.boot_map_region(pgdir, device, PGSIZE, PhysAddr::new(0), Perm::KRW);
    assert!(pmap.pages().nfree() == nfree - 1, "it was to take one table");
    let check_table =
        count(|| pmap.checks().check_page_free_list()).saturating_sub(check_free_list);

    let mut pgdir = black_box(new_pgdir(pmap));
    let regions = count(|| map_regions(pmap, &mut pgdir, boot));

    Whole {
        all,
        boot_alloc,
        page_init: page_init(pmap, boot),
        npages,
        regions,
        check_free_list,
        check_table,
        check_page_alloc,
        check_page,
        check_kern_pgdir,
        ntables,
    }
}

/// The allocations of `mem_init` before there is a page allocator.
#[inline(never)] // as `single_pages`
fn boot_alloc(hardware: &Hardware, boot: &Boot, npages: u64) -> u64 {
    count(|| {
        let mut allocator = BootAlloc::new::<Layout>(boot);
        allocator.boot_alloc(hardware, PGSIZE);
        allocator.boot_alloc(hardware, npages * size_of::<PageInfo>() as u64);
        let table_len = Block::table_len(npages as usize) as u64;
        allocator.boot_alloc(hardware, table_len * size_of::<PageInfo>() as u64)
    })
}

/// The free list made anew, which destroys the memory system: all its pages but the kernel's are free again.
#[inline(never)] // as `single_pages`
fn page_init(pmap: &mut Pmap<SecondMachine<'_>>, boot: &Boot) -> u64 {
    let mut free = boot.memory.usable().clone();
    let used = PhysRange::below(pmap.boot_memory().runs.end_exclusive);
    free.remove(used).expect("one run is cut");
    count(|| pmap.pages_mut().page_init(free.runs()))
}

/// Maps the regions of `mem_init` in another directory. They are not global there, which takes the same
/// number of instructions.
#[inline(never)] // as `single_pages`
fn map_regions(pmap: &mut Pmap<SecondMachine<'_>>, pgdir: &mut Pgdir, boot: &Boot) {
    let image = boot.image;
    let window = PhysRange::from_size(PhysAddr::new(Layout::PHYS_BASE), Layout::WINDOW_SIZE);
    let (memory, devices) = (pmap.boot_memory().pages, pmap.machine().devices());
    let mut map = |va, range: PhysRange, perm| {
        pmap.boot_map_region(pgdir, VirtAddr::new(va), range.size(), range.start, perm);
    };
    map(Layout::UPAGES, memory, Perm::UR);
    map(Layout::KSTACK, image.stack, Perm::KRW);
    for (range, perm) in [
        (PhysRange::new(window.start, image.text.start), Perm::KRW),
        (image.text, Perm::KRX),
        (image.rodata, Perm::KR),
        (PhysRange::new(image.rodata.end_exclusive, window.end_exclusive), Perm::KRW),
    ] {
        map(Layout::KERNBASE + (range.start - window.start), range, perm);
    }
    for run in boot.memory.used::<Layout>() {
        let above = PhysRange::new(
            run.start.max(window.end_exclusive),
            run.end_exclusive.max(window.end_exclusive),
        );
        map(Layout::PHYSMAP + (above.start - window.start), above, Perm::KRW);
    }
    let mut va = Layout::MMIOBASE;
    for device in devices {
        map(va, *device, Perm::KRW);
        va += device.size();
    }
}
