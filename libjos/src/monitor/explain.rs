//! An address explained: which bits pick which entries, the walk level by level, where it stops
//! and why. For the monitor's `translate` and for the report of a page fault.
//!
//! The tables may be broken, for that may be what the fault is about: whoever asks says how an
//! entry is read, and where none can be.

use core::fmt;
use core::marker::PhantomData;

use layout::PGSHIFT;

use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::size::Size;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::mappings::{MAX_LEVELS, Step};
use crate::paging::word::Word;

/// What an access wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// To read.
    Read,
    /// To write.
    Write,
    /// To fetch an instruction.
    Fetch,
}

impl Access {
    /// The permission that it takes.
    #[must_use]
    pub const fn needs(self) -> Perm {
        match self {
            Self::Read => Perm::R,
            Self::Write => Perm::W,
            Self::Fetch => Perm::X,
        }
    }
}

/// How a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// At a page.
    Page {
        /// Where the address leads.
        pa: PhysAddr,
        /// What all levels together grant.
        perm: Perm,
        /// The level of the page's entry.
        level: u32,
    },
    /// At an entry that is empty.
    Absent {
        /// Its level.
        level: u32,
    },
    /// At a table that lies where no memory is.
    NoMemory {
        /// Its level.
        level: u32,
        /// Its address.
        table: PhysAddr,
    },
    /// Before it began: no table translates the address.
    NonCanonical,
}

/// The walk of an address, kept. [`walk`] makes it.
#[derive(Debug)]
pub struct Walk<F> {
    va: VirtAddr,
    pgdir: PhysAddr,
    steps: [Option<Step>; MAX_LEVELS],
    outcome: Outcome,
    format: PhantomData<fn() -> F>,
}

/// Walks `va` in the tables of format `F` from the root at `pgdir`. `load` reads an entry; `None`
/// where no memory is at its address.
pub fn walk<F: Format>(
    pgdir: PhysAddr,
    va: VirtAddr,
    load: impl Fn(PhysAddr) -> Option<F::Word>,
) -> Walk<F> {
    let mut steps = [None; MAX_LEVELS];
    let outcome = if F::is_canonical(va) {
        fill(&mut steps, F::ROOT, pgdir, Perm::all(), &|level, table| {
            let at = F::entry(level, table, va);
            let word = load(at)?;
            let (index, entry) = (F::index(level, va), F::decode(level, word));
            Some(Step { level, table, index, at, word: word.to_u64(), entry })
        })
    } else {
        Outcome::NonCanonical
    };
    // The offset takes its size from the format.
    let outcome = match outcome {
        Outcome::Page { pa, perm, level } => {
            let offset = va.as_u64() & (F::page_size(level) - 1);
            Outcome::Page { pa: PhysAddr::new(pa.as_u64().wrapping_add(offset)), perm, level }
        }
        other => other,
    };
    Walk { va, pgdir, steps, outcome, format: PhantomData }
}

/// Takes steps by `step` from `table` down, and keeps them.
fn fill(
    steps: &mut [Option<Step>; MAX_LEVELS],
    level: u32,
    table: PhysAddr,
    allowed: Perm,
    step: &dyn Fn(u32, PhysAddr) -> Option<Step>,
) -> Outcome {
    let Some(taken) = step(level, table) else { return Outcome::NoMemory { level, table } };
    steps[level as usize] = Some(taken);
    match taken.entry {
        Entry::Absent | Entry::Pending { .. } => Outcome::Absent { level },
        Entry::Leaf(Leaf { pa, perm, .. }) => Outcome::Page { pa, perm: perm & allowed, level },
        // No format has tables at level 0.
        Entry::Table { pa, allows } => fill(steps, level - 1, pa, allowed & allows, step),
    }
}

impl<F: Format> Walk<F> {
    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
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
    pub fn blame(&self, access: Access, by_user: bool) -> Blame<'_, F> {
        Blame { walk: self, access, by_user }
    }
}

/// The steps, each below the one before, and where they lead.
impl<F: Format> fmt::Display for Walk<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page directory at {}", self.pgdir)?;
        let mut indent = 1;
        for step in self.steps.iter().rev().flatten() {
            let Step { table, index, word, .. } = step;
            let digits = 2 + 2 * F::Word::BYTES as usize;
            write!(f, "\n{:indent$}+-> {table}[{index}] = {word:#0digits$x}  ", "")?;
            match step.entry {
                Entry::Absent => f.write_str("empty")?,
                Entry::Pending { pa } => write!(f, "empty: page at {pa} is being unmapped")?,
                // What only pages say, a table's entry neither has nor withholds.
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
        match self.outcome {
            Outcome::Page { pa, perm, .. } => {
                let may = May { perm, by_user: perm.contains(Perm::U) };
                write!(f, "\n{:indent$}+-> {pa}, which {may}", "")
            }
            Outcome::Absent { level } => {
                let size = Size(F::page_size(level));
                write!(f, "\n{:indent$}stops at level {level}: {size} here are not mapped", "")
            }
            Outcome::NoMemory { level, table } => write!(
                f,
                "\n{:indent$}stops at level {level}: {table}, where the table should be, is no RAM",
                ""
            ),
            Outcome::NonCanonical => {
                let bits = F::VA_BITS;
                write!(f, "\n the walk cannot begin: no address of {bits} bits, extended by its")?;
                f.write_str(" top bit, is this")
            }
        }
    }
}

