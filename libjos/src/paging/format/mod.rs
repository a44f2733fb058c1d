//! Page-table formats: the trait [`Format`], and the permissions and entries that all formats share.
//!
//! A format is data: geometry as constants, entries by one encoder and one four-way decoder
//! (absent, pending, table, leaf), both of which take the level, because the same bit means
//! different things at different levels. The formats themselves: [`x86_64`], [`i386`], [`riscv`].
//! The walker over them:
//! [`pgdir`](crate::paging::pgdir).
//!
//! Levels count from the bottom: level 0 maps 4 KB pages, level `LEVELS - 1` is the root.

pub mod i386;
pub mod riscv;
mod x86;
pub mod x86_64;

use core::fmt;

use layout::{PGSHIFT, PGSIZE};

use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::paging::word::Word;

bitflags::bitflags! {
    /// Who may do what with a page. A page has the permissions that a walk grants: on x86 each level can only
    /// take away.
    ///
    /// Where x86 has a bit for it, it is that bit, so that making an entry is a mask. How memory is
    /// cached is not among them: entries leave that to the machine (on a PC to the MTRRs, which
    /// know where devices are).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Perm: u16 {
        /// Reading.
        const R = 1 << 0;
        /// Writing.
        const W = 1 << 1;
        /// Fetching instructions.
        const X = 1 << 3;
        /// By user code too, not the kernel alone (JOS's `PTE_U`).
        const U = 1 << 2;
        /// Global: mapped alike in every address space, so that the translation may outlive a change of
        /// page directory in the TLB. For the kernel's half alone, and refused elsewhere
        /// ([`MapError::Global`](crate::paging::error::MapError::Global)): a page of one address space
        /// would stay visible in the next one.
        const G = 1 << 8;
        /// Nothing to processor and kernel: three bits of an entry that are a program's own (JOS's `PTE_AVAIL`;
        /// its `fork` keeps copy-on-write in the highest). A format has those in [`Format::AVAIL`].
        const AVAIL = 0b111 << 9;
        /// Nothing to the processor: in place of [`Perm::W`], it says that the kernel gives a write
        /// a copy of the page. Formats keep it in a bit left to software, which no program's is.
        const COW = 1 << 12;
        /// Nothing to the processor: the page may be others' too, and not to be written. Where it
        /// is to be again, that is by [`Perm::COW`]. In a bit left to software, as COW is.
        const PRIVATE = 1 << 13;
    }
}

impl Perm {
    /// Kernel, read only.
    pub const KR: Self = Self::R;
    /// Kernel, read and write (JOS's `PTE_W`).
    pub const KRW: Self = Self::R.union(Self::W);
    /// Kernel, read and execute.
    pub const KRX: Self = Self::R.union(Self::X);
    /// User and kernel, read only (JOS's `PTE_U`).
    pub const UR: Self = Self::R.union(Self::U);
    /// User and kernel, read and write (JOS's `PTE_U | PTE_W`).
    pub const URW: Self = Self::UR.union(Self::W);
    /// The letters of permissions, in the order in which they are printed.
    pub const LETTERS: [(Self, char); 5] =
        [(Self::U, 'u'), (Self::R, 'r'), (Self::W, 'w'), (Self::X, 'x'), (Self::G, 'g')];

    /// These permissions for a page that other address spaces may have too. A writable page becomes copy-on-write;
    /// any other becomes [`PRIVATE`](Self::PRIVATE).
    #[must_use]
    pub(crate) fn private(self) -> Self {
        if self.intersects(Self::W | Self::COW) {
            (self - Self::W - Self::PRIVATE) | Self::COW
        } else {
            self | Self::PRIVATE
        }
    }
}

/// `urwxg`, with `-` for what is withheld, and `c` in place of `w` for copy-on-write.
impl fmt::Display for Perm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 5];
        for (slot, (perm, letter)) in text.iter_mut().zip(Self::LETTERS) {
            if self.contains(perm) {
                *slot = letter as u8;
            } else if perm == Self::W && self.contains(Self::COW) {
                *slot = b'c';
            }
        }
        f.pad(core::str::from_utf8(&text).unwrap_or("?????"))
    }
}

