//! The way of a device's interrupt to a hart, in trees like QEMU's and in trees of which a part is missing or wrong;
//! and the rate of the harts' counter.

use super::*;

/// The parts of a machine's tree that the tests change.
#[derive(Clone, Copy)]
struct Machine<'a> {
    /// The properties of the UART, and of its bus.
    uart: &'a [(&'a str, &'a [u32])],
    bus: &'a [(&'a str, &'a [u32])],
    plic: &'a str,
    plic_at: u64,
    plic_size: u64,
    phandle: u32,
    inputs: &'a [u32],
    /// The second hart's number, and the properties of its interrupt controller.
    hart: &'a [u32],
    controller: &'a [(&'a str, &'a [u32])],
}

/// The parts as QEMU makes them, with two harts.
const VIRT: Machine<'static> = Machine {
    uart: &[("interrupts", &[10]), ("interrupt-parent", &[3])],
    bus: &[],
    plic: "sifive,plic-1.0.0\0riscv,plic0\0",
    plic_at: 0xC00_0000,
    plic_size: 0x60_0000,
    phandle: 3,
    inputs: &[2, 11, 2, 9, 4, 11, 4, 9],
    hart: &[1],
    controller: &[("phandle", &[4])],
};

/// The wire that [`VIRT`] describes.
const WIRE: Wire = Wire {
    source: 10,
    priority: PhysAddr::new(0xC00_0000 + 4 * 10),
    enables: PhysAddr::new(0xC00_2000 + 3 * 0x80),
    context: PhysAddr::new(0xC20_0000 + 3 * 0x1000),
};

/// Adds all `properties` to the node that `tree` is in.
fn with_all(tree: Tree, properties: &[(&str, &[u32])]) -> Tree {
    properties.iter().fold(tree, |tree, (name, cells)| tree.cells(name, cells))
}

/// A number of 64 bits as two cells.
fn wide(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

impl Machine<'_> {
    /// How the UART interrupts the second hart, which has the number 1.
    fn wire(&self) -> Option<Wire> {
        let tree = Tree::new()
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2])
            .begin("memory")
            .cells("reg", &[0, 0x8000_0000, 0, 0x1000_0000])
            .end()
            .begin("cpus")
            .begin("cpu@0")
            .cells("reg", &[0])
            .begin("interrupt-controller")
            .cells("phandle", &[2])
            .end()
            .end()
            .begin("cpu@1")
            .cells("reg", self.hart);
        let tree = with_all(tree.begin("interrupt-controller"), self.controller).end().end().end();
        let tree = tree.begin("soc").property("ranges", b"");
        let tree =
            with_all(tree, self.bus).cells("#address-cells", &[2]).cells("#size-cells", &[2]);
        let tree = with_all(tree.begin("serial@10000000"), self.uart)
            .property("compatible", b"ns16550a\0")
            .cells("reg", &[0, 0x1000_0000, 0, 0x100])
            .end();
        let reg = [wide(self.plic_at), wide(self.plic_size)].concat();
        let tree = tree
            .begin("plic@c000000")
            .property("compatible", self.plic.as_bytes())
            .cells("reg", &reg)
            .cells("phandle", &[self.phandle])
            .cells("interrupts-extended", self.inputs)
            .end()
            .end();
        let mut memory = tree.memory();
        let end = memory.bytes().len();
        let tree = DeviceTree::parse(AT, window(&mut memory, end)).expect("a good tree");
        tree.wire("ns16550", 1)
    }
}

#[test]
fn a_tree_like_qemus_has_the_wire() {
    assert_eq!(VIRT.wire(), Some(WIRE));
}

/// Trees that describe the same wire as [`VIRT`] in another way; then two in which the hart has the
/// first and the third context.
#[test]
fn other_trees_have_the_wire() {
    let interrupts: (&str, &[u32]) = ("interrupts", &[10]);
    let parent: (&str, &[u32]) = ("interrupt-parent", &[3]);
    for machine in [
        Machine { uart: &[interrupts], bus: &[parent], ..VIRT },
        Machine { uart: &[interrupts, parent], bus: &[("interrupt-parent", &[7])], ..VIRT },
        Machine { uart: &[("interrupts", &[10, 11]), parent], ..VIRT },
        Machine { plic: "vendor,chip-plic\0riscv,plic0\0", ..VIRT },
        Machine { hart: &[0, 1], ..VIRT },
        Machine { plic_size: 0x20_4000, ..VIRT },
    ] {
        assert_eq!(machine.wire(), Some(WIRE));
    }
    let [first, third] = [&[4, 9][..], &[2, 9, 2, 11, 4, 9, 4, 11]]
        .map(|inputs| Machine { inputs, ..VIRT }.wire().expect("a wire"));
    assert_eq!(first.context.as_u64(), 0xC20_0000);
    assert_eq!(third.enables.as_u64(), 0xC00_2100);
}

#[test]
fn damaged_trees_have_no_wire() {
    let parent: (&str, &[u32]) = ("interrupt-parent", &[3]);
    for machine in [
        Machine { uart: &[], ..VIRT },
        Machine { uart: &[parent], ..VIRT },
        Machine { uart: &[("interrupts", &[10])], ..VIRT },
        Machine { uart: &[("interrupts", &[10]), ("interrupt-parent", &[2])], ..VIRT },
        Machine { uart: &[("interrupts", &[0]), parent], ..VIRT },
        Machine { uart: &[("interrupts", &[1024]), parent], ..VIRT },
        Machine { uart: &[("interrupts", &[u32::MAX]), parent], ..VIRT },
        Machine { uart: &[("interrupts", &[]), parent], ..VIRT },
        Machine { plic: "riscv,aplic\0", ..VIRT },
        Machine { plic: "", ..VIRT },
        Machine { plic_at: 0, ..VIRT },
        Machine { plic_at: u64::MAX - 0xFFF, ..VIRT },
        Machine { plic_at: 0xC00_0004, ..VIRT },
        // The PLIC's first page lies in RAM, then the last page of it that is used.
        Machine { plic_at: 0x8000_0000, ..VIRT },
        Machine { plic_at: 0x8000_0000 - 0x20_3000, ..VIRT },
        Machine { plic_size: 0x20_3FFF, ..VIRT },
        Machine { phandle: 4, ..VIRT },
        Machine { inputs: &[], ..VIRT },
        Machine { inputs: &[2, 11, 2, 9], ..VIRT },
        Machine { inputs: &[4, 11, 4, 1], ..VIRT },
        Machine { inputs: &[11, 4, 9], ..VIRT },
        Machine { hart: &[], ..VIRT },
        Machine { hart: &[2], ..VIRT },
        Machine { hart: &[1, 1], ..VIRT },
        Machine { controller: &[], ..VIRT },
    ] {
        assert_eq!(machine.wire(), None);
    }
}

/// How many times a second the harts' counter counts.
#[test]
fn timebases() {
    let hz = |tree: Tree| {
        let mut memory = tree.memory();
        let end = memory.bytes().len();
        DeviceTree::parse(AT, window(&mut memory, end)).expect("a good tree").timebase_hz()
    };
    let without = || Tree::new().begin("memory").cells("reg", &[0, 0, 1]).end();
    let with = |cells: &[u32]| without().begin("cpus").cells("timebase-frequency", cells).end();
    assert_eq!(hz(virt()), Some(10_000_000));
    assert_eq!(hz(with(&[1, 2])), Some(1 << 32 | 2));
    for tree in [without(), with(&[]), with(&[0]), with(&[0, 0]), with(&[1, 2, 3])] {
        assert_eq!(hz(tree), None);
    }
}
