//! Device trees: as QEMU's firmware passes them, of odd shapes, and damaged.

use super::*;

// Not under Miri, where each takes half a minute: what is unsafe in reading a tree, the tests of this file run.
#[cfg(not(miri))]
mod devices;
#[cfg(not(miri))]
mod wire;

/// A tree under construction: the structure block and the strings block.
#[derive(Default)]
struct Tree {
    structure: Vec<u8>,
    strings: Vec<u8>,
    reserved: Vec<u8>,
}

impl Tree {
    fn new() -> Self {
        Self::default().begin("")
    }

    fn words(mut self, words: &[u32]) -> Self {
        self.structure.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        self
    }

    fn padded(mut self, bytes: &[u8]) -> Self {
        self.structure.extend(bytes);
        self.structure.resize(self.structure.len().next_multiple_of(4), 0);
        self
    }

    fn begin(self, name: &str) -> Self {
        self.words(&[1]).padded(format!("{name}\0").as_bytes())
    }

    fn end(self) -> Self {
        self.words(&[2])
    }

    fn property(mut self, name: &str, value: &[u8]) -> Self {
        let offset = self.strings.len() as u32;
        self.strings.extend(format!("{name}\0").as_bytes());
        self.words(&[3, value.len() as u32, offset]).padded(value)
    }

    fn cells(self, name: &str, cells: &[u32]) -> Self {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.property(name, &bytes)
    }

    /// Adds an entry to the header's list of reserved memory.
    fn reserve(mut self, base: u64, length: u64) -> Self {
        self.reserved.extend([base, length].iter().flat_map(|word| word.to_be_bytes()));
        self
    }

    /// The root's end, and the whole tree in memory at [`AT`].
    fn memory(self) -> Memory {
        let this = self.end().words(&[9]);
        let reserved = [&this.reserved[..], &[0; 16]].concat();
        let structure_at = 40 + reserved.len() as u32;
        let strings_at = structure_at + this.structure.len() as u32;
        let size = strings_at + this.strings.len() as u32;
        let header = [
            DEVICE_TREE_MAGIC,
            size,
            structure_at,
            strings_at,
            40,
            17,
            16,
            0,
            this.strings.len() as u32,
            this.structure.len() as u32,
        ];
        let mut memory = Memory::new((AT as usize + size as usize).next_multiple_of(0x1000));
        let header: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
        memory
            .write(AT as usize, &[&header[..], &reserved, &this.structure, &this.strings].concat());
        memory
    }
}

/// A tree with the parts that a kernel uses, as QEMU and OpenSBI make it.
fn virt() -> Tree {
    Tree::new()
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .begin("reserved-memory")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .begin("mmode_resv0@80000000")
        .cells("reg", &[0, 0x8000_0000, 0, 0x8_0000])
        .end()
        .begin("pool")
        .cells("size", &[0, 0x1000])
        .end()
        .end()
        .begin("chosen")
        .property("bootargs", b"test=panic now\0")
        .cells("linux,initrd-start", &[0x8820_0000])
        .cells("linux,initrd-end", &[0, 0x8820_1234])
        .end()
        .begin("memory@80000000")
        .property("device_type", b"memory\0")
        .cells("reg", &[0, 0x8000_0000, 0, 0x1000_0000, 1, 0, 2, 0])
        .end()
        .begin("cpus")
        .cells("timebase-frequency", &[10_000_000])
        .begin("cpu@0")
        .property("riscv,isa", b"rv64imac\0")
        .end()
        .end()
        .begin("memory@90000000")
        .cells("reg", &[0, 0x9000_0000, 0, 0x1000])
        .end()
}

fn entry(base: u64, length: u64, kind: MemoryKind) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind }
}

fn info<'a>(memory: &'a mut Memory) -> Result<BootInfo<'a>, BootInfoError> {
    let end = memory.bytes().len();
    BootInfo::parse(Protocol::DeviceTree, AT, window(memory, end))
}

fn entries(tree: Tree) -> Vec<MemoryMapEntry> {
    info(&mut tree.memory()).expect("a good tree").memory_entries().collect()
}