/// The meaning of one entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing: an access faults.
    Absent,
    /// A page that is being unmapped, to the processor nothing: its use is counted until the flush
    /// is over (see [`unmapping`](crate::paging::unmapping)).
    Pending {
        /// Where it lies.
        pa: PhysAddr,
    },
    /// The table of the next lower level.
    Table {
        /// The frame that holds the table.
        pa: PhysAddr,
        /// The most that this entry lets any page below it have. A format whose tables carry no
        /// permissions says everything.
        allows: Perm,
    },
    /// A page of this level's size.
    Leaf(Leaf),
}

impl Entry {
    /// Where the page lies that the entry maps, or mapped until it became pending.
    #[inline]
    pub(crate) fn page(self) -> Option<PhysAddr> {
        match self {
            Self::Leaf(Leaf { pa, .. }) | Self::Pending { pa } => Some(pa),
            Self::Absent | Self::Table { .. } => None,
        }
    }
}

/// A page, as an entry describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// Where it lies; aligned to the page's size.
    pub pa: PhysAddr,
    /// Who may do what.
    pub perm: Perm,
    /// The processor has used the page (A).
    pub accessed: bool,
    /// The processor has written to the page (D).
    pub dirty: bool,
}

/// A page-table format: its geometry and its entries.
pub trait Format: 'static {
    /// The format's name, as users say it.
    const NAME: &'static str;

    /// The integer that one entry is.
    type Word: Word;

    /// Levels of tables.
    const LEVELS: u32;

    /// Bits of an address that pick the entry at one level.
    const INDEX_BITS: u32;

    /// Levels that may hold a leaf: bit `n` stands for level `n`.
    const LEAF_LEVELS: u32;

    /// Whether a table can be entered in itself and then shows its entries as pages.
    const SELF_MAP: bool;

    /// Physical addresses from here on do not fit in an entry.
    const PA_END: u64;

    /// The names of the bits that keep the kernel off user pages.
    const USER_GUARD: &'static str;

    /// Permissions that the format cannot withhold: they come with every page.
    const ALWAYS: Perm;

    /// The bits of [`Perm::AVAIL`] that a program may set. A format need not keep all of them.
    const AVAIL: Perm;

    /// The entry for a table in the frame at `pa`, at a level above 0. It withholds nothing:
    /// that is the leaves' task. The processor sets no bit in it.
    fn table(pa: PhysAddr) -> Self::Word;

    /// The entry by which the root at `pa` enters itself, so that a slot of the address space
    /// shows all tables, read-only and to the user too; `None` where a table cannot map itself.
    fn self_map(pa: PhysAddr) -> Option<Self::Word>;

    /// The entry for `leaf`, a page of `level`'s size. Its `perm` contains [`Perm::R`].
    fn encode(level: u32, leaf: &Leaf) -> Self::Word;

    /// The entry for a page of `level`'s size at `pa` that nobody has used yet.
    #[must_use]
    fn leaf(level: u32, pa: PhysAddr, perm: Perm) -> Self::Word {
        Self::encode(level, &Leaf { pa, perm, accessed: false, dirty: false })
    }

    /// The leaf `entry` as one that is pending. It still says where its page lies, and never looks
    /// absent: a mark takes the place of the bit that the processor looks at.
    fn pending(entry: Self::Word) -> Self::Word;

    /// The meaning of `entry` at `level`.
    fn decode(level: u32, entry: Self::Word) -> Entry;
}

/// Geometry that follows from a format's constants.
pub trait Geometry: Format {
    /// The root's level.
    const ROOT: u32 = Self::LEVELS - 1;
    /// Entries in a table.
    const ENTRIES: usize = 1 << Self::INDEX_BITS;
    /// Bits of a virtual address that are translated.
    const VA_BITS: u32 = PGSHIFT + Self::LEVELS * Self::INDEX_BITS;
    /// Columns of an address in hexadecimal, with its "0x", if all addresses are to line up: 18, or 10 where
    /// addresses have 32 bits. (A loader's map may have longer ones.)
    const ADDRESS_COLUMNS: usize = if Self::VA_BITS == 32 { 10 } else { 18 };
    /// Columns of an entry in hexadecimal, with its "0x".
    const ENTRY_COLUMNS: usize = 2 + 2 * Self::Word::BYTES as usize;

    /// Bytes that one entry of `level` maps.
    #[must_use]
    fn page_size(level: u32) -> u64 {
        PGSIZE << (level * Self::INDEX_BITS)
    }

