//! Boot information of RISC-V: the flattened device tree (Devicetree specification 0.4, chapters 3 and 5).
//!
//! The crate `dtoolkit` checks the structure of the whole tree. This module checks the contents of the
//! properties that the kernel uses, and treats one that makes no sense as missing.

mod wire;

pub use wire::Wire;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};
use layout::PGSIZE;
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::memory_map::{MemoryKind, MemoryMapEntry};

use super::{BootInfo, BootInfoError, LoaderText, Parsed, PhysWindow, Protocol, Reserved};

/// The first word of a device tree, which is big-endian.
pub const DEVICE_TREE_MAGIC: u32 = 0xD00D_FEED;

const TREE: &str = "device tree";
/// The bytes at the tree's start that hold its magic and its size.
const HEADER_BYTES: u64 = 8;
/// Where the header holds the offset of the list of reserved memory.
const LIST_AT: usize = 16;
/// Where the physical addresses of any RISC-V machine end.
const MAX_ADDRESS: u64 = 1 << 56;

/// A device tree that describes memory, and whose structure was checked.
#[derive(Debug)]
pub struct DeviceTree<'a> {
    /// The physical address of the tree.
    at: u64,
    tree: Fdt<'a>,
}

pub(super) fn parse(at: u64, window: PhysWindow<'_>) -> Result<BootInfo<'_>, BootInfoError> {
    let tree = DeviceTree::parse(at, window)?;
    let text = |node, name| property(node, name).map(LoaderText::new);
    let chosen = tree.tree.find_node("/chosen");
    let command_line = chosen.and_then(|node| text(node, "bootargs")).unwrap_or_default();
    let processor = tree.tree.find_node("/cpus/cpu").and_then(|hart| text(hart, "riscv,isa"));
    let parsed = Parsed::DeviceTree(tree);
    Ok(BootInfo { processor, ..BootInfo::new(Protocol::DeviceTree, command_line, parsed) })
}

impl<'a> DeviceTree<'a> {
    /// Parses the device tree at physical address `at`.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is invalid, or if it has no memory.
    pub fn parse(at: u64, window: PhysWindow<'a>) -> Result<Self, BootInfoError> {
        let header = window.aligned(TREE, at, HEADER_BYTES)?;
        let (magic, size) = (word(&header[..4]), word(&header[4..]));
        if magic != Some(DEVICE_TREE_MAGIC.into()) {
            let value = magic.unwrap_or(0);
            return Err(BootInfoError::Invalid { what: TREE, at, value });
        }
        let bytes = window.aligned(TREE, at, size.unwrap_or(0))?;
        let tree = Fdt::new(bytes).map_err(|_| BootInfoError::Truncated { what: TREE, at })?;
        let this = Self { at, tree };
        if this.memory_regions().all(|entry| entry.kind == MemoryKind::Reserved) {
            return Err(BootInfoError::NoMemoryNode { at });
        }
        Ok(this)
    }

    /// The regions of all memory nodes (3.4) that are in use, and then the regions that must not be used: those of the
    /// nodes below `/reserved-memory` (3.5), and those of the header's list (5.3).
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

    /// How many times a second the harts' counter counts (3.7).
    #[must_use]
    pub fn timebase_hz(&self) -> Option<u64> {
        let harts = self.tree.find_node("/cpus")?;
        number(harts, "timebase-frequency").filter(|hz| *hz > 0)
    }

    /// The physical address of the registers of a device with a name in `compatible` (2.3.1) that begins with
    /// `binding`. If several can be used, it is that of the console that `/chosen` gives, or else of the first.
    #[must_use]
    pub fn device(&self, binding: &str) -> Option<PhysAddr> {
        self.find(binding).map(|device| device.registers)
    }

    /// Finds the device whose address [`device`](Self::device) returns.
    fn find(&self, binding: &str) -> Option<Device<'a>> {
        let console = self.console();
        let found = || self.devices().filter(|device| follows(device.node, binding));
        found().find(|device| device.is_at(console)).or_else(|| found().next())
    }

    /// The path of the console that `/chosen` gives (3.6), perhaps by an alias (3.3); empty if it gives none.
    fn console(&self) -> &'a [u8] {
        let path = |node, name| property(self.tree.find_node(node)?, name)?.split(is_end).next();
        let console = path("/chosen", "stdout-path").unwrap_or_default();
        if console.starts_with(b"/") {
            return console;
        }
        let alias = core::str::from_utf8(console).unwrap_or_default();
        path("/aliases", alias).unwrap_or_default()
    }

    /// The devices that are in use (2.3.4), below the root or below a bus of the root with the same addresses. Their
    /// registers are bytes side by side (`reg-shift` 0), from a multiple of 8 on, in a page without RAM.
    fn devices(&self) -> impl Iterator<Item = Device<'a>> {
        // Below a bus with empty `ranges`, addresses are those of the bus's parent (2.3.8).
        let root = self.tree.root();
        let is_plain = |bus: &FdtNode<'a>| property(*bus, "ranges").is_some_and(<[u8]>::is_empty);
        let buses = core::iter::once(root).chain(root.children().filter(is_plain));
        let all = buses.flat_map(|bus| bus.children().map(move |node| (bus, node)));
        all.filter_map(|(bus, node)| {
            let (base, size) = take_region(bus, &mut property(node, "reg")?)?;
            let is_dense = number(node, "reg-shift").unwrap_or(0) == 0;
            let is_sound = base.is_multiple_of(8) && self.is_device(base);
            let registers = PhysAddr::new(base);
            let device = Device { bus, node, registers, size };
            (is_used(node) && is_dense && is_sound).then_some(device)
        })
    }

    /// Whether a device's register may be at `pa`: in a page without RAM.
    fn is_device(&self, pa: u64) -> bool {
        let holds = |entry: MemoryMapEntry| {
            let page = PhysRange::from_size(PhysAddr::new(pa & !(PGSIZE - 1)), PGSIZE);
            let range = PhysRange::from_size(PhysAddr::new(entry.base), entry.length);
            entry.kind == MemoryKind::Usable && range.overlaps(&page)
        };
        (1..MAX_ADDRESS).contains(&pa) && !self.memory_regions().any(holds)
    }

    /// The memory of the tree itself, and of the initial RAM disk.
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

