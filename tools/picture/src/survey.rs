//! Surveys a machine: from memory and [`Facts`] to a [`Shot`], for every map and format.

use std::error::Error;

use layout::{Content, Jos32, Jos64, JosSv39, MB, MemLayout, names_of, regions};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageAllocator;
use libjos::mem::size::Size;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::mappings::runs;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use monitor::explain::note_permissions;

use crate::dump::Dump;
use crate::facts::{Facts, Told, kernel_image};
use crate::frames::{Copy, Tables, frames};
use crate::sharing::{MOST_ENVS, Pages};
use crate::shot::{Region, Run, Shot, Space};
use crate::tables::Reader;

/// RAM of a simulated machine.
const SIM_RAM: u64 = 16 * MB;

/// Calls a generic function for the map and the format with the given names.
macro_rules! for_machine {
    ($name:expr, $do:ident $arguments:tt) => {
        match $name {
            "jos64" => Ok($do::<Jos64, X86_64> $arguments),
            "jos32" => Ok($do::<Jos32, I386> $arguments),
            "jossv39" => Ok($do::<JosSv39, Sv39> $arguments),
            other => Err(Box::<dyn Error>::from(format!(
                "picture: unknown machine {other:?}; there are: jos64 jos32 jossv39"
            ))),
        }
    };
}

/// A shot of a machine whose memory is `mem`, on which the kernel in this ELF file runs.
pub(crate) fn dumped(
    machine: &str,
    mem: &Dump,
    facts: Facts,
    kernel: &[u8],
) -> Result<Shot, Box<dyn Error>> {
    for_machine!(machine, survey_dump(mem, facts, kernel))?
}

fn survey_dump<L: MemLayout, F: Format>(
    mem: &Dump,
    mut facts: Facts,
    kernel: &[u8],
) -> Result<Shot, Box<dyn Error>> {
    let image = kernel_image::<L>(kernel).map_err(|error| format!("picture: kernel: {error}"))?;
    facts.image = Some(image);
    Ok(survey::<L, F>(mem, &facts))
}

/// A shot of a simulated machine after `mem_init`.
pub(crate) fn simulated(machine: &str) -> Result<Shot, Box<dyn Error>> {
    for_machine!(machine, simulate())
}

fn simulate<L: MemLayout, F: Format + Mmu>() -> Shot {
    let pmap = simulated_machine::<L, F>();
    survey::<L, F>(pmap.machine(), &facts_of(&pmap))
}

/// A machine after `mem_init`.
pub(crate) fn simulated_machine<L: MemLayout, F: Format + Mmu>() -> Pmap<SimMachine<L, F>> {
    let (machine, boot) = SimMachine::<L, F>::new(SIM_RAM);
    mem_init(machine, boot)
}

/// The facts that a debugger would find about a simulated machine.
pub(crate) fn facts_of<L: MemLayout, F: Format + Mmu>(pmap: &Pmap<SimMachine<L, F>>) -> Facts {
    let pairs = |runs: &[libjos::mem::addr::PhysRange]| {
        runs.iter().map(|run| (run.start.as_u64(), run.end_exclusive.as_u64())).collect()
    };
    let pgdir = pmap.kern_root().as_u64();
    let mut facts = Facts::new(Told {
        title: "mem_init".into(),
        said: vec![format!("A simulated machine with {} of RAM.", Size(SIM_RAM))],
        cr3: Some(pgdir),
        entry_pgdir: None,
        kern_pgdir: Some(pgdir),
        pages: Some((pmap.boot_memory().pages.start.as_u64(), pmap.pages().npages())),
        usable: pairs(pmap.boot().memory.usable().runs()),
        reserved: pairs(pmap.boot().reserved.runs()),
        envs: Vec::new(),
    });
    facts.image = Some(pmap.boot().image);
    facts
}

