//! Deliberate faults, picked by `test=NAME` on the kernel's command line: each breaks one promise
//! of the memory system by a real access or call, and must end in a panic that names it.

mod registers;

use alloc::vec::Vec;
use core::alloc::Layout;
use core::arch::asm;
use core::fmt;
use core::hint::black_box;
use core::sync::atomic::AtomicU8;

use layout::{Jos64, MemLayout, PGSIZE};
use libjos::app::area::{Access, VmArea};
use libjos::machine::PhysMem;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, PageAllocator};
use libjos::paging::format::Perm;
use x86_64::registers::rflags::{self, RFlags};

use crate::console::TEXT_BUFFER;
use crate::pmap;
use crate::probe;
use crate::symbols;

/// A fault that can be asked for.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What follows `test=`.
    pub name: &'static str,
    commit: fn(),
}

/// All that can be asked for.
pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "read-null", commit: || read(0) },
    Fault { name: "write-text", commit: || write(symbols::stext().as_u64()) },
    Fault { name: "write-rodata", commit: || write((&raw const CONSTANT).addr() as u64) },
    Fault { name: "exec-data", commit: exec_data },
    Fault { name: "exec-area", commit: exec_area },
    Fault { name: "stack-overflow", commit: stack_overflow },
    Fault { name: "write-upages", commit: || write(Jos64::UPAGES) },
    Fault { name: "read-user", commit: read_user },
    Fault { name: "read-hole", commit: || read(Jos64::MMIOBASE - PGSIZE) },
    Fault { name: "non-canonical", commit: || read(Jos64::LOWER_END) },
    Fault { name: "double-free", commit: double_free },
    Fault { name: "free-referenced", commit: free_referenced },
    Fault { name: "boot-alloc-late", commit: boot_alloc_late },
    Fault { name: "panic", commit: || panic!("asked for by test=panic") },
    Fault { name: "failed-check", commit: failed_check },
    Fault { name: "divide", commit: divide },
    Fault { name: "breakpoint", commit: x86_64::instructions::interrupts::int3 },
    Fault { name: "invalid-opcode", commit: invalid_opcode },
    Fault { name: "bad-selector", commit: bad_selector },
    Fault { name: "bad-interrupt", commit: bad_interrupt },
    Fault { name: "reserved-bit", commit: reserved_bit },
    Fault { name: "table-outside-ram", commit: table_outside_ram },
    Fault { name: "broken-stack", commit: broken_stack },
    Fault { name: "lost-stack", commit: lost_stack },
    Fault { name: "registers", commit: registers::fault },
    Fault { name: "registers-handled", commit: registers::fault_after_handled },
    Fault { name: "heap-stale", commit: heap_stale },
    Fault { name: "screen-lost", commit: screen_lost },
    Fault { name: "heap-overrun", commit: heap_overrun },
    Fault { name: "heap-double-free", commit: heap_double_free },
    Fault { name: "heap-use-after-free", commit: heap_use_after_free },
    Fault { name: "page-use-after-free", commit: page_use_after_free },
    Fault { name: "print-in-report", commit: || panic!("{}", Talkative) },
    Fault { name: "fault-in-report", commit: || panic!("{}", Unprintable) },
];

/// Something in `.rodata`.
static CONSTANT: u64 = 42;

/// The fault called `name`.
#[must_use]
pub(crate) fn find(name: &[u8]) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name.as_bytes() == name)
}

/// Commits `fault`.
///
/// # Panics
///
/// Always: by the fault itself, or else because it went unnoticed.
pub(crate) fn run(fault: &Fault) -> ! {
    (fault.commit)();
    panic!("test={}: nothing stopped it", fault.name)
}

/// Reads 8 bytes by an instruction that no compiler can leave out.
fn read(va: u64) {
    let value: u64;
    // SAFETY: reading changes nothing; where nothing is mapped, the fault is what is wanted.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) va, options(readonly, nostack)) };
    black_box(value);
}

