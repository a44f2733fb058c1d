//! Frames by owner: the owner of each frame, and its `PageInfo`.

use std::collections::{BTreeMap, BTreeSet};

use layout::{MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::pages::PageInfo;

use crate::facts::Facts;
use crate::sharing::Users;
use crate::shot::{FrameRun, Frames, Info, Owner, State};

/// The most environments that are named as those which share a frame.
const MOST_IDS: usize = 4;

/// The descriptions of all page tables of all address spaces, by the table's address.
pub(crate) type Tables = BTreeMap<u64, String>;

/// A copy of the array `pages`.
pub(crate) struct Copy {
    infos: Vec<PageInfo>,
    /// The physical address of the first frame.
    base: u64,
}

impl Copy {
    /// The `npages` elements at `pa`, for the frames from `base` on.
    pub(crate) fn new(mem: &impl PhysMem, pa: PhysAddr, npages: usize, base: u64) -> Self {
        let bytes = (npages * size_of::<PageInfo>()) as u64;
        let infos = (0..bytes).step_by(size_of::<PageInfo>());
        let infos = infos.map(|at| PageInfo::from_word(mem.load(pa + at))).collect();
        Self { infos, base }
    }

    /// Whether `page_init` has run: page 0 is never free, so before it has, page 0's `PageInfo` is zeros.
    fn is_set(&self) -> bool {
        self.infos.first().is_some_and(|info| !info.is_free())
    }

    /// The end of the memory that the array describes.
    fn end(&self) -> u64 {
        self.base + self.infos.len() as u64 * PGSIZE
    }

    /// The `PageInfo` of the frame at `pa`; `None` before `page_init`, or beyond the array's end.
    pub(crate) fn info(&self, pa: PhysAddr) -> Option<Info> {
        let index = (pa.as_u64() - self.base) / PGSIZE;
        let info = self.infos.get(index as usize)?;
        let state = match info.pp_link {
            _ if info.is_free() => State::Free,
            PageInfo::RESERVED => State::Reserved,
            _ => State::InUse,
        };
        Some(Info { state, pp_ref: info.pp_ref() })
    }
}

/// All frames from the window's start to the end of RAM.
pub(crate) fn frames<L: MemLayout>(
    facts: &Facts,
    copy: Option<&Copy>,
    tables: &Tables,
    users: &Users,
) -> Frames {
    let base = L::PHYS_BASE;
    let end = facts.told.usable.iter().map(|(_, end)| *end).max().unwrap_or(base);
    let counted = copy.map_or(base, Copy::end);
    let copy = copy.filter(|copy| copy.is_set());
    let known = known::<L>(facts);
    let mut runs: Vec<FrameRun> = Vec::new();
    for pa in (base..end.max(counted)).step_by(PGSIZE as usize) {
        let info = copy.and_then(|copy| copy.info(PhysAddr::new(pa)));
        let (owner, detail) = match users.get(&pa) {
            Some(envs) => used(facts, envs),
            None => {
                let (owner, detail) = owner(PhysAddr::new(pa), info, facts, &known, tables);
                (owner, detail.into())
            }
        };
        match runs.last_mut() {
            Some(run) if run.owner == owner && run.info == info && run.detail == detail => {
                run.count += 1;
            }
            _ => runs.push(FrameRun { count: 1, owner, detail, info }),
        }
    }
    Frames { base, runs }
}

/// The owner of a frame that environments map, and who they are.
fn used(facts: &Facts, envs: &BTreeSet<usize>) -> (Owner, String) {
    let ids: Vec<_> = envs.iter().map(|env| facts.told.envs[*env].id.as_str()).collect();
    match ids.as_slice() {
        [id] => (Owner::Env, format!("environment {id}'s")),
        [.., last] if ids.len() <= MOST_IDS => {
            (Owner::Shared, format!("{} and {last}", ids[..ids.len() - 1].join(", ")))
        }
        _ => (Owner::Shared, format!("{} environments, from {} on", ids.len(), ids[0])),
    }
}

/// Owners of fixed ranges; the first range that contains a frame counts.
type Known = Vec<(PhysRange, Owner, &'static str)>;

fn known<L: MemLayout>(facts: &Facts) -> Known {
    let range = |(start, end)| PhysRange::new(PhysAddr::new(start), PhysAddr::new(end));
    let hole = range((L::IOPHYSMEM, L::EXTPHYSMEM));
    let page0 = range((L::PHYS_BASE, L::PHYS_BASE + PGSIZE));
    let last = range((L::WINDOW_LAST_FRAME, L::WINDOW_LAST_FRAME + PGSIZE));
    let mut known: Known = facts
        .told
        .reserved
        .iter()
        .map(|run| (range(*run), Owner::Loader, "left by the loader"))
        .collect();
    known.push((hole, Owner::Reserved, "the hole for devices: VGA, ROMs"));
    known.push((page0, Owner::Reserved, "the first page is never given out"));
    known.push((last, Owner::Reserved, "the window's last page is never given out"));
    if let Some(image) = facts.image {
        known.push((image.stack, Owner::Stack, "the boot stack, mapped below KSTACKTOP too"));
        known.push((image.text, Owner::Text, ""));
        known.push((image.rodata, Owner::Rodata, ""));
        known.push((image.data, Owner::Data, ""));
    }
    if let Some((start, npages)) = facts.told.pages {
        let size = (npages * size_of::<PageInfo>()) as u64;
        let range = PhysRange::from_size(PhysAddr::new(start), size).covering_pages();
        known.push((range, Owner::Pages, ""));
    }
    known
}

fn owner<'a>(
    pa: PhysAddr,
    info: Option<Info>,
    facts: &Facts,
    known: &Known,
    tables: &'a Tables,
) -> (Owner, &'a str) {
    if let Some(table) = tables.get(&pa.as_u64()) {
        return (Owner::Tables, table);
    }
    if let Some((_, owner, detail)) = known.iter().find(|(range, ..)| range.contains(pa)) {
        return (*owner, detail);
    }
    let is_ram = |(start, end): &(u64, u64)| (*start..*end).contains(&pa.as_u64());
    match info.map(|info| info.state) {
        _ if !facts.told.usable.iter().any(is_ram) => {
            (Owner::Reserved, "no RAM, or the firmware's")
        }
        None => (Owner::Unaccounted, ""),
        Some(State::Free) => (Owner::Free, ""),
        Some(State::InUse) => (Owner::Application, ""),
        // boot_alloc has handed out all other frames that page_init reserves.
        Some(State::Reserved) => (Owner::Pages, "the table of runs beside it"),
    }
}