    /// Which entry of a table of `level` maps `va`.
    #[must_use]
    fn index(level: u32, va: VirtAddr) -> usize {
        let entry = va.as_u64() >> (PGSHIFT + level * Self::INDEX_BITS);
        entry as usize & (Self::ENTRIES - 1)
    }

    /// The lowest address that entry `index` of the table of `level` maps, where `base` is the
    /// lowest one that the table maps. Sign-extends at the root where the format has halves.
    #[must_use]
    fn address(level: u32, base: VirtAddr, index: usize) -> VirtAddr {
        let va = base.as_u64() + index as u64 * Self::page_size(level);
        let unused = 64 - Self::VA_BITS;
        if level == Self::ROOT && Self::VA_BITS != 32 {
            VirtAddr::new(((va << unused).cast_signed() >> unused).cast_unsigned())
        } else {
            VirtAddr::new(va)
        }
    }

    /// The effective permissions of a page that is mapped with `perm`.
    #[must_use]
    fn effective(perm: Perm) -> Perm {
        perm | Self::ALWAYS
    }

    /// Whether the format can translate `va`: in each address's unused upper bits stands the
    /// topmost translated one (Intel SDM vol. 1, 3.3.7.1; RISC-V privileged spec., 12.4.1), or
    /// zeros where addresses have 32 bits.
    #[must_use]
    fn is_canonical(va: VirtAddr) -> bool {
        let unused = 64 - Self::VA_BITS;
        if Self::VA_BITS == 32 {
            va.as_u64() >> 32 == 0
        } else {
            ((va.as_u64() << unused).cast_signed() >> unused).cast_unsigned() == va.as_u64()
        }
    }

    /// Where the entry of the table of `level` at `table` lies that maps `va`.
    #[must_use]
    fn entry(level: u32, table: PhysAddr, va: VirtAddr) -> PhysAddr {
        Self::slot(table, Self::index(level, va))
    }

    /// Where entry `index` of the table at `table` lies; or the entry `index` places behind the one at `table`.
    #[must_use]
    fn slot(table: PhysAddr, index: usize) -> PhysAddr {
        // Within one table, so no sum overflows.
        PhysAddr::new(table.as_u64() + index as u64 * Self::Word::BYTES)
    }

    /// The table that `entry` of a level above 0 leads to, if `entry` is exactly what
    /// [`table`](Format::table) makes for a table in `range`. The size of `range` is a power of two,
    /// and its start a multiple of it, so that all of this is one test of bits.
    ///
    /// ```
    /// use libjos::mem::addr::{PhysAddr, PhysRange};
    /// use libjos::paging::format::Geometry;
    /// use libjos::paging::format::x86_64::X86_64;
    ///
    /// // For a table at 0x20_3000 `table` makes the entry 0x20_3027: the low bits are P, RW, US and A.
    /// // In the first 256 MB, tables differ in bits 12 to 27.
    /// let window = PhysRange::from_size(PhysAddr::new(0), 256 << 20);
    /// let table_in = |entry| X86_64::table_in(&window, entry);
    /// assert_eq!(table_in(0x20_3027), Some(PhysAddr::new(0x20_3000)));
    ///
    /// // Less 0x27, any other entry has a bit outside 12 to 27. 0x1020_3027, a table beyond 256 MB,
    /// // has bit 28; 0x20_00A7, a large page, bit 7. A bit of 0x27 that is clear is borrowed for:
    /// // 0x20_3025, without RW, becomes 0x20_2FFE, and 0, an absent entry, has nearly all bits set.
    /// for entry in [0x1020_3027, 0x20_00A7, 0x20_3025, 0] {
    ///     assert_eq!(table_in(entry), None);
    /// }
    /// ```
    #[must_use]
    #[inline]
    fn table_in(range: &PhysRange, entry: Self::Word) -> Option<PhysAddr> {
        let first = Self::table(range.start);
        let offsets = Self::table(range.start + (range.size() - PGSIZE)) ^ first;
        // No bit of an offset is one of `first`, so there is nothing to borrow from it.
        let offset = entry.wrapping_sub(first);
        if offset & !offsets != Word::ZERO {
            return None;
        }
        match Self::decode(1, first | offset) {
            Entry::Table { pa, .. } => Some(pa),
            _ => None,
        }
    }
}

impl<F: Format> Geometry for F {}
