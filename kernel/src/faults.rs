//! Fault tests, picked by `test=NAME` on the kernel's command line: each breaks one promise of the
//! memory system by a real access or call, and must end in a panic that names it.

pub(crate) mod fault;

use alloc::vec::Vec;
use core::alloc::Layout;
use core::fmt;
use core::hint::black_box;

use layout::{MemLayout, PGSIZE};
use libjos::app::area::{Access, VmArea};
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, PageAllocator};
use libjos::paging::format::{self, Geometry, Perm};
use libjos::paging::word::Word;

use crate::arch::faults::{
    self as machine, CODE, NO_RAM, RESERVED, execute, read, user_access_allowed, write,
};
use crate::arch::screen::CELLS;
use crate::arch::{self, EntryWord, Format, probe};
use crate::pmap;
use crate::symbols;
use fault::{FaultTest, succeed};

/// The fault tests that every machine has.
const FAULTS: &[FaultTest] = &[
    FaultTest { name: "read-null", commit: || read(0) },
    FaultTest { name: "write-text", commit: || write(symbols::stext().as_u64()) },
    FaultTest { name: "write-rodata", commit: || write((&raw const CONSTANT).addr() as u64) },
    FaultTest { name: "stack-overflow", commit: stack_overflow },
    FaultTest { name: "write-upages", commit: || write(arch::Layout::UPAGES) },
    FaultTest { name: "read-user", commit: read_user },
    FaultTest { name: "read-hole", commit: || read(HOLE) },
    FaultTest { name: "double-free", commit: double_free },
    FaultTest { name: "free-referenced", commit: free_referenced },
    FaultTest { name: "boot-alloc-late", commit: boot_alloc_late },
    FaultTest { name: "panic", commit: || panic!("asked for by test=panic") },
    FaultTest { name: "failed-check", commit: failed_check },
    FaultTest { name: "table-outside-ram", commit: table_outside_ram },
    FaultTest { name: "heap-stale", commit: heap_stale },
    FaultTest { name: "heap-overrun", commit: heap_overrun },
    FaultTest { name: "heap-double-free", commit: heap_double_free },
    FaultTest { name: "heap-use-after-free", commit: heap_use_after_free },
    FaultTest { name: "heap-elsewhere", commit: heap_elsewhere },
    FaultTest { name: "page-use-after-free", commit: page_use_after_free },
    FaultTest { name: "print-in-report", commit: || panic!("{}", Talkative) },
    FaultTest { name: "fault-in-report", commit: || panic!("{}", Unprintable) },
    FaultTest { name: "exec-area", commit: exec_area },
    FaultTest { name: "reserved-bit", commit: reserved_bit },
];

/// The fault test of machines that can withhold execution.
const EXECUTION: &[FaultTest] = &[FaultTest { name: "exec-data", commit: exec_data }];
/// The fault test of machines whose address space has a hole in its middle. The bits that the hardware translates are those
/// of the kernel's code.
const HALVES: &[FaultTest] = &[FaultTest {
    name: "non-canonical",
    commit: || read(symbols::stext().as_u64() % (2 * arch::Layout::LOWER_END)),
}];
/// The fault test of machines whose screen is memory.
const SCREEN: &[FaultTest] = &[FaultTest { name: "screen-lost", commit: screen_lost }];

/// A page that nothing maps: below the devices' addresses, or the first of them if there is no room.
const HOLE: u64 = if arch::Layout::PHYSMAP + arch::Layout::PHYSMAP_MAX < arch::Layout::MMIOBASE {
    arch::Layout::MMIOBASE - PGSIZE
} else {
    arch::Layout::MMIOBASE
};

/// A constant, to have an address in `.rodata`.
static CONSTANT: u64 = 42;

/// All fault tests of this machine.
pub(crate) fn all() -> impl Iterator<Item = &'static FaultTest> {
    let withholds_execution = !<Format as format::Format>::ALWAYS.contains(Perm::X);
    let some = [
        (EXECUTION, withholds_execution),
        (HALVES, arch::Layout::HALVES),
        (SCREEN, CELLS.is_some()),
    ];
    let some = some.into_iter().filter_map(|(faults, has)| has.then_some(faults)).flatten();
    FAULTS.iter().chain(some).chain(machine::FAULTS)
}

