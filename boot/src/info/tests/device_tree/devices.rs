//! Devices by their bindings: which of several is found, and which cannot be used.

use super::*;

/// A tree with RAM from 0x8000_0000 to 0x8000_2800, to which devices are added.
fn machine() -> Tree {
    Tree::new()
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
        .begin("memory")
        .cells("reg", &[0x8000_0000, 0x2800])
        .end()
}

/// The tree with a UART at `pa` that has one property more, though it may have no value of sense.
fn with_uart(tree: Tree, pa: u32, name: &str, value: &[u8]) -> Tree {
    tree.begin(&format!("serial@{pa:x}"))
        .property("compatible", b"vendor,uart\0ns16550a\0")
        .cells("reg", &[pa, 0x100])
        .property(name, value)
        .end()
}

fn found(tree: Tree, binding: &str) -> Option<u64> {
    let mut memory = tree.memory();
    let end = memory.bytes().len();
    let tree = DeviceTree::parse(AT, window(&mut memory, end)).expect("a good tree");
    tree.device(binding).map(PhysAddr::as_u64)
}

#[test]
fn by_a_name() {
    let uart = || with_uart(machine(), 0x1000_0000, "status", b"okay\0");
    for binding in ["ns16550a", "ns16550", "vendor,uart"] {
        assert_eq!(found(uart(), binding), Some(0x1000_0000), "{binding}");
    }
    for binding in ["ns16550b", "16550a", "sifive,test"] {
        assert_eq!(found(uart(), binding), None, "{binding}");
    }
}

/// The console, if `/chosen` names it; else the first.
#[test]
fn of_several() {
    let tree = |console: &[u8]| {
        let tree = machine().begin("chosen").property("stdout-path", console).end();
        let tree = with_uart(tree, 0x1000_0000, "status", b"okay\0");
        with_uart(tree, 0x2000_0000, "status", b"ok\0")
    };
    for console in [&b"/serial@20000000\0"[..], b"/serial@20000000:115200n8\0"] {
        assert_eq!(found(tree(console), "ns16550"), Some(0x2000_0000));
    }
    let others = [
        &b"/serial@30000000\0"[..],
        b"\0",
        b"serial0\0",
        b"/x/serial@20000000\0",
        b"/xserial@20000000\0",
        b"\xff\0",
    ];
    for console in others {
        assert_eq!(found(tree(console), "ns16550"), Some(0x1000_0000));
    }
}

/// A path may leave out a name's address.
#[test]
fn the_console_without_its_address() {
    let tree = |console: &[u8]| {
        let tree = machine().begin("chosen").property("stdout-path", console).end();
        let tree = with_uart(tree, 0x1000_0000, "status", b"okay\0");
        tree.begin("console@20000000")
            .property("compatible", b"ns16550a\0")
            .cells("reg", &[0x2000_0000, 0x100])
            .end()
    };
    assert_eq!(found(tree(b"/console\0"), "ns16550"), Some(0x2000_0000));
    for console in [&b"/console@\0"[..], b"/con\0", b"/console@0\0", b"/console/console\0"] {
        assert_eq!(found(tree(console), "ns16550"), Some(0x1000_0000));
    }
}

#[test]
fn the_console_by_an_alias() {
    let tree = |console: &[u8]| {
        let tree = machine().begin("chosen").property("stdout-path", console).end();
        let tree = tree.begin("aliases").property("serial7", b"/serial@20000000\0").end();
        let tree = with_uart(tree, 0x1000_0000, "status", b"okay\0");
        with_uart(tree, 0x2000_0000, "status", b"okay\0")
    };
    for console in [&b"serial7\0"[..], b"serial7:115200n8\0"] {
        assert_eq!(found(tree(console), "ns16550"), Some(0x2000_0000));
    }
    for console in [&b"serial8\0"[..], b"/serial7\0", b"serial77\0"] {
        assert_eq!(found(tree(console), "ns16550"), Some(0x1000_0000));
    }
}

#[test]
fn in_no_page_of_ram() {
    for (pa, is_found) in [
        (0x7FFF_F000, true),
        (0x7FFF_FFF8, true),
        (0x8000_0000, false),
        (0x8000_27F8, false),
        (0x8000_2800, false),
        (0x8000_2FF8, false),
        (0x8000_3000, true),
        (0x8000_3FF8, true),
    ] {
        let tree = with_uart(machine(), pa, "status", b"okay\0");
        assert_eq!(found(tree, "ns16550"), is_found.then_some(u64::from(pa)), "{pa:#x}");
    }
}

#[test]
fn of_no_use() {
    let uart = |name, value: &[u8]| with_uart(machine(), 0x1000_0000, name, value);
    assert_eq!(found(uart("reg-shift", &[0; 4]), "ns16550"), Some(0x1000_0000));
    assert_eq!(found(uart("reg-shift", &[0, 0, 0, 2]), "ns16550"), None);
    assert_eq!(found(uart("status", b"disabled\0"), "ns16550"), None);
    for pa in [0, 0x1000_0004] {
        assert_eq!(
            found(with_uart(machine(), pa, "status", b"okay\0"), "ns16550"),
            None,
            "{pa:#x}"
        );
    }
}