#[test]
fn a_tree_as_qemus() {
    use MemoryKind::{Reserved as R, Usable as U};
    let mut memory = virt().reserve(0x8010_0000, 0x2000).memory();
    let info = info(&mut memory).expect("a good tree");
    assert_eq!(info.protocol, Protocol::DeviceTree);
    assert_eq!(info.command_line.to_string(), "test=panic now");
    assert_eq!(info.loader, None);
    assert_eq!(info.processor.map(|isa| isa.to_string()).as_deref(), Some("rv64imac"));
    let expected = [
        entry(0x8000_0000, 0x1000_0000, U),
        entry(1 << 32, 2 << 32, U),
        entry(0x9000_0000, 0x1000, U),
        entry(0x8000_0000, 0x8_0000, R),
        entry(0x8010_0000, 0x2000, R),
    ];
    assert!(info.memory_entries().eq(expected), "{:x?}", info.memory_entries());
    let parts: Vec<_> =
        info.reserved().map(|part| (part.name, part.range.start.as_u64())).collect();
    assert_eq!(parts, [("device tree", AT), ("initrd", 0x8820_0000)]);
    let [tree, initrd] = [0, 1].map(|i| info.reserved().nth(i).expect("two").range.size());
    assert!(tree > 40 && tree < 0x1000 - AT);
    assert_eq!(initrd, 0x1234);
}

/// Numbers have the widths that the parent states; 2 and 1 words if it states none.
#[test]
fn widths() {
    let reg = [0x8000_0000, 0x100_0000];
    let region = |a: u32, s: u32, cells: &[u32]| {
        let root = Tree::new().cells("#address-cells", &[a]).cells("#size-cells", &[s]);
        entries(root.begin("memory").cells("reg", cells).end())
    };
    let expected = [entry(reg[0].into(), reg[1].into(), MemoryKind::Usable)];
    assert_eq!(region(1, 1, &reg), expected);
    assert_eq!(region(2, 1, &[0, reg[0], reg[1]]), expected);
    // A rest that is no region is left out.
    assert_eq!(region(2, 2, &[0, reg[0], 0, reg[1], 0, 7]), expected);
    let tree = Tree::new().begin("memory").cells("reg", &[0, reg[0], reg[1]]).end();
    assert_eq!(entries(tree), expected);
}

#[test]
#[cfg_attr(miri, ignore = "ten minutes, for no unsafe code that others do not run")]
fn three_hundred_regions() {
    let mut tree = Tree::new().cells("#address-cells", &[1]).cells("#size-cells", &[1]);
    for i in 0..300 {
        tree = tree.begin(&format!("memory@{i:x}")).cells("reg", &[i << 16, 0x1000]).end();
    }
    let found = entries(tree);
    assert_eq!(found.len(), 300);
    let is_there = |(i, found): (usize, &MemoryMapEntry)| {
        *found == entry((i as u64) << 16, 0x1000, MemoryKind::Usable)
    };
    assert!(found.iter().enumerate().all(is_there), "{found:x?}");
}

/// RAM that the firmware keeps out of use is none of the kernel's.
#[test]
fn memory_out_of_use() {
    let tree = |status: &[u8]| {
        let first = Tree::new().begin("memory@80000000").cells("reg", &[0, 0x8000_0000, 0x10_0000]);
        let second = first.end().begin("memory@90000000").property("status", status);
        second.cells("reg", &[0, 0x9000_0000, 0x10_0000]).end()
    };
    for (status, regions) in [
        (&b"okay\0"[..], 2),
        (b"ok\0", 2),
        (b"disabled\0", 1),
        (b"reserved\0", 1),
        (b"fail-ecc\0", 1),
        (b"", 1),
    ] {
        assert_eq!(entries(tree(status)).len(), regions, "{status:?}");
    }
}

/// A tree without a region of RAM, whatever else is in it.
#[test]
fn no_memory() {
    let no_memory = Err(BootInfoError::NoMemoryNode { at: AT });
    let root = |a, s| Tree::new().cells("#address-cells", &[a]).cells("#size-cells", &[s]);
    let memory = |root: Tree| root.begin("memory").cells("reg", &[0, 0, 0, 1]).end();
    for tree in [
        Tree::new(),
        Tree::new().begin("memory").end(),
        memory(Tree::new().begin("soc")).end(), // not at the root
        memory(root(0, 1)),
        memory(root(1, 0)),
        memory(root(3, 1)),
        memory(root(u32::MAX, u32::MAX)),
        memory(Tree::new().property("#address-cells", &[0xFF; 8])),
        Tree::new().reserve(0, 1),
    ] {
        assert_eq!(info(&mut tree.memory()).map(|_| ()), no_memory);
    }
}