/// A shot of a machine with the map `L` whose processor walks tables of format `F`.
pub(crate) fn survey<L: MemLayout, F: Format>(mem: &impl PhysMem, facts: &Facts) -> Shot {
    let told = &facts.told;
    let mut tables = Tables::new();
    let mut spaces = Vec::new();
    // kern_pgdir first, even while it is still being built.
    let is_known =
        |root| told.kern_pgdir == Some(root) || told.envs.iter().any(|env| env.root == root);
    for root in [told.kern_pgdir, told.cr3.filter(|root| !is_known(*root))] {
        let Some(root) = root else { continue };
        let name = match Some(root) {
            root if root == told.kern_pgdir => "kern_pgdir",
            root if root == told.entry_pgdir => "entry_pgdir",
            _ => "the directory in use",
        };
        let in_use = told.cr3 == Some(root);
        spaces.push(space::<L, F>(mem, PhysAddr::new(root), name, in_use, &mut tables));
    }
    for (number, env) in told.envs.iter().enumerate() {
        let name = match env.program.as_str() {
            "" => format!("environment {}", env.id),
            program => format!("environment {} ({program})", env.id),
        };
        let in_use = told.cr3 == Some(env.root);
        let mut space = space::<L, F>(mem, PhysAddr::new(env.root), &name, in_use, &mut tables);
        // The rest is the kernel's half, the same in all.
        space.regions.retain(|region| region.base < L::UTOP || region.base == L::UVPT);
        if number < MOST_ENVS {
            spaces.push(space);
        }
    }
    let pages = Pages::read::<L, F>(mem, told);
    let copy =
        told.pages.map(|(pa, npages)| Copy::new(mem, PhysAddr::new(pa), npages, L::PHYS_BASE));
    let mut note = String::new();
    note_permissions::<F>(&mut note).expect("a String takes all");
    Shot {
        title: told.title.clone(),
        said: told.said.clone(),
        layout: L::NAME.into(),
        format: F::NAME.into(),
        levels: F::LEVELS,
        note: note.trim_end().into(),
        va_bits: if L::VA_LAST == u64::MAX { 64 } else { 32 },
        spaces,
        sharing: pages.sharing::<L>(told, copy.as_ref()),
        frames: frames::<L>(facts, copy.as_ref(), &tables, &pages.users()),
    }
}

/// The address space of the tables below `pgdir`; adds them to the known tables.
fn space<L: MemLayout, F: Format>(
    mem: &impl PhysMem,
    pgdir: PhysAddr,
    name: &str,
    in_use: bool,
    tables: &mut Tables,
) -> Space {
    let (root, reader) = Reader::read::<F>(mem, pgdir, tables);
    let seen = reader.seen;
    for (pa, (level, va)) in &seen {
        let detail = match *level {
            level if level == F::ROOT => name.to_string(),
            level => {
                let span = Size(F::page_size(level + 1));
                format!("{name}, level {level}, for {span} from {va:#x}")
            }
        };
        tables.entry(*pa).or_insert(detail);
    }
    let itself = shows_itself::<L, F>(mem, pgdir);
    let regions = regions::<L>()
        .map(|region| Region {
            name: region.name.into(),
            boundary: names_of::<L>(region.base).map(Into::into).collect(),
            base: region.base,
            last: region.last(),
            access: region.access.into(),
            invalid: region.content == Content::Invalid,
            runs: mapped::<F>(mem, pgdir, region.base, region.last()),
            tables: match region.content {
                Content::PageTables if itself.is_some() => seen.len(),
                _ => 0,
            },
            tables_perm: itself.unwrap_or_default().to_string(),
        })
        .collect();
    Space { name: name.into(), in_use, regions, root }
}

/// The permissions of the page tables at UVPT, if the directory's entry there is for itself.
fn shows_itself<L: MemLayout, F: Format>(mem: &impl PhysMem, pgdir: PhysAddr) -> Option<Perm> {
    let at = F::entry(F::ROOT, pgdir, VirtAddr::new(L::UVPT));
    match F::decode(F::ROOT, mem.load(at)) {
        Entry::Table { pa, allows } if pa == pgdir => Some(allows & (Perm::URW | Perm::X)),
        _ => None,
    }
}

/// The mapped pages in `[first, last]`, cut to that range.
fn mapped<F: Format>(mem: &impl PhysMem, pgdir: PhysAddr, first: u64, last: u64) -> Vec<Run> {
    let (first, last) = (VirtAddr::new(first), VirtAddr::new(last));
    runs::<F, _>(mem, pgdir, first, last)
        .map(|run| run.within(first, last))
        .map(|run| Run {
            va: run.va.as_u64(),
            last: run.last().as_u64(),
            pa: run.pa.as_u64(),
            perm: run.perm.to_string(),
            smallest: run.smallest,
            largest: run.largest,
        })
        .collect()
}
