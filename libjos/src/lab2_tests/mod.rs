//! The tests of lab 2, function by function, on simulated machines with three formats: `docs/labs/2.md`.
//!
//! A test's name begins with the number of its exercise. It builds by hand what its function needs, and calls as few of the
//! other exercises' functions as it can. Nothing here needs `mem_init` but the last exercise's tests.

mod boot;
mod frames;
mod mappings;
mod property;
mod tables;
mod whole;

use core::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;

use layout::{MB, MemLayout, PGSIZE};

use crate::machine::{Machine, PhysMem};
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::pages::{AllocFlags, Block, Frame, PageAllocator, PageInfo, Pages};
use crate::paging::directory::Pgdir;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::vm::Vm;
use crate::sim::{SimMachine, mmu::Mmu};

/// Runs each of these functions as a test, on an x86-64, an i386 and a RISC-V machine.
macro_rules! lab_tests {
    ($($name:ident)*) => {
        mod tests {
            $(
                #[test]
                fn $name() {
                    super::$name::<layout::Jos64, crate::paging::format::x86_64::X86_64>();
                    super::$name::<layout::Jos32, crate::paging::format::i386::I386>();
                    super::$name::<layout::JosSv39, crate::paging::format::riscv::Sv39>();
                }
            )*
        }
    };
}
use lab_tests;

/// RAM of the machines.
const RAM: u64 = 5 * MB;
/// The free frames of a [`Rig`]: two runs.
const FREE: [(u64, u64); 2] = [(3 * MB, 3 * MB + 8 * PGSIZE), (4 * MB, 4 * MB + 24 * PGSIZE)];

/// The free runs of a [`Rig`].
fn free_runs<L: MemLayout>() -> [PhysRange; 2] {
    let pa = |offset| PhysAddr::new(L::PHYS_BASE + offset);
    FREE.map(|(start, end)| PhysRange::new(pa(start), pa(end)))
}

/// `pages` for `RAM`, about which nothing is known yet, in the RAM of `machine`.
fn pages_in<L: MemLayout>(machine: &impl Machine) -> Pages {
    let npages = (RAM / PGSIZE) as usize;
    let at = |offset| PhysAddr::new(L::PHYS_BASE + offset);
    #[expect(unsafe_code)]
    // SAFETY: simulated RAM, in which nobody has references; the two arrays lie apart.
    let (array, table) = unsafe {
        let table_len = Block::table_len(npages);
        (machine.page_array(at(2 * MB), npages), machine.page_array(at(2 * MB + MB / 2), table_len))
    };
    Pages::new(array, table, PhysAddr::new(L::PHYS_BASE))
}