/// Properties that make no sense are as if they were missing.
#[test]
fn senseless_properties() {
    let tree = |chosen: fn(Tree) -> Tree| {
        chosen(Tree::new().begin("memory").cells("reg", &[0, 0, 1]).end().begin("chosen")).end()
    };
    for (chosen, parts) in [
        ((|tree| tree) as fn(Tree) -> Tree, 1),
        (|tree| tree.cells("linux,initrd-start", &[1]), 1),
        (|tree| tree.cells("linux,initrd-end", &[1]), 1),
        (|tree| tree.cells("linux,initrd-start", &[2]).cells("linux,initrd-end", &[1]), 1),
        (|tree| tree.property("linux,initrd-start", b"abc").cells("linux,initrd-end", &[1]), 1),
        (
            |tree| tree.cells("linux,initrd-start", &[1]).cells("linux,initrd-end", &[u32::MAX; 2]),
            2,
        ),
        (|tree| tree.cells("bootargs", &[]), 1),
    ] {
        let mut memory = tree(chosen).memory();
        let info = info(&mut memory).expect("a good tree");
        assert_eq!(info.reserved().count(), parts);
        assert!(info.command_line.is_empty() && info.processor.is_none());
    }
}

/// The address must be aligned, and the magic and the whole size lie in the window.
#[test]
fn headers() {
    let parse = |memory: &mut Memory, at, end| {
        BootInfo::parse(Protocol::DeviceTree, at, window(memory, end)).map(|_| ())
    };
    let what = "device tree";
    let mut memory = virt().memory();
    let all = memory.bytes().len();
    let size =
        u64::from(u32::from_be_bytes(memory.bytes()[0x104..0x108].try_into().expect("four")));
    assert_eq!(parse(&mut memory, AT, AT as usize + size as usize), Ok(()));
    assert_eq!(
        parse(&mut memory, AT, (AT + size - 1) as usize),
        Err(BootInfoError::OutsideWindow { what, at: AT, size, window: AT + size - 1 })
    );
    assert_eq!(
        parse(&mut memory, AT + 4, all),
        Err(BootInfoError::Misaligned { what, at: AT + 4 })
    );
    assert_eq!(
        parse(&mut memory, AT + 8, all).map_err(|error| error.to_string().contains("invalid")),
        Err(true)
    );
    // Firmware leaves room at the end for nodes of its own.
    memory.write(AT as usize + 4, &(size as u32 + 8).to_be_bytes());
    assert_eq!(parse(&mut memory, AT, all), Ok(()));
    // A size that is too small.
    for lie in [0, 7, 39, 40, size as u32 - 4] {
        memory.write(AT as usize + 4, &lie.to_be_bytes());
        let damaged = Err(BootInfoError::Truncated { what, at: AT });
        assert_eq!(parse(&mut memory, AT, all), damaged, "{lie}");
    }
}

/// Whatever byte of a tree is wrong: it is refused, or can be read to its end.
#[test]
fn any_byte_may_be_wrong() {
    let mut memory = virt().reserve(0x1000, 0x1000).memory();
    let end = memory.bytes().len();
    let (mut accepted, mut refused) = (0, 0);
    // Miri takes a quarter of a minute for each byte.
    let step = if cfg!(miri) { 1021 } else { 1 };
    for at in (AT as usize..end).step_by(step) {
        let good = memory.bytes()[at];
        for bad in [0, 1, 0x7F, 0x80, 0xFF, good ^ 4] {
            memory.bytes()[at] = bad;
            match BootInfo::parse(Protocol::DeviceTree, AT, window(&mut memory, end)) {
                Ok(info) => {
                    walk(&info);
                    accepted += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
        memory.bytes()[at] = good;
    }
    assert!(accepted > 0 && refused > 0);
}