/// The fault test called `name`.
#[must_use]
pub(crate) fn find(name: &[u8]) -> Option<&'static FaultTest> {
    all().find(|fault| fault.name.as_bytes() == name)
}

/// Commits `fault`.
///
/// # Panics
///
/// Always: by the fault itself, or else because nothing detected it.
pub(crate) fn run(fault: &FaultTest) -> ! {
    (fault.commit)();
    panic!("test={}: nothing stopped it", fault.name)
}

/// Reads a user page by an ordinary access, after user accesses that must have left SMAP in force
/// again. Needs a processor with SMAP.
fn read_user() {
    let missing = arch::Layout::UPAGES + arch::Layout::PTSIZE - PGSIZE;
    for va in [missing, arch::Layout::UPAGES] {
        match probe::load_user(va) {
            Ok(_) => assert!(va != missing, "{va:#x} is mapped"),
            Err(fault) => assert!(va == missing, "{fault}"),
        }
        let lifted = user_access_allowed();
        assert!(!lifted, "user pages are still open to the kernel after an access to {va:#x}");
    }
    read(arch::Layout::UPAGES);
}

/// Calls a function whose code lies in the data.
fn exec_data() {
    // SAFETY: `execute` allows `CODE`.
    unsafe { execute((&raw const CODE).addr() as u64) };
}

/// Calls a function in an area whose handler maps any missing page.
fn exec_area() {
    let area = succeed(VmArea::reserve(1));
    area.on_fault(|area, fault| {
        area.translate(fault.page).is_some()
            || area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok()
    });
    // SAFETY: a fetch is not the handler's to resolve, so that nothing is executed.
    unsafe { execute(area.base().as_u64()) };
}

/// Recurses until the stack is used up.
fn stack_overflow() {
    #[inline(never)]
    fn recurse(depth: u64) -> u64 {
        let frame = black_box([depth; 16]);
        if depth == u64::MAX { depth } else { black_box(recurse(depth + 1)) + frame[0] }
    }
    black_box(recurse(0));
}

/// Frees a page twice.
fn double_free() {
    let mut pmap = pmap::lock();
    let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    pmap.pages_mut().page_free(page);
    pmap.pages_mut().page_free(page);
}

/// Frees a page that is in use.
fn free_referenced() {
    let mut pmap = pmap::lock();
    let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    succeed(pmap.pages_mut().page_incref(page));
    pmap.pages_mut().page_free(page);
}

/// Writes to a free page and allocates it again. Detected only with `pages=poison`.
fn page_use_after_free() {
    let mut pmap = pmap::lock();
    let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    let pa = pmap.pages().page2pa(page);
    pmap.pages_mut().page_free(page);
    for offset in (0..8).step_by(EntryWord::BYTES as usize) {
        pmap.machine().store(pa + 0x18 + offset, entry_of(0x1234 >> (8 * offset)));
    }
    // The page is first on the free list.
    pmap.page_alloc(ALLOC_ZERO);
}

/// The block that the heap's faults allocate. Only the double free is detected without `heap=poison`.
const BLOCK: Layout = Layout::new::<[u8; 24]>();

/// Allocates a block of the heap.
fn block() -> *mut u8 {
    // SAFETY: the layout has a size.
    let block = unsafe { alloc::alloc::alloc(BLOCK) };
    assert!(!block.is_null(), "there is memory");
    black_box(block)
}

/// Allocates while another page directory than `kern_pgdir` is loaded. (It is a copy, so that only a check can tell.)
fn heap_elsewhere() {
    let mut pmap = pmap::lock();
    let frame = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    let (from, to) = (pmap.kern_root(), pmap.pages().page2pa(frame));
    for offset in (0..PGSIZE).step_by(EntryWord::BYTES as usize) {
        pmap.machine().store(to + offset, pmap.machine().load::<EntryWord>(from + offset));
    }
    pmap.machine_mut().lcr3(to);
    drop(pmap);
    block();
}

