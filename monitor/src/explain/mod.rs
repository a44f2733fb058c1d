//! An address explained: the walk of it level by level ([`WalkTrace`]), why the processor refused an
//! access to it ([`Blame`]), and which of its bits pick which entries ([`AddressBits`]).
//!
//! The monitor's `translate` and the report of a page fault print these. Broken tables may be the
//! cause of the fault, so the caller reads each entry, and refuses to read outside of RAM.

mod bits;
#[cfg(test)]
mod tests;

pub use bits::{AddressBits, address_bits};

use core::fmt;
use core::marker::PhantomData;

use libjos::machine::AccessKind;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::size::Size;
use libjos::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use libjos::paging::mappings::{MAX_LEVELS, Step, steps_by};

/// How a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WalkEnd {
    /// At a page.
    Page {
        /// The physical address that the virtual one leads to.
        pa: PhysAddr,
        /// The permissions that all levels together grant.
        perm: Perm,
        /// The level of the page's entry.
        level: u32,
    },
    /// At an entry that is not present.
    Absent {
        /// The entry's level.
        level: u32,
    },
    /// At a table outside of RAM.
    NoMemory {
        /// The table's level.
        level: u32,
        /// The table's address.
        table: PhysAddr,
    },
    /// At its start: no table translates a non-canonical address.
    NonCanonical,
}

/// The record of a walk: each step, and how it ended. [`trace`] makes it.
#[derive(Debug)]
pub struct WalkTrace<F> {
    va: VirtAddr,
    pgdir: PhysAddr,
    steps: [Option<Step>; MAX_LEVELS],
    end: WalkEnd,
    format: PhantomData<fn() -> F>,
}

/// Walks `va` in the tables of format `F` from the root at `pgdir`. `load` reads the entry at an
/// address, and gives `None` outside of RAM.
pub fn trace<F: Format>(
    pgdir: PhysAddr,
    va: VirtAddr,
    load: impl Fn(PhysAddr) -> Option<F::Word>,
) -> WalkTrace<F> {
    let (steps, end) = ([None; MAX_LEVELS], WalkEnd::NonCanonical);
    let mut trace = WalkTrace { va, pgdir, steps, end, format: PhantomData };
    if !F::is_canonical(va) {
        return trace;
    }
    trace.end = WalkEnd::NoMemory { level: F::ROOT, table: pgdir };
    let mut allowed = Perm::all();
    for step in steps_by::<F>(pgdir, va, load) {
        let level = step.level;
        trace.steps[level as usize] = Some(step);
        trace.end = match step.entry {
            Entry::Absent | Entry::Pending { .. } => WalkEnd::Absent { level },
            Entry::Leaf(Leaf { pa, perm, .. }) => {
                let offset = va.as_u64() & (F::page_size(level) - 1);
                let pa = PhysAddr::new(pa.as_u64().wrapping_add(offset));
                WalkEnd::Page { pa, perm: perm & allowed, level }
            }
            // The end if no memory is there. No format decodes a table at level 0.
            Entry::Table { pa, allows } => {
                allowed &= allows;
                WalkEnd::NoMemory { level: level - 1, table: pa }
            }
        };
    }
    trace
}

impl<F: Format> WalkTrace<F> {
    /// How the walk ended.
    #[must_use]
    pub fn end(&self) -> WalkEnd {
        self.end
    }

    /// The lowest level whose entry withholds `perm`, on a walk that ended at a page.
    fn withheld_at(&self, perm: Perm) -> Option<u32> {
        self.steps.iter().flatten().find_map(|step| match step.entry {
            Entry::Leaf(leaf) if !leaf.perm.contains(perm) => Some(step.level),
            Entry::Table { allows, .. } if !allows.contains(perm) => Some(step.level),
            _ => None,
        })
    }

    /// Why the processor refused this access, as a sentence.
    #[must_use]
    pub fn blame(&self, access: AccessKind, by_user: bool) -> Blame<'_, F> {
        Blame { trace: self, access, by_user }
    }
}