/// Why an access was refused. [`Walk::blame`] makes it.
#[derive(Debug)]
pub struct Blame<'a, F> {
    walk: &'a Walk<F>,
    access: Access,
    by_user: bool,
}

impl<F: Format> fmt::Display for Blame<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let va = self.walk.va;
        let perm = match self.walk.outcome {
            Outcome::Absent { level } => {
                return write!(f, "{va} is not mapped: its entry of level {level} is empty");
            }
            Outcome::NoMemory { level, .. } => {
                return write!(f, "{va} has no table of level {level}: there is no RAM there");
            }
            Outcome::NonCanonical => return write!(f, "{va} is not canonical"),
            Outcome::Page { perm, .. } => perm,
        };
        if let Some(level) = self.walk.withheld_at(self.access.needs()) {
            let what = match self.access {
                Access::Read => "read",
                Access::Write => "written",
                Access::Fetch => "executed",
            };
            write!(f, "{va} is mapped, but may not be {what}: level {level} withholds it")
        } else if self.by_user && !perm.contains(Perm::U) {
            let level = self.walk.withheld_at(Perm::U).unwrap_or(0);
            write!(f, "{va} is mapped, but for the kernel alone: level {level} withholds U")
        } else if !self.by_user && perm.contains(Perm::U) {
            write!(f, "{va} is the user's, and the kernel is kept off it (SMEP, SMAP)")
        } else {
            write!(f, "{va} is mapped and allows this now: a stale TLB entry?")
        }
    }
}

/// What may be done with a page, in words.
struct May {
    perm: Perm,
    by_user: bool,
}

impl fmt::Display for May {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.by_user { "user and kernel may" } else { "the kernel may" })?;
        let verbs = [(Perm::R, "read"), (Perm::W, "write"), (Perm::X, "execute")];
        let mut comma = " ";
        for (_, verb) in verbs.iter().filter(|(perm, _)| self.perm.contains(*perm)) {
            write!(f, "{comma}{verb}")?;
            comma = ", ";
        }
        Ok(())
    }
}

/// The bits of an address, boxed by what they pick. [`fields`] makes it.
#[derive(Debug)]
pub struct Fields<F> {
    va: VirtAddr,
    /// The level at which the walk ends; all bits below are the offset.
    level: u32,
    format: PhantomData<fn() -> F>,
}

/// The bits of `va` as a walk takes them that ends at an entry of `level`.
#[must_use]
pub fn fields<F: Format>(va: VirtAddr, level: u32) -> Fields<F> {
    Fields { va, level, format: PhantomData }
}

impl<F: Format> Fields<F> {
    /// Calls `each` with the highest and the lowest bit of each field, from the top down.
    fn each(&self, mut each: impl FnMut(u32, u32, Field) -> fmt::Result) -> fmt::Result {
        let top = if F::VA_BITS == 32 { 32 } else { 64 };
        if F::VA_BITS < top {
            each(top - 1, F::VA_BITS, Field::Sign)?;
        }
        let mut high = F::VA_BITS;
        for level in (self.level..F::LEVELS).rev() {
            let low = PGSHIFT + level * F::INDEX_BITS;
            each(high - 1, low, Field::Index(level))?;
            high = low;
        }
        each(high - 1, 0, Field::Offset)
    }
}

/// What a field of an address is for.
#[derive(Clone, Copy)]
enum Field {
    Sign,
    Index(u32),
    Offset,
}

/// Columns of a field's box, without its edges.
const FIELD_COLUMNS: usize = 11;