/// Writes behind a block of the heap.
fn heap_overrun() {
    let block = block();
    // SAFETY: none: the heap must detect this. The memory behind the block is the heap's own.
    unsafe {
        block.add(BLOCK.size()).write_volatile(0);
        alloc::alloc::dealloc(block, BLOCK);
    }
}

/// Frees a block of the heap twice.
fn heap_double_free() {
    let block = block();
    // SAFETY: none: the heap must detect this.
    unsafe {
        alloc::alloc::dealloc(block, BLOCK);
        alloc::alloc::dealloc(block, BLOCK);
    }
}

/// Writes to a free block of the heap and allocates it again.
fn heap_use_after_free() {
    let freed = block();
    // SAFETY: none: the heap must detect this. The memory is the heap's own.
    unsafe {
        alloc::alloc::dealloc(freed, BLOCK);
        freed.add(8).write_volatile(1);
    }
    // The block is among the first free ones.
    for _ in 0..1000 {
        block();
    }
}

/// Fails to allocate, then allocates, and panics for another reason: the report must not mention the
/// failure.
fn heap_stale() {
    let refused = black_box(Vec::<u8>::new()).try_reserve(usize::MAX / 4);
    assert!(refused.is_err(), "there is no such memory");
    block();
    panic!("asked for by test=heap-stale");
}

/// Calls `boot_alloc` when the page allocator owns the memory.
fn boot_alloc_late() {
    pmap::lock().boot_alloc(PGSIZE);
}

/// Reads a page on whose walk an entry has a reserved bit set.
fn reserved_bit() {
    let page = VirtAddr::new(arch::Layout::UTEMP);
    let mut pmap = pmap::lock();
    let (vm, pgdir) = pmap.split();
    let frame = vm.page_alloc(AllocFlags::empty()).expect("a free page");
    succeed(vm.page_insert(pgdir, frame, page, Perm::KRW));
    drop(pmap);
    let (level, bits) = RESERVED;
    change_entry(level, page, |entry| entry | bits);
    read(arch::Layout::UTEMP);
}

/// Prints on a screen that is no longer mapped, so that the console faults while it is locked: in the
/// line, in the report of that fault, and in the report of the fault in the report.
fn screen_lost() {
    let cells = CELLS.expect("the test is of machines that have them");
    change_entry(0, VirtAddr::new(arch::Layout::KERNBASE + cells.start.as_u64()), |entry| {
        entry & !1
    });
    println!("the screen is not mapped");
}

/// The word of an entry with these bits.
fn entry_of(bits: u64) -> EntryWord {
    Word::from_u64(bits)
}

/// Changes the entry of `level`, 0 or the root's, for `page`, which is mapped by a page of 4 KB.
fn change_entry(level: u32, page: VirtAddr, change: impl Fn(u64) -> u64) {
    let mut pmap = pmap::lock();
    let in_root = Format::index(Format::ROOT, page) as u64 * EntryWord::BYTES;
    let root = pmap.kern_root() + in_root;
    let (vm, pgdir) = pmap.split();
    let (_, pte) = vm.page_lookup(pgdir, page).expect("it is mapped");
    let pa = if level == 0 { pte.pa } else { root };
    let entry: EntryWord = vm.machine().load(pa);
    vm.machine().store(pa, entry_of(change(entry.to_u64())));
    vm.tlb_invalidate(pgdir, page);
}

/// Reads through a directory entry that leads to a table outside of RAM.
fn table_outside_ram() {
    let pmap = pmap::lock();
    let nowhere = <Format as format::Format>::table(PhysAddr::new(NO_RAM));
    pmap.machine().store(pmap.kern_root(), nowhere);
    drop(pmap);
    read(0);
}

/// A panic message that faults when it is printed.
struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        read(0);
        Ok(())
    }
}

/// A panic message that prints something itself.
struct Talkative;

impl fmt::Display for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        println!("printed by the message");
        f.write_str("asked for by test=print-in-report")
    }
}

/// Leaks a page, and then runs the check that finds leaks.
fn failed_check() {
    let mut pmap = pmap::lock();
    pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    pmap.checks().check_page_free_list();
}

#[cfg(test)]
mod tests;