/// Writes the 8 bytes at `va` by an instruction that changes none of them. It is one access, a
/// write, so that SMAP cannot make it a forbidden read first.
fn write(va: u64) {
    // SAFETY: the same value is written that is there; all addresses here are mapped.
    unsafe { asm!("or qword ptr [{}], 0", in(reg) va, options(nostack)) };
}

/// Reads a page that is the user's without saying so, after accesses that said so and must have
/// left nothing behind. Needs a processor with SMAP.
fn read_user() {
    let missing = Jos64::UPAGES + Jos64::PTSIZE - PGSIZE;
    for va in [missing, Jos64::UPAGES] {
        let outcome = probe::load_user(va);
        assert_eq!(outcome.is_err(), va == missing, "{va:#x}: {outcome:?}");
        let lifted = rflags::read().contains(RFlags::ALIGNMENT_CHECK);
        assert!(!lifted, "SMAP is still lifted after an access to {va:#x}");
    }
    read(Jos64::UPAGES);
}

/// Calls a function whose code is data: a single RET.
fn exec_data() {
    static CODE: AtomicU8 = AtomicU8::new(0xC3);
    // SAFETY: should it run, RET returns here at once, and has changed no register.
    unsafe { asm!("call {}", in(reg) CODE.as_ptr()) };
}

/// Calls a function in an area whose handler maps whatever page is missing.
fn exec_area() {
    let area = VmArea::reserve(1).expect("there are addresses");
    area.on_fault(|area, fault| {
        area.translate(fault.page).is_some()
            || area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok()
    });
    // SAFETY: nothing that an area maps can be executed, so the call faults and changes nothing.
    unsafe { asm!("call {}", in(reg) area.base().as_u64()) };
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
    pmap.pages.page_free(page);
    pmap.pages.page_free(page);
}

/// Frees a page that is in use.
fn free_referenced() {
    let mut pmap = pmap::lock();
    let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    pmap.pages.page_incref(page).expect("a page in use can be counted");
    pmap.pages.page_free(page);
}

/// Writes to a page that is free, and asks for it again. It needs `pages=poison` to be found.
fn page_use_after_free() {
    let mut pmap = pmap::lock();
    let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    let pa = pmap.pages.page2pa(page);
    pmap.pages.page_free(page);
    pmap.machine.store(pa + 0x18, 0x1234_u64);
    // It is the first page that is free.
    pmap.page_alloc(ALLOC_ZERO);
}

/// What the faults of the heap ask for. They need `heap=poison` to be found, all but the double free.
const BLOCK: Layout = Layout::new::<[u8; 24]>();

/// A block of the heap.
fn block() -> *mut u8 {
    // SAFETY: the layout has a size.
    let block = unsafe { alloc::alloc::alloc(BLOCK) };
    assert!(!block.is_null(), "there is memory");
    black_box(block)
}

/// Writes behind a block of the heap.
fn heap_overrun() {
    let block = block();
    // SAFETY: none: this is what the heap must find. What lies there is the heap's own.
    unsafe {
        block.add(BLOCK.size()).write_volatile(0);
        alloc::alloc::dealloc(block, BLOCK);
    }
}

/// Frees a block of the heap twice.
fn heap_double_free() {
    let block = block();
    // SAFETY: none: this is what the heap must find.
    unsafe {
        alloc::alloc::dealloc(block, BLOCK);
        alloc::alloc::dealloc(block, BLOCK);
    }
}

/// Writes to a block of the heap that is free, and asks for it again.
fn heap_use_after_free() {
    let freed = block();
    // SAFETY: none: this is what the heap must find. The memory is the heap's own.
    unsafe {
        alloc::alloc::dealloc(freed, BLOCK);
        freed.add(8).write_volatile(1);
    }
    // It is the first block that is free, or among the first.
    for _ in 0..1000 {
        block();
    }
}

