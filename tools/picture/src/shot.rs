//! [`Shot`]: the data for a picture of a machine at one moment. A survey makes it, and JSON stores it.

use serde::{Deserialize, Serialize};

/// A machine at one moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Shot {
    /// The title of the step that was just done.
    pub(crate) title: String,
    /// Details of the step, a sentence or a change per line.
    pub(crate) said: Vec<String>,
    /// The memory map's name.
    pub(crate) layout: String,
    /// The page-table format's name.
    pub(crate) format: String,
    /// A sentence about a permission that the format cannot withhold, or nothing.
    pub(crate) note: String,
    /// The format's levels.
    pub(crate) levels: u32,
    /// Bits of a virtual address as displayed: 32 or 64.
    pub(crate) va_bits: u32,
    /// The address spaces, the most important one first.
    pub(crate) spaces: Vec<Space>,
    /// The environments, and what each maps below UTOP.
    pub(crate) sharing: Sharing,
    /// The frames.
    pub(crate) frames: Frames,
}

/// An address space: a page directory and what it maps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Space {
    /// The page directory's name.
    pub(crate) name: String,
    /// Whether the processor uses it (CR3, satp).
    pub(crate) in_use: bool,
    /// The regions, from the top of the address space down.
    pub(crate) regions: Vec<Region>,
    /// The tables, from the root down.
    pub(crate) root: Table,
}

/// The environments side by side: which frame each maps at which address.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sharing {
    /// The environments that are shown.
    pub(crate) envs: Vec<Environment>,
    /// How many more there are.
    pub(crate) more_envs: usize,
    /// The pages that any of them maps, in order of address.
    pub(crate) rows: Vec<PageRow>,
    /// How many more rows there are.
    pub(crate) more_rows: usize,
}

/// An environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// Its id, as JOS prints it.
    pub(crate) id: String,
    /// Its program's name, or nothing.
    pub(crate) program: String,
    /// Its status.
    pub(crate) status: String,
    /// Whether the processor uses its page directory.
    pub(crate) in_use: bool,
}

/// A run of pages, and where it leads in each environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct PageRow {
    /// The first virtual address.
    pub(crate) va: u64,
    /// The last one.
    pub(crate) last: u64,
    /// The name of their region.
    pub(crate) region: String,
    /// For each environment the frames, if there are any.
    pub(crate) cells: Vec<Option<Cell>>,
}

/// The frames that an environment maps in a run of pages.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// The first frame's physical address; the others follow.
    pub(crate) pa: u64,
    /// Permissions, as libjos writes them.
    pub(crate) perm: String,
    /// Whether the program has marked the pages as copy-on-write.
    pub(crate) cow: bool,
    /// The frames' count of uses.
    pub(crate) pp_ref: u32,
}

/// A region of the memory map.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Region {
    /// The region's name for users.
    pub(crate) name: String,
    /// The names of its lowest address: KERNBASE and the like.
    pub(crate) boundary: Vec<String>,
    /// The lowest address.
    pub(crate) base: u64,
    /// The highest address.
    pub(crate) last: u64,
    /// The most permissions that kernel and user may have there, as JOS writes them.
    pub(crate) access: String,
    /// Whether an access must always fault.
    pub(crate) invalid: bool,
    /// The mapped pages, in order of address.
    pub(crate) runs: Vec<Run>,
    /// Page tables that appear here because the directory maps itself.
    pub(crate) tables: usize,
    /// The permissions that the directory's entry for itself gives them.
    pub(crate) tables_perm: String,
}

/// A run of pages that continues in both address spaces with the same permissions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The first virtual address.
    pub(crate) va: u64,
    /// The last one.
    pub(crate) last: u64,
    /// The physical address of the first.
    pub(crate) pa: u64,
    /// Permissions, as libjos writes them: `urwxg`.
    pub(crate) perm: String,
    /// Bytes of the smallest page.
    pub(crate) smallest: u64,
    /// Bytes of the largest page.
    pub(crate) largest: u64,
}

