//! Out of memory at each step of every operation that takes pages, on every format: an error, the
//! documented one, and the state as before.
//!
//! The operations are the rows of [`cases`]; a new one is one row more. Each runs with no free
//! page, then with one, and so on until it succeeds. Until then nothing in [`whole`] may have
//! changed: bit by bit all page tables, with accessed and dirty bits, and all pages in use; each
//! frame's state; the free list with its order; what the processor, whose TLB is warm, makes of
//! it. In the end the operation must have used every page that it asked for.

mod cases;
mod given;
mod whole;

use layout::{MB, MemLayout};
use libjos::app::area::VmError;
use libjos::heap::OutOfPages;
use libjos::machine::{CpuSet, Machine};
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::error::MapError;
use libjos::paging::format::Format;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};
use libjos::space::uvm::UvmError;

use crate::places::Spaces;
use whole::Whole;

type Sim<L, F> = Pmap<SimMachine<L, F>>;

on_every_format! { every_operation_succeeds_or_changes_nothing }

/// An operation, and what it does when pages run out.
struct Case<L: MemLayout, F: Format + Mmu> {
    name: &'static str,
    /// The directory in use, and the first of the operation's.
    used: Used,
    /// Makes what the operation is done to.
    prepare: fn(&mut Sim<L, F>, &mut Spaces),
    run: fn(&mut Sim<L, F>, &mut Spaces) -> Result<Owed, Refused>,
    /// The error, where as many pages are free.
    refused: fn(usize) -> Refused,
    /// How many free pages it takes.
    takes: usize,
    list: List,
}

/// The state of the free list after an operation that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    /// It is as before.
    Kept,
    /// All that was free is free. (What maps a page at a time unmaps those that it had mapped.)
    AnyOrder,
}

#[derive(Clone, Copy)]
enum Used {
    /// An address space of the user's.
    User,
    /// The kernel's directory, as applications have it.
    Kernel,
}

/// A task that is left after an operation.
enum Owed {
    Nothing,
    /// To free 2^order pages.
    Pages(Frame, u32),
}

/// An operation's error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    /// There is no page to return.
    NoPage,
    Map(MapError),
    Uvm(UvmError),
    Vm(VmError),
    Heap(OutOfPages),
}

macro_rules! from {
    ($($variant:ident($error:ty))*) => { $(
        impl From<$error> for Refused {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )* };
}

from! { Map(MapError) Uvm(UvmError) Vm(VmError) Heap(OutOfPages) }

impl<L: MemLayout, F: Format + Mmu> Case<L, F> {
    /// Runs it with each number of free pages that is too few, and then with just enough.
    fn check(&self) {
        let (machine, boot) = SimMachine::new(8 * MB);
        let mut pmap: Sim<L, F> = mem_init(machine, boot);
        pmap.machine_mut().move_to_kernel_stack();
        let mut spaces = Spaces::new(&mut pmap);
        let root = match self.used {
            Used::User => {
                spaces.space.switchuvm(&mut pmap);
                spaces.space.pgdir().address()
            }
            Used::Kernel => {
                pmap.switchkvm();
                pmap.kern_root()
            }
        };
        (self.prepare)(&mut pmap, &mut spaces);

        let mut addresses = whole::addresses_of_ram(&pmap, root);
        addresses.iter().for_each(|va| whole::touch(&mut pmap, *va));
        let take = || pmap.page_alloc(AllocFlags::empty());
        let mut taken: Vec<Frame> = std::iter::from_fn(take).collect();
        // The highest are given back first, so that they are neighbours.
        taken.sort();
        let mut given = 0;
        let owed = loop {
            let before = Whole::of(&pmap, self.list);
            let seen = whole::seen(&mut pmap, &addresses);
            match (self.run)(&mut pmap, &mut spaces) {
                Ok(owed) => break owed,
                Err(error) => assert_eq!(error, (self.refused)(given), "{}, {given}", self.name),
            }
            before.assert_still(&pmap, self.list, &format!("{} with {given} pages", self.name));
            assert_eq!(seen, whole::seen(&mut pmap, &addresses), "{}, {given}", self.name);
            pmap.pages_mut().page_free(taken.pop().expect("a page"));
            given += 1;
        };
        assert_eq!((given, pmap.pages().nfree()), (self.takes, 0), "{}: pages, left", self.name);
        match owed {
            Owed::Nothing => {}
            Owed::Pages(first, order) => pmap.pages_mut().page_free_run(first, order),
        }
        // The processor sees what the tables say.
        addresses.extend(whole::addresses_of_ram(&pmap, root));
        let seen = whole::seen(&mut pmap, &addresses);
        pmap.machine_mut().flush_tlb(CpuSet::ALL);
        assert_eq!(seen, whole::seen(&mut pmap, &addresses), "{}: a stale TLB", self.name);
        taken.into_iter().for_each(|frame| pmap.pages_mut().page_free(frame));
        pmap.checks().check_page_free_list();
    }
}

fn every_operation_succeeds_or_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    for case in cases::cases::<L, F>() {
        eprintln!("{}", case.name);
        case.check();
    }
}