impl<F: Format> fmt::Display for Fields<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let va = self.va.as_u64();
        self.each(|high, low, _| {
            let space = FIELD_COLUMNS - 2;
            write!(f, " {high:>2}{low:>space$}")
        })?;
        let edge = |f: &mut fmt::Formatter<'_>| {
            f.write_str("\n")?;
            self.each(|_, _, _| write!(f, "+{:-<FIELD_COLUMNS$}", ""))?;
            f.write_str("+")
        };
        edge(f)?;
        f.write_str("\n")?;
        self.each(|high, low, field| {
            let value = va >> low & (u64::MAX >> (63 - (high - low)));
            match field {
                Field::Index(_) => write!(f, "|{value:^FIELD_COLUMNS$}"),
                _ => write!(f, "|{:^FIELD_COLUMNS$}", Hex(value)),
            }
        })?;
        f.write_str("|")?;
        edge(f)?;
        f.write_str("\n")?;
        self.each(|_, _, field| match field {
            Field::Sign => write!(f, " {:^FIELD_COLUMNS$}", "sign"),
            Field::Index(level) => write!(f, " {:^FIELD_COLUMNS$}", Level(level)),
            Field::Offset => write!(f, " {:^FIELD_COLUMNS$}", "offset"),
        })
    }
}

/// A number in hexadecimal that obeys widths.
struct Hex(u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Padded::new().pad(f, format_args!("{:#x}", self.0))
    }
}

/// The name of a level that obeys widths.
struct Level(u32);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Padded::new().pad(f, format_args!("level {}", self.0))
    }
}

/// A short text, put together without an allocator, so that it can be padded.
struct Padded {
    bytes: [u8; 24],
    length: usize,
}

impl Padded {
    fn new() -> Self {
        Self { bytes: [0; 24], length: 0 }
    }

    fn pad(mut self, f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
        fmt::write(&mut self, text)?;
        f.pad(core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default())
    }
}

impl fmt::Write for Padded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

