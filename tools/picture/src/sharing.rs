//! Environments side by side: the frames that each maps below UTOP, and who shares them.

use std::collections::{BTreeMap, BTreeSet};

use layout::{MemLayout, PGSIZE, regions};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::leaves;

use crate::facts::Told;
use crate::frames::Copy;
use crate::shot::{Cell, Environment, PageRow, Sharing};

/// The most environments, and the most rows, that a picture shows.
pub(crate) const MOST_ENVS: usize = 12;
const MOST_ROWS: usize = 64;
/// The mark by which JOS's user-level fork knows its copy-on-write pages (`PTE_COW`): the highest bit of the three that
/// are a program's own.
const FORK_COW: u16 = 0x800;

/// The environments that map each frame below UTOP, by the frame's address.
pub(crate) type Users = BTreeMap<u64, BTreeSet<usize>>;

/// The pages below UTOP of each environment.
pub(crate) struct Pages(Vec<BTreeMap<u64, (u64, Perm)>>);

impl Pages {
    /// Reads the tables of all environments.
    pub(crate) fn read<L: MemLayout, F: Format>(mem: &impl PhysMem, told: &Told) -> Self {
        let (first, last) = (VirtAddr::new(0), VirtAddr::new(L::UTOP - 1));
        let of = |root: u64| {
            let pages = leaves::<F, _>(mem, PhysAddr::new(root), first, last);
            pages.map(|page| (page.va.as_u64(), (page.pa.as_u64(), page.perm))).collect()
        };
        Self(told.envs.iter().map(|env| of(env.root)).collect())
    }

    /// Who maps which frame.
    pub(crate) fn users(&self) -> Users {
        let mut users = Users::new();
        for (env, pages) in self.0.iter().enumerate() {
            for (pa, _) in pages.values() {
                users.entry(*pa).or_default().insert(env);
            }
        }
        users
    }

    /// The environments side by side.
    pub(crate) fn sharing<L: MemLayout>(&self, told: &Told, copy: Option<&Copy>) -> Sharing {
        let shown = &self.0[..self.0.len().min(MOST_ENVS)];
        let envs = told.envs.iter().take(MOST_ENVS).map(|env| Environment {
            id: env.id.clone(),
            program: env.program.clone(),
            status: env.status.clone(),
            in_use: told.cr3 == Some(env.root),
        });
        let cell = |&(pa, perm): &(u64, Perm)| Cell {
            pa,
            perm: perm.to_string(),
            cow: perm.bits() & FORK_COW != 0,
            pp_ref: copy
                .and_then(|copy| copy.info(PhysAddr::new(pa)))
                .map_or(0, |info| info.pp_ref),
        };
        let mapped: BTreeSet<_> = shown.iter().flat_map(BTreeMap::keys).copied().collect();
        let mut rows: Vec<PageRow> = Vec::new();
        for va in mapped {
            let cells = shown.iter().map(|pages| pages.get(&va).map(cell)).collect();
            let region = regions::<L>().find(|region| region.last() >= va && region.base <= va);
            let region = region.map_or("", |region| region.name).into();
            let row = PageRow { va, last: va + (PGSIZE - 1), region, cells };
            match rows.last_mut() {
                Some(last) if goes_on(last, &row) => last.last = row.last,
                _ => rows.push(row),
            }
        }
        let more_rows = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        let more_envs = told.envs.len().saturating_sub(MOST_ENVS);
        Sharing { envs: envs.collect(), more_envs, rows, more_rows }
    }
}

/// Whether a row continues another one in every environment.
fn goes_on(row: &PageRow, next: &PageRow) -> bool {
    let bytes = next.va - row.va;
    let alike = |(cell, next): (&Option<Cell>, &Option<Cell>)| match (cell, next) {
        (None, None) => true,
        (Some(cell), Some(next)) => Cell { pa: cell.pa + bytes, ..cell.clone() } == *next,
        _ => false,
    };
    row.last + 1 == next.va
        && row.region == next.region
        && row.cells.iter().zip(&next.cells).all(alike)
}

#[cfg(test)]
mod tests;