/// A machine with an empty directory in use, and no frame that is known to be free.
struct Rig<L: MemLayout, F: Format + Mmu> {
    vm: Vm<SimMachine<L, F>>,
    pgdir: ManuallyDrop<Pgdir>,
    /// Where the next table that is made by hand lies.
    next_table: u64,
}

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    fn new() -> Self {
        let (machine, boot) = SimMachine::<L, F>::new(RAM);
        let pages = pages_in::<L>(&machine);
        let root = PhysAddr::new(L::PHYS_BASE + MB + 512 * 1024);
        let mut vm = Vm::new(machine, pages, boot, root);
        vm.switchkvm();
        Self { vm, pgdir: ManuallyDrop::new(Pgdir::new(root)), next_table: root.as_u64() + PGSIZE }
    }

    /// A rig whose free frames are those of [`free_runs`], by `page_init`.
    fn with_free_frames() -> Self {
        let mut rig = Self::new();
        rig.vm.pages_mut().page_init(&free_runs::<L>());
        rig
    }

    fn root(&self) -> PhysAddr {
        self.pgdir.address()
    }

    /// Writes the entry of `level` for `va` by hand, and the tables that lead to it. Returns its address.
    fn put(&mut self, va: VirtAddr, level: u32, word: F::Word) -> PhysAddr {
        let mut table = self.root();
        for above in (level + 1..F::LEVELS).rev() {
            let at = F::entry(above, table, va);
            table = match F::decode(above, self.vm.machine().load(at)) {
                Entry::Table { pa, .. } => pa,
                _ => {
                    let new = PhysAddr::new(self.next_table);
                    self.next_table += PGSIZE;
                    self.vm.machine().store(at, F::table(new));
                    new
                }
            };
        }
        let at = F::entry(level, table, va);
        self.vm.machine().store(at, word);
        self.vm.machine_mut().made_valid(None);
        at
    }

    /// Maps the page at `va` to `pa` by hand. Returns the address of its entry.
    fn map(&mut self, va: VirtAddr, pa: PhysAddr, perm: Perm) -> PhysAddr {
        self.put(va, 0, F::leaf(0, pa, perm))
    }

    /// Allocates a frame, by `page_alloc`.
    fn alloc(&mut self) -> (Frame, PhysAddr) {
        let frame = called("page_alloc", || self.vm.page_alloc(AllocFlags::empty()));
        let frame = frame.expect("page_alloc gives nothing, but frames are free");
        (frame, self.vm.pages().page2pa(frame))
    }

    /// Allocates all frames but `left`.
    fn leave(&mut self, left: usize) {
        while self.vm.pages().nfree() > left {
            self.alloc();
        }
    }

    fn pp_ref(&self, frame: Frame) -> u32 {
        self.vm.pages().pp_ref(frame)
    }

    fn is_free(&self, frame: Frame) -> bool {
        self.vm.pages().info(frame).is_free()
    }
}

/// Calls a function of the lab. If it panics, this panics with its name before its words.
fn called<R>(name: &str, call: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
        panic!("{name} panics: {said}")
    })
}

/// Addresses of pages in the application's half that share tables or do not: the first two, the start of the second entry
/// of a table of level 1, and a page far up.
fn some_addresses<L: MemLayout, F: Format>() -> [VirtAddr; 4] {
    let far = layout::page_round_down(L::LOWER_END / 8 * 5) + 7 * PGSIZE;
    [0, PGSIZE, F::page_size(1), far].map(VirtAddr::new)
}

/// A frame that nothing but a test uses.
fn spare<L: MemLayout>() -> PhysAddr {
    PhysAddr::new(L::PHYS_BASE + 4 * MB + 512 * 1024)
}

/// Asserts that the free list is whole: `wanted` frames, linked both ways, and all others not free.
fn assert_list(pages: &Pages, wanted: usize, when: &str) {
    let (mut before, mut number, mut count) = (None, pages.page_free_list_head(), 0);
    while number != PageInfo::END {
        let Some(info) = pages.array().get(number as usize) else {
            panic!("{when} page_free_list leads to frame number {number:#x}, and there is none")
        };
        assert!(
            info.is_free(),
            "{when} frame {number} is on page_free_list, but its pp_link says that it is not free"
        );
        assert!(
            before.is_none_or(|before| info.pp_ref_or_prev == before),
            "{when} frame {number} must link back to the frame before it on the list, {before:?}, but \
             its pp_ref_or_prev is {}",
            info.pp_ref_or_prev
        );
        count += 1;
        assert!(count <= pages.npages(), "{when} page_free_list runs in a circle");
        (before, number) = (Some(number), info.pp_link);
    }
    assert!(count == wanted, "{when} {count} frames are on page_free_list, there must be {wanted}");
    let nfree = pages.nfree();
    assert!(nfree == wanted, "{when} list.nfree is {nfree}, it must be {wanted}");
    let said = pages.infos().filter(PageInfo::is_free).count();
    assert!(
        said == wanted,
        "{when} {said} frames say that they are free, {wanted} are on the list"
    );
    if let Some(last) = before {
        let end = pages.page_free_list_end();
        assert!(
            end == last,
            "{when} list.end is {end:#x}, but the last frame on the list is {last}"
        );
    }
}
