//! Boot information of RISC-V: the flattened device tree (Devicetree specification 0.4, chapters 3 and 5).
//!
//! The crate `dtoolkit` checks the structure of the whole tree. This module checks the contents of the
//! properties that the kernel uses; one that makes no sense is as if it were missing.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};

use super::{BootInfoError, LoaderText, PhysWindow, Reserved};

/// The first word of a device tree, which is big-endian.
pub const DEVICE_TREE_MAGIC: u32 = 0xD00D_FEED;

const TREE: &str = "boot information";
/// The bytes up to the tree's size.
const HEADER_BYTES: u64 = 8;

/// A device tree whose structure was checked, and that has memory.
#[derive(Debug)]
pub(super) struct DeviceTree<'a> {
    /// The physical address of the tree.
    at: u64,
    tree: Fdt<'a>,
    pub(super) command_line: LoaderText<'a>,
    /// The name of the first hart's instruction set.
    pub(super) isa: Option<LoaderText<'a>>,
    /// How many times a second the harts' counter counts.
    pub(super) timebase_hz: Option<u64>,
}

impl<'a> DeviceTree<'a> {
    pub(super) fn parse(at: u64, window: PhysWindow<'a>) -> Result<Self, BootInfoError> {
        let header = window.aligned(TREE, at, HEADER_BYTES)?;
        let (magic, size) = (word(&header[..4]), word(&header[4..]));
        if magic != Some(DEVICE_TREE_MAGIC.into()) {
            let value = magic.unwrap_or(0);
            return Err(BootInfoError::Invalid { what: TREE, at, value });
        }
        let bytes = window.aligned(TREE, at, size.unwrap_or(0))?;
        let tree = Fdt::new(bytes).map_err(|_| BootInfoError::Truncated { what: TREE, at })?;

        let text = |node: FdtNode<'a>, name| property(node, name).map(LoaderText::new);
        let chosen = tree.find_node("/chosen");
        let command_line = chosen.and_then(|node| text(node, "bootargs")).unwrap_or_default();
        let isa = tree.find_node("/cpus/cpu").and_then(|hart| text(hart, "riscv,isa"));
        let timebase_hz = tree
            .find_node("/cpus")
            .and_then(|node| number(node, "timebase-frequency"))
            .filter(|hz| *hz > 0);
        let this = Self { at, tree, command_line, isa, timebase_hz };
        if this.memory_regions().all(|entry| entry.kind == MemoryKind::Reserved) {
            return Err(BootInfoError::NoMemoryMap { at });
        }
        Ok(this)
    }

    /// The regions of all memory nodes (3.4), and those that must not be used: of the nodes below
    /// `/reserved-memory` (3.5), and of the header's list (5.3).
    pub(super) fn memory_regions(&self) -> Regions<'a> {
        let root = self.tree.root();
        Regions {
            tree: self.tree,
            stage: Stage::Memory,
            parent: root,
            nodes: root.children(),
            rest: &[],
        }
    }

    /// The tree, and the initial RAM disk.
    pub(super) fn reserved(&self) -> impl Iterator<Item = Reserved> + Clone {
        let tree = Reserved::new(TREE, self.at, self.tree.data().len() as u64);
        let initrd = self.tree.find_node("/chosen").and_then(|chosen| {
            let start = number(chosen, "linux,initrd-start")?;
            let end = number(chosen, "linux,initrd-end")?;
            Some(Reserved::new("initrd", start, end.checked_sub(start)?))
        });
        core::iter::once(tree).chain(initrd)
    }
}

/// The regions of a tree, RAM first. [`DeviceTree::memory_regions`] makes it.
#[derive(Clone, Debug)]
pub(super) struct Regions<'a> {
    tree: Fdt<'a>,
    stage: Stage,
    /// The node whose children are passed over.
    parent: FdtNode<'a>,
    nodes: <FdtNode<'a> as Node>::Children<'a>,
    /// The rest of a child's regions.
    rest: &'a [u8],
}

/// The part of a tree that [`Regions`] is in.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Memory,
    Reserved,
    /// In the header's list, at the entry with this number.
    List(usize),
}

impl Iterator for Regions<'_> {
    type Item = MemoryMapEntry;

    fn next(&mut self) -> Option<MemoryMapEntry> {
        loop {
            let kind = match self.stage {
                Stage::Memory => MemoryKind::Usable,
                Stage::Reserved => MemoryKind::Reserved,
                Stage::List(number) => {
                    let entry = self.tree.memory_reservations().nth(number)?;
                    self.stage = Stage::List(number + 1);
                    let (base, length) = (entry.address(), entry.size());
                    return Some(MemoryMapEntry { base, length, kind: MemoryKind::Reserved });
                }
            };
            if let Some((base, length)) = self.take_region() {
                return Some(MemoryMapEntry { base, length, kind });
            }
            self.advance();
        }
    }
}

impl Regions<'_> {
    /// The next region of a child, whose widths the parent states in words (2.3.5 and 2.3.6).
    fn take_region(&mut self) -> Option<(u64, u64)> {
        let words = |name, default| number(self.parent, name).unwrap_or(default);
        let bytes = |name, default| words(name, default).saturating_mul(4) as usize;
        let (base, rest) = self.rest.split_at_checked(bytes("#address-cells", 2))?;
        let (length, rest) = rest.split_at_checked(bytes("#size-cells", 1))?;
        self.rest = rest;
        Some((word(base)?, word(length)?))
    }

    /// Goes on to the next child with regions, or to the next stage.
    fn advance(&mut self) {
        let is_memory = |node: &FdtNode<'_>| node.name_without_address() == "memory";
        let all = matches!(self.stage, Stage::Reserved);
        self.rest = &[];
        if let Some(node) = self.nodes.find(|node| all || is_memory(node)) {
            self.rest = property(node, "reg").unwrap_or_default();
        } else if let (Stage::Memory, Some(parent)) =
            (self.stage, self.tree.find_node("/reserved-memory"))
        {
            (self.stage, self.parent, self.nodes) = (Stage::Reserved, parent, parent.children());
        } else {
            self.stage = Stage::List(0);
        }
    }
}

/// The value of the property `name`.
fn property<'a>(node: FdtNode<'a>, name: &str) -> Option<&'a [u8]> {
    let mut found = node.properties().filter(|property| property.name() == name);
    found.next()?.value_as().ok()
}

/// The property `name` as a number of 32 or 64 bits.
fn number(node: FdtNode<'_>, name: &str) -> Option<u64> {
    word(property(node, name)?)
}

/// The big-endian number in `bytes`, if it has 32 or 64 bits.
fn word(bytes: &[u8]) -> Option<u64> {
    let narrow = |bytes| u32::from_be_bytes(bytes).into();
    let wide = || bytes.try_into().ok().map(u64::from_be_bytes);
    bytes.try_into().ok().map(narrow).or_else(wide)
}