// Not under Miri: each boots a machine, half a minute there, and nothing here is unsafe.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::machine::PhysMem;
    use crate::mem::pages::ALLOC_ZERO;
    use crate::paging::format::riscv::Sv39;
    use crate::paging::format::x86_64::X86_64;
    use crate::pmap::{Pmap, mem_init};
    use crate::sim::SimMachine;
    use layout::{Jos64, JosSv39, MB, MemLayout, PGSIZE};

    type Pmap64 = Pmap<SimMachine<Jos64, X86_64>>;

    fn pmap() -> Pmap64 {
        let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
        mem_init(machine, boot)
    }

    fn walk64(pmap: &Pmap64, va: u64) -> Walk<X86_64> {
        let load = |pa| pmap.pages().pa2page(pa).map(|_| pmap.machine().load(pa));
        walk(pmap.kern_pgdir().address(), VirtAddr::new(va), load)
    }

    /// `pmap` with a page at UTEMP, mapped with `perm`.
    fn with_page(perm: Perm) -> Pmap64 {
        let mut pmap = pmap();
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        let (vm, pgdir) = pmap.split();
        vm.page_insert(pgdir, frame, VirtAddr::new(Jos64::UTEMP), perm).unwrap();
        pmap
    }

    #[test]
    fn bits_are_boxed_by_what_they_pick() {
        let text = fields::<X86_64>(VirtAddr::new(0xFFFF_FFFF_F010_1234), 0).to_string();
        assert_eq!(
            text,
            " 63       48 47       39 38       30 29       21 20       12 11        0\n\
             +-----------+-----------+-----------+-----------+-----------+-----------+\n\
             |  0xffff   |    511    |    511    |    384    |    257    |   0x234   |\n\
             +-----------+-----------+-----------+-----------+-----------+-----------+\n    \
                 sign       level 3     level 2     level 1     level 0     offset   "
        );
        let large = fields::<X86_64>(VirtAddr::new(0xFFFF_FFFF_FFFF_FFFF), 1).to_string();
        assert!(large.contains("|    511    | 0x1fffff  |\n"), "{large}");
        let sv39 = fields::<Sv39>(VirtAddr::new(JosSv39::KERNBASE), 0).to_string();
        assert!(sv39.contains("| 0x1ffffff |    511    |    384    |     0     |    0x0    |"));
        let i386 =
            fields::<crate::paging::format::i386::I386>(VirtAddr::new(0xF010_1234), 0).to_string();
        assert!(i386.starts_with(" 31       22 21       12 11        0\n"), "{i386}");
        for line in text.lines() {
            assert!(line.len() <= 80);
        }
    }

    #[test]
    fn a_walk_shows_every_level() {
        let pmap = with_page(Perm::URW);
        let walk = walk64(&pmap, Jos64::UTEMP + 0x123);
        let pa = pmap.va2pa(pmap.kern_pgdir(), VirtAddr::new(Jos64::UTEMP + 0x123)).unwrap();
        assert_eq!(walk.outcome(), Outcome::Page { pa, perm: Perm::URW, level: 0 });
        let text = walk.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert_eq!(lines[0], format!("page directory at {}", pmap.kern_pgdir().address()));
        assert!(
            lines[1].starts_with(&format!(" +-> {}[0] = 0x0", pmap.kern_pgdir().address())),
            "{text}"
        );
        assert!(lines[2].starts_with("   +-> ") && lines[4].starts_with("       +-> "), "{text}");
        let word = lines[1].split(' ').nth(4).unwrap();
        assert_eq!(word.len(), "0x0000000000000000".len(), "{text}");
        assert!(
            lines[1..4].iter().all(|line| line.ends_with(" urwx-")),
            "tables have no g: {text}"
        );
        assert!(lines[4].contains("4 KB page at") && lines[4].ends_with("urw--"), "{text}");
        assert_eq!(lines[5].trim(), format!("+-> {pa}, which user and kernel may read, write"));
        assert!(lines.iter().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn a_large_page_ends_the_walk_early() {
        let pmap = pmap();
        let walk = walk64(&pmap, u64::MAX);
        let Outcome::Page { pa, level: 1, .. } = walk.outcome() else { panic!("{walk}") };
        assert_eq!(pa.as_u64(), Jos64::WINDOW_SIZE - 1);
        assert!(walk.to_string().contains("2 MB page at 0xfe00000 -rw-g"), "{walk}");
    }

    #[test]
    fn a_walk_says_where_it_stops() {
        let pmap = with_page(Perm::KR);
        let at = |va| walk64(&pmap, va).to_string();
        assert!(at(1 << 40).ends_with("stops at level 3: 512 GB here are not mapped"));
        assert!(at(Jos64::UTEMP + PGSIZE).ends_with("stops at level 0: 4 KB here are not mapped"));
        assert!(at(Jos64::LOWER_END).contains("the walk cannot begin"));
    }

    #[test]
    fn a_table_may_withhold_what_the_page_grants() {
        let pmap = with_page(Perm::URW);
        // W and U of the entry that maps 1 GB.
        let at = walk64(&pmap, Jos64::UTEMP).steps[2].unwrap().at;
        pmap.machine().store(at, pmap.machine().load::<u64>(at) & !0b110);
        let walk = walk64(&pmap, Jos64::UTEMP);
        let Outcome::Page { perm, .. } = walk.outcome() else { panic!("{walk}") };
        assert_eq!(perm, Perm::KR);
        let text = walk.blame(Access::Write, false).to_string();
        assert!(text.contains("may not be written: level 2 withholds it"), "{text}");
        let text = walk.blame(Access::Read, true).to_string();
        assert!(text.contains("for the kernel alone: level 2 withholds U"), "{text}");
    }

    #[test]
    fn a_table_at_the_last_level_maps_nothing() {
        // On RISC-V, an entry with V and neither R, W nor X.
        let walk = walk::<Sv39>(PhysAddr::new(0), VirtAddr::new(0), |_| Some(1));
        assert_eq!(walk.outcome(), Outcome::Absent { level: 0 });
    }

    #[test]
    fn a_table_outside_ram_is_not_read() {
        let pmap = pmap();
        let at = pmap.kern_pgdir().address();
        pmap.machine().store::<u64>(at, 0xDEAD_BEEF_F007);
        let walk = walk64(&pmap, 0x1000);
        let table = PhysAddr::new(0xDEAD_BEEF_F000);
        assert_eq!(walk.outcome(), Outcome::NoMemory { level: 2, table });
        assert!(walk.to_string().ends_with("0xdeadbeeff000, where the table should be, is no RAM"));
        let blame = walk.blame(Access::Read, false).to_string();
        assert!(blame.contains("no table of level 2"), "{blame}");
    }

    #[test]
    fn the_reason_of_a_fault_is_found() {
        let why = |perm: Perm, va: u64, access, by_user| {
            walk64(&with_page(perm), va).blame(access, by_user).to_string()
        };
        let utemp = Jos64::UTEMP;
        for (perm, access, by_user, expected) in [
            (Perm::KR, Access::Write, false, "may not be written: level 0 withholds it"),
            (Perm::KRW, Access::Fetch, false, "may not be executed: level 0 withholds it"),
            (Perm::KRW, Access::Read, true, "for the kernel alone: level 0 withholds U"),
            (Perm::URW, Access::Read, false, "kept off it (SMEP, SMAP)"),
            (Perm::KRW, Access::Write, false, "allows this now"),
        ] {
            let text = why(perm, utemp, access, by_user);
            assert!(text.contains(expected) && text.len() < 80, "{text}");
        }
        assert!(why(Perm::KR, 1 << 40, Access::Read, false).contains("level 3 is empty"));
        assert!(why(Perm::KR, Jos64::LOWER_END, Access::Read, false).contains("not canonical"));
    }
}
