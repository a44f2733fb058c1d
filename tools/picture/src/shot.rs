//! [`Shot`]: all that is drawn of one moment of a machine. A survey makes it, JSON keeps it.

use serde::{Deserialize, Serialize};

/// A machine at one moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Shot {
    /// What has just happened.
    pub(crate) title: String,
    /// More of it, a sentence or a change a line.
    pub(crate) said: Vec<String>,
    /// The memory map's name.
    pub(crate) layout: String,
    /// The page-table format's name.
    pub(crate) format: String,
    /// The format's levels.
    pub(crate) levels: u32,
    /// Bits of a virtual address, as it is written: 32 or 64.
    pub(crate) va_bits: u32,
    /// The address spaces; the one that matters most first.
    pub(crate) spaces: Vec<Space>,
    /// The frames.
    pub(crate) frames: Frames,
}

/// An address space: a page directory and what it maps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Space {
    /// What the page directory is called.
    pub(crate) name: String,
    /// Whether the processor uses it (CR3, satp).
    pub(crate) in_use: bool,
    /// The regions, from the top of the address space down.
    pub(crate) regions: Vec<Region>,
    /// The tables, from the root down.
    pub(crate) root: Table,
}

/// A region of the memory map.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Region {
    /// What users call it.
    pub(crate) name: String,
    /// The names of its lowest address: KERNBASE and the like.
    pub(crate) boundary: Vec<String>,
    /// The lowest address.
    pub(crate) base: u64,
    /// The highest address.
    pub(crate) last: u64,
    /// Most that kernel and user may ever do there, as JOS writes it.
    pub(crate) access: String,
    /// Whether an access must always fault.
    pub(crate) invalid: bool,
    /// What is mapped, in order of address.
    pub(crate) runs: Vec<Run>,
    /// Page tables that show here because the directory holds itself.
    pub(crate) tables: usize,
}

/// Pages that go on in both address spaces with the same permissions.
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
    /// Bytes.
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

/// Neighbouring entries of a table that say the same.
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
    /// The first entry as it stands in memory.
    pub(crate) word: u64,
    /// What the processor sees in it.
    pub(crate) entry: Entry,
}

/// What the processor sees in the entries of a row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Nothing.
    Absent,
    /// Pages, one behind the other.
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

/// Neighbouring frames of which the same is to be said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct FrameRun {
    /// How many.
    pub(crate) count: u64,
    /// Whose they are.
    pub(crate) owner: Owner,
    /// More of what they are; may be empty.
    pub(crate) detail: String,
    /// What `pages` says of them, if it says anything yet.
    pub(crate) info: Option<Info>,
}

/// What a `PageInfo` says.
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

/// Whose a frame is.
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
    /// What the loader left.
    Loader,
    /// Allocated by `page_alloc`, and no page table.
    Application,
    /// On the free list.
    Free,
    /// RAM that `pages` says nothing of: not yet, or never.
    Unaccounted,
    /// Devices, firmware, and RAM that is kept out.
    Reserved,
}

impl Owner {
    /// All of them, in the order of the legend.
    pub(crate) const ALL: [Self; 11] = [
        Self::Text,
        Self::Rodata,
        Self::Data,
        Self::Stack,
        Self::Tables,
        Self::Pages,
        Self::Loader,
        Self::Application,
        Self::Reserved,
        Self::Free,
        Self::Unaccounted,
    ];

    /// In words.
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
            Self::Free => "free",
            Self::Unaccounted => "RAM, not in pages",
            Self::Reserved => "reserved, devices",
        }
    }
}
