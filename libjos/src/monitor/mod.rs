//! The kernel monitor, as far as it needs no processor: the table of commands, what may follow
//! them, and all that looks at the memory system or plays with it.
//!
//! | module | holds |
//! |---|---|
//! | `commands` | [`COMMANDS`]: every command's name, usage and help; `docs/monitor.md` is made of it |
//! | `arguments`, [`expression`] | words and options; numbers, names and sums |
//! | `error` | what can be wrong with a command |
//! | `extents` | an address range as runs that are mapped and gaps that are not |
//! | [`explain`], [`processor`] | an address explained; the bits of registers and error codes |
//! | [`line`](mod@line) | the line editor |
//! | `mappings`, `dump`, `frames`, `play` | the commands themselves |
//!
//! A command writes to whatever it is given, and ends early when that says so: that is how a
//! reader stops a long listing. Wrong words and refused wishes are errors, and then nothing has
//! changed.

mod arguments;
mod commands;
mod dump;
mod error;
pub mod explain;
pub mod expression;
mod extents;
mod frames;
pub mod line;
mod mappings;
mod play;
pub mod processor;
// Not under Miri: each boots a machine, half a minute there, and nothing here is unsafe.
#[cfg(all(test, not(miri)))]
mod tests;

pub use arguments::{Arguments, MAXARGS, split};
#[cfg(any(test, feature = "std"))]
pub use commands::Manual;
pub use commands::{COMMANDS, Command, Kernel, Memory, Verb, find};
pub use error::CommandError;
pub use play::Held;

use core::fmt::Write;

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::memory_map::MemoryMapEntry;
use crate::monitor::explain::{Walk, walk};
use crate::pmap::Pmap;

use expression::{ExpressionError, evaluate};

/// Names that stand for addresses.
pub trait Names {
    /// The address of what is called `name`.
    fn address(&self, name: &str) -> Option<u64>;

    /// What lies at `va`, to a reader; writes nothing where there is no name for it.
    ///
    /// # Errors
    ///
    /// What `out` reports.
    fn describe(&self, va: u64, out: &mut dyn Write) -> core::fmt::Result;
}

/// What a command works with.
#[expect(missing_debug_implementations, reason = "a writer has none")]
pub struct Session<'a, M: Machine> {
    /// The memory system.
    pub pmap: &'a mut Pmap<M>,
    /// The pages that `alloc` gave out.
    pub held: &'a mut Held,
    /// The kernel's names.
    pub names: &'a dyn Names,
    /// Where to write; an error stops the command.
    pub out: &'a mut dyn Write,
}

/// The constants of a memory map, by JOS's names.
pub fn constants<L: MemLayout>() -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("KERNBASE", L::KERNBASE),
        ("KSTACKTOP", L::KSTACKTOP),
        ("KSTKSIZE", L::KSTKSIZE),
        ("KSTKGAP", L::KSTKGAP),
        ("MMIOLIM", L::MMIOLIM),
        ("MMIOBASE", L::MMIOBASE),
        ("PHYSMAP", L::PHYSMAP),
        ("ULIM", L::ULIM),
        ("UVPT", L::UVPT),
        ("UPAGES", L::UPAGES),
        ("UENVS", L::UENVS),
        ("UTOP", L::UTOP),
        ("UXSTACKTOP", L::UXSTACKTOP),
        ("USTACKTOP", L::USTACKTOP),
        ("UHEAP", L::UHEAP),
        ("UTEXT", L::UTEXT),
        ("UTEMP", L::UTEMP),
        ("PTSIZE", L::PTSIZE),
        ("PGSIZE", PGSIZE),
        ("IOPHYSMEM", L::IOPHYSMEM),
        ("EXTPHYSMEM", L::EXTPHYSMEM),
    ]
    .into_iter()
}

/// What stands for the page directory's physical address.
pub const KERN_PGDIR: &str = "kern_pgdir";

impl<M: Machine> Session<'_, M> {
    /// Runs a command. `loader` is the memory map as the loader gave it.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; but for [`CommandError::Stopped`], nothing has changed then.
    pub fn run<'w>(
        &mut self,
        verb: Memory,
        arguments: &Arguments<'w>,
        loader: impl Iterator<Item = MemoryMapEntry>,
    ) -> Result<(), CommandError<'w>> {
        match verb {
            Memory::Showmappings => self.showmappings(arguments),
            Memory::Setperm => self.setperm(arguments),
            Memory::Dump => self.dump(arguments),
            Memory::Translate => self.translate(arguments),
            Memory::Vmprint => self.vmprint(arguments),
            Memory::Map => self.map(arguments),
            Memory::Memmap => self.memmap(arguments, loader),
            Memory::Pages => self.pages(arguments),
            Memory::Freelist => self.freelist(arguments),
            Memory::Alloc => self.alloc(arguments),
            Memory::Free => self.free(arguments),
            Memory::Insert => self.insert(arguments),
            Memory::Remove => self.remove(arguments),
            Memory::Checks => self.checks(arguments),
        }
    }

    /// The value of a number, a name, or a sum of such.
    fn value<'w>(&self, text: &'w str) -> Result<u64, CommandError<'w>> {
        let resolve = |name: &str| {
            if name == KERN_PGDIR {
                return Some(self.pgdir().as_u64());
            }
            let constant = constants::<M::Layout>().find(|(known, _)| *known == name);
            constant.map(|(_, value)| value).or_else(|| self.names.address(name))
        };
        Ok(evaluate(text, &resolve)?)
    }

    /// As [`value`](Self::value), for a virtual address.
    fn va<'w>(&self, text: &'w str) -> Result<VirtAddr, CommandError<'w>> {
        let va = VirtAddr::new(self.value(text)?);
        if va.as_u64() > M::Layout::VA_LAST {
            return Err(ExpressionError::Overflow(text).into());
        }
        Ok(va)
    }

    /// The root of the page directory that commands look at and change.
    fn pgdir(&self) -> PhysAddr {
        self.pmap.kern_pgdir().address()
    }

    /// The walk of `va`, whatever state the tables are in.
    fn walk(&self, va: VirtAddr) -> Walk<M::Format> {
        walk(self.pgdir(), va, |pa| self.pmap.is_ram(pa).then(|| self.pmap.machine().load(pa)))
    }
}
