//! [`Session`]: the surroundings of every command, and the values of the words in a command.

use core::fmt::{self, Write};

use layout::{MemLayout, PGSIZE};

use super::error::CommandError;
use super::explain::{WalkTrace, trace};
use super::expression::{ExpressionError, evaluate};
use super::held::Held;
use libjos::env::Environments;
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::pmap::Pmap;

/// The names of the kernel's addresses.
pub trait Names {
    /// The address that `name` stands for.
    fn address(&self, name: &str) -> Option<u64>;

    /// Writes the name of the place at `va` for a reader; nothing if it has no name.
    ///
    /// # Errors
    ///
    /// The error of `out`.
    fn describe(&self, va: u64, out: &mut dyn Write) -> fmt::Result;
}

/// The memory system and the surroundings that a command works with.
#[expect(missing_debug_implementations, reason = "a writer has none")]
pub struct Session<'a, M: Machine> {
    pub(super) pmap: &'a mut Pmap<M>,
    /// The environments; `None` until the first one is made.
    pub(super) envs: Option<&'a mut dyn Environments<M>>,
    /// The root of the page directory that commands look at.
    pub(super) root: PhysAddr,
    /// The pages that `alloc` gave out.
    pub(super) held: &'a mut Held,
    pub(super) names: &'a dyn Names,
    pub(super) out: &'a mut dyn Write,
}

impl<'a, M: Machine> Session<'a, M> {
    /// A session with the memory system `pmap` and the environments on it, the pages that `alloc` gave out, and the
    /// kernel's names. `out` is the writer of the command's output; its error stops the command.
    pub fn new(
        pmap: &'a mut Pmap<M>,
        envs: Option<&'a mut dyn Environments<M>>,
        held: &'a mut Held,
        names: &'a dyn Names,
        out: &'a mut dyn Write,
    ) -> Self {
        let root = pmap.kern_root();
        Self { pmap, envs, root, held, names, out }
    }
}

/// The constants of a memory map by name: JOS's names, and PHYSMAP and UHEAP, which JOS does not have.
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

/// The name of the page directory's physical address.
pub const KERN_PGDIR: &str = "kern_pgdir";

impl<M: Machine> Session<'_, M> {
    /// The value of a number, a name, or a sum of such.
    pub(super) fn value<'w>(&self, text: &'w str) -> Result<u64, CommandError<'w>> {
        let resolve = |name: &str| {
            if name == KERN_PGDIR {
                return Some(self.pmap.kern_root().as_u64());
            }
            let constant = constants::<M::Layout>().find(|(known, _)| *known == name);
            constant.map(|(_, value)| value).or_else(|| self.names.address(name))
        };
        Ok(evaluate(text, &resolve)?)
    }

    /// The value of a virtual address, given like a [`value`](Self::value).
    pub(super) fn va<'w>(&self, text: &'w str) -> Result<VirtAddr, CommandError<'w>> {
        let va = VirtAddr::new(self.value(text)?);
        if va.as_u64() > M::Layout::VA_LAST {
            return Err(ExpressionError::Overflow(text).into());
        }
        Ok(va)
    }

    /// The walk of `va`, in tables that may be broken.
    pub(super) fn walk(&self, va: VirtAddr) -> WalkTrace<M::Format> {
        trace(self.root, va, |pa| self.pmap.is_ram(pa).then(|| self.pmap.machine().load(pa)))
    }
}