/// A device.
#[derive(Clone, Copy, Debug)]
struct Device<'a> {
    bus: FdtNode<'a>,
    node: FdtNode<'a>,
    /// The physical address of its registers, and their size in bytes as the tree states it.
    registers: PhysAddr,
    size: u64,
}

impl Device<'_> {
    /// Whether `path` leads from the root to the device. A name's address may be left out (2.2.3).
    fn is_at(&self, path: &[u8]) -> bool {
        let mut names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        // The root has no name.
        let mut nodes = [self.bus, self.node].into_iter().filter(|node| !node.name().is_empty());
        let is_next = |node: FdtNode<'_>| {
            names.next().is_some_and(|name| {
                name == node.name().as_bytes() || name == node.name_without_address().as_bytes()
            })
        };
        nodes.all(is_next) && names.next().is_none()
    }
}

/// The iterator of [`DeviceTree::memory_regions`].
#[derive(Clone, Debug)]
pub(super) struct Regions<'a> {
    tree: Fdt<'a>,
    stage: Stage,
    /// The node whose children `nodes` goes through.
    parent: FdtNode<'a>,
    nodes: <FdtNode<'a> as Node>::Children<'a>,
    /// The regions of the current child, or of the header's list, that are left.
    rest: &'a [u8],
}

/// The part of a tree that [`Regions`] is in.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// In the memory nodes.
    Memory,
    /// Below `/reserved-memory`.
    Reserved,
    /// In the header's list.
    List,
}

impl Iterator for Regions<'_> {
    type Item = MemoryMapEntry;

    fn next(&mut self) -> Option<MemoryMapEntry> {
        loop {
            let kind = match self.stage {
                Stage::Memory => MemoryKind::Usable,
                Stage::Reserved | Stage::List => MemoryKind::Reserved,
            };
            let region = match self.stage {
                Stage::List => Some(take_pair(8, 8, &mut self.rest)?),
                _ => take_region(self.parent, &mut self.rest),
            };
            match (region, self.stage) {
                (Some((0, 0)), Stage::List) => return None,
                (Some((base, length)), _) => return Some(MemoryMapEntry { base, length, kind }),
                (None, _) => self.advance(),
            }
        }
    }
}

impl Regions<'_> {
    /// Goes on to the next child with regions, or to the next stage.
    fn advance(&mut self) {
        let is_memory =
            |node: &FdtNode<'_>| node.name_without_address() == "memory" && is_used(*node);
        let takes_all = matches!(self.stage, Stage::Reserved);
        self.rest = &[];
        if let Some(node) = self.nodes.find(|node| takes_all || is_memory(node)) {
            self.rest = property(node, "reg").unwrap_or_default();
        } else if let (Stage::Memory, Some(parent)) =
            (self.stage, self.tree.find_node("/reserved-memory"))
        {
            (self.stage, self.parent, self.nodes) = (Stage::Reserved, parent, parent.children());
        } else {
            let data = self.tree.data();
            let at = data.get(LIST_AT..LIST_AT + 4).and_then(word).unwrap_or(0);
            (self.stage, self.rest) = (Stage::List, data.get(at as usize..).unwrap_or_default());
        }
    }
}

/// Takes the next region from `rest`, the value of the property `reg` of a child of `parent`. The parent states how
/// many words an address and a size have (2.3.5 and 2.3.6).
fn take_region(parent: FdtNode<'_>, rest: &mut &[u8]) -> Option<(u64, u64)> {
    let words = |name, default| number(parent, name).unwrap_or(default);
    let bytes = |name, default| words(name, default).saturating_mul(4) as usize;
    take_pair(bytes("#address-cells", 2), bytes("#size-cells", 1), rest)
}

/// Takes the next two numbers from `rest`: one of `first` bytes, and one of `second` bytes.
fn take_pair(first: usize, second: usize, rest: &mut &[u8]) -> Option<(u64, u64)> {
    let (base, after) = rest.split_at_checked(first)?;
    let (length, after) = after.split_at_checked(second)?;
    *rest = after;
    Some((word(base)?, word(length)?))
}

/// Whether the node is in use (2.3.4).
fn is_used(node: FdtNode<'_>) -> bool {
    property(node, "status").is_none_or(|status| status.starts_with(b"ok"))
}

/// Whether one of the names in the device's `compatible` (2.3.1) begins with `binding`.
fn follows(node: FdtNode<'_>, binding: &str) -> bool {
    let names = property(node, "compatible").unwrap_or_default();
    names.split(is_end).any(|name| name.starts_with(binding.as_bytes()))
}

/// Whether `byte` ends a name in a list, or a path.
fn is_end(byte: &u8) -> bool {
    matches!(byte, 0 | b':')
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