impl Run {
    /// The run's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.last - self.va + 1
    }
}

/// A page table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Its level; 0 is the last.
    pub(crate) level: u32,
    /// Its physical address.
    pub(crate) pa: u64,
    /// Entries that are present.
    pub(crate) present: usize,
    /// All entries, in runs of equal ones.
    pub(crate) rows: Vec<Row>,
}

/// A run of neighbouring entries of a table that are alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The first entry's index.
    pub(crate) first: usize,
    /// The last entry's index.
    pub(crate) last: usize,
    /// The first virtual address.
    pub(crate) va: u64,
    /// The last one.
    pub(crate) va_last: u64,
    /// The first entry, undecoded.
    pub(crate) word: u64,
    /// The entries, decoded.
    pub(crate) entry: Entry,
}

/// The decoded entries of a row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Absent entries.
    Absent,
    /// Adjacent pages.
    Pages {
        /// The first page's physical address.
        pa: u64,
        /// Permissions that these entries give, as libjos writes them.
        perm: String,
        /// Entries with A.
        accessed: usize,
        /// Entries with D.
        dirty: usize,
    },
    /// A table.
    Table {
        /// The most that this entry lets any page have.
        allows: String,
        /// The table.
        table: Box<Table>,
    },
    /// A table that is not shown here, and why.
    Elsewhere {
        /// Its physical address.
        pa: u64,
        /// The most that this entry lets any page have.
        allows: String,
        /// Why it is not shown.
        why: String,
    },
}

/// The frames of physical memory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Frames {
    /// The first frame's physical address.
    pub(crate) base: u64,
    /// All frames, in runs of alike ones.
    pub(crate) runs: Vec<FrameRun>,
}

/// A run of neighbouring frames that are alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct FrameRun {
    /// The number of frames.
    pub(crate) count: u64,
    /// The frames' owner.
    pub(crate) owner: Owner,
    /// Details; may be empty.
    pub(crate) detail: String,
    /// Their `PageInfo`, if `pages` describes them yet.
    pub(crate) info: Option<Info>,
}

/// The contents of a `PageInfo`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Info {
    /// On the free list, given out, or never given out.
    pub(crate) state: State,
    /// The count of uses.
    pub(crate) pp_ref: u32,
}

/// The state of a frame that is in `pages`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum State {
    /// On `page_free_list`.
    Free,
    /// Allocated.
    InUse,
    /// Never allocated.
    Reserved,
}

/// The owner of a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// The kernel's code.
    Text,
    /// The kernel's constants.
    Rodata,
    /// The kernel's data.
    Data,
    /// The kernel's stack.
    Stack,
    /// Page tables.
    Tables,
    /// The array `pages`.
    Pages,
    /// The loader's data.
    Loader,
    /// Allocated by `page_alloc`, but none of the others.
    Application,
    /// Mapped by one environment.
    Env,
    /// Mapped by several environments.
    Shared,
    /// On the free list.
    Free,
    /// RAM that `pages` does not describe yet, or never will.
    Unaccounted,
    /// Devices, firmware, and RAM that is left unused.
    Reserved,
}

impl Owner {
    /// All owners, in the order of the legend.
    pub(crate) const ALL: [Self; 13] = [
        Self::Text,
        Self::Rodata,
        Self::Data,
        Self::Stack,
        Self::Tables,
        Self::Pages,
        Self::Loader,
        Self::Application,
        Self::Env,
        Self::Shared,
        Self::Reserved,
        Self::Free,
        Self::Unaccounted,
    ];

    /// The owner's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "kernel code",
            Self::Rodata => "kernel constants",
            Self::Data => "kernel data",
            Self::Stack => "kernel stack",
            Self::Tables => "page tables",
            Self::Pages => "pages array",
            Self::Loader => "boot information",
            Self::Application => "in use (page_alloc)",
            Self::Env => "an environment's",
            Self::Shared => "shared by several",
            Self::Free => "free",
            Self::Unaccounted => "RAM, not in pages",
            Self::Reserved => "reserved, devices",
        }
    }
}