/// Is refused memory, gets some, and then panics for another reason.
fn heap_stale() {
    let refused = black_box(Vec::<u8>::new()).try_reserve(1 << 40);
    assert!(refused.is_err(), "there is no such memory");
    block();
    panic!("asked for by test=heap-stale");
}

/// Asks for memory that the page allocator owns by now.
fn boot_alloc_late() {
    pmap::lock().boot_alloc(PGSIZE);
}

/// Divides by 0, by an instruction that no compiler can replace by a check.
fn divide() {
    // SAFETY: the division faults, and changes nothing.
    unsafe { asm!("div {:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
}

fn invalid_opcode() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("ud2") };
}

/// Loads a segment register with a selector behind the end of the GDT.
fn bad_selector() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("mov es, {:x}", in(reg) 5_u16 << 3) };
}

/// Raises an interrupt that the IDT has no entry for.
fn bad_interrupt() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("int 0x80") };
}

/// Reads a page whose entry has a bit that no processor knows yet (Intel SDM vol. 3A, table 4-20).
fn reserved_bit() {
    let page = VirtAddr::new(Jos64::UTEMP);
    let mut pmap = pmap::lock();
    let pgdir = pmap.kern_pgdir();
    let frame = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    pmap.page_insert(pgdir, frame, page, Perm::KRW).expect("nothing is there");
    drop(pmap);
    change_entry(page, |entry| entry | 1 << 51);
    read(Jos64::UTEMP);
}

/// Prints on a screen that is not mapped any more, so that the console faults while it is locked:
/// for the first line, for the report of that, and for the report of what happens in the report.
fn screen_lost() {
    change_entry(VirtAddr::new(Jos64::KERNBASE + TEXT_BUFFER), |entry| entry & !1);
    println!("the screen is not mapped");
}

/// Changes the page-table entry of `page`, which is mapped by a page of 4 KB.
fn change_entry(page: VirtAddr, change: fn(u64) -> u64) {
    let mut pmap = pmap::lock();
    let pgdir = pmap.kern_pgdir();
    let (_, pte) = pmap.page_lookup(pgdir, page).expect("it is mapped");
    let entry = pmap.machine.load(pte.pa);
    pmap.machine.store(pte.pa, change(entry));
    pmap.tlb_invalidate(pgdir, page);
}

/// Reads through a directory entry that leads to a table where no RAM is.
fn table_outside_ram() {
    let pmap = pmap::lock();
    // The directory's first entry: present, and writable.
    pmap.machine.store(pmap.kern_pgdir(), TABLE_OUTSIDE_RAM | 3);
    drop(pmap);
    read(0);
}

/// An address that no PC of less than 512 GB has RAM at.
const TABLE_OUTSIDE_RAM: u64 = 1 << 39;

/// Reads address 0 with a frame pointer that leads nowhere.
fn broken_stack() {
    // SAFETY: the read faults, and nothing runs after it that needs the frame pointer.
    unsafe {
        asm!(
            "mov rbp, {nowhere}",
            "mov {nowhere}, [0]",
            "ud2",
            nowhere = in(reg) Jos64::USTACKTOP,
            options(noreturn),
        );
    }
}

/// Pushes where nothing is mapped, so that there is no stack for the page fault either.
fn lost_stack() {
    // SAFETY: the push faults, and nothing runs after it.
    unsafe {
        asm!("mov rsp, {0}", "push {0}", "ud2", in(reg) Jos64::USTACKTOP, options(noreturn));
    }
}

/// A message that faults when it is printed.
struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        read(0);
        Ok(())
    }
}

/// A message that prints something itself.
struct Talkative;

impl fmt::Display for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        println!("printed by the message");
        f.write_str("asked for by test=print-in-report")
    }
}

/// Loses a page, and then checks that none is lost.
fn failed_check() {
    let mut pmap = pmap::lock();
    pmap.page_alloc(AllocFlags::empty()).expect("a free page");
    pmap.check_page_free_list();
}