/// The steps, each below the one before, and where they lead.
impl<F: Format> fmt::Display for WalkTrace<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page directory at {}", self.pgdir)?;
        let mut indent = 1;
        for step in self.steps.iter().rev().flatten() {
            let Step { table, index, word, .. } = step;
            let digits = F::ENTRY_COLUMNS;
            write!(f, "\n{:indent$}+-> {table}[{index}] = {word:#0digits$x}  ", "")?;
            match step.entry {
                Entry::Absent => f.write_str("empty")?,
                Entry::Pending { pa } => write!(f, "empty: page at {pa} is being unmapped")?,
                // A table's entry neither has nor withholds the other permissions.
                Entry::Table { pa, allows } => {
                    let perm = allows & (Perm::URW | Perm::X);
                    write!(f, "table at {pa} {perm}")?;
                }
                Entry::Leaf(Leaf { pa, perm, accessed, dirty }) => {
                    let size = Size(F::page_size(step.level));
                    let accessed = if accessed { " A" } else { "" };
                    let dirty = if dirty { " D" } else { "" };
                    write!(f, "{size} page at {pa} {perm}{accessed}{dirty}")?;
                }
            }
            indent += 2;
        }
        match self.end {
            WalkEnd::Page { pa, perm, .. } => {
                let who = if perm.contains(Perm::U) { "user and kernel" } else { "the kernel" };
                write!(f, "\n{:indent$}+-> {pa}, which {who} may", "")?;
                let verbs = [(Perm::R, "read"), (Perm::W, "write"), (Perm::X, "execute")];
                let granted = verbs.iter().filter(|(needed, _)| perm.contains(*needed));
                granted.enumerate().try_for_each(|(i, (_, verb))| {
                    write!(f, "{}{verb}", if i == 0 { " " } else { ", " })
                })
            }
            WalkEnd::Absent { level } => {
                let size = Size(F::page_size(level));
                write!(f, "\n{:indent$}stops at level {level}: {size} here are not mapped", "")
            }
            WalkEnd::NoMemory { level, table } => write!(
                f,
                "\n{:indent$}stops at level {level}: {table}, where the table should be, is no RAM",
                ""
            ),
            WalkEnd::NonCanonical => write!(
                f,
                "\n the walk cannot begin: no address of {} bits, extended by its top bit, is this",
                F::VA_BITS
            ),
        }
    }
}

/// Writes a line for the reader of permissions if format `F` cannot withhold execution, and nothing if it can.
///
/// # Errors
///
/// The error of `out`.
pub fn note_permissions<F: Format>(out: &mut dyn fmt::Write) -> fmt::Result {
    if F::ALWAYS.contains(Perm::X) {
        writeln!(
            out,
            "Execution (x) cannot be withheld: the page tables of {} have no bit for it",
            F::NAME
        )?;
    }
    Ok(())
}

/// Why an access was refused. [`WalkTrace::blame`] makes it.
#[derive(Debug)]
pub struct Blame<'a, F> {
    trace: &'a WalkTrace<F>,
    access: AccessKind,
    by_user: bool,
}

impl<F: Format> fmt::Display for Blame<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let va = self.trace.va;
        let perm = match self.trace.end {
            WalkEnd::Absent { level } => {
                return write!(f, "{va} is not mapped: its entry of level {level} is empty");
            }
            WalkEnd::NoMemory { level, .. } => {
                return write!(f, "{va} has no table of level {level}: there is no RAM there");
            }
            WalkEnd::NonCanonical => return write!(f, "{va} is not canonical"),
            WalkEnd::Page { perm, .. } => perm,
        };
        let (needed, done) = match self.access {
            AccessKind::Read => (Perm::R, "read"),
            AccessKind::Write => (Perm::W, "written"),
            AccessKind::Fetch => (Perm::X, "executed"),
        };
        if let Some(level) = self.trace.withheld_at(needed) {
            write!(f, "{va} is mapped, but may not be {done}: level {level} withholds it")
        } else if self.by_user && !perm.contains(Perm::U) {
            let level = self.trace.withheld_at(Perm::U).unwrap_or(0);
            write!(f, "{va} is mapped, but for the kernel alone: level {level} withholds U")
        } else if !self.by_user && perm.contains(Perm::U) {
            write!(f, "{va} is the user's, and the kernel is kept off it ({})", F::USER_GUARD)
        } else {
            write!(f, "{va} is mapped and allows this now: a stale TLB entry?")
        }
    }
}
