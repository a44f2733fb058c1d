//! PVH information: every part is found, and every error names its cause.

use super::*;

#[test]
fn pvh_says_it_all() {
    let mut memory = qemu();
    let info = BootInfo::parse(Protocol::Pvh, AT, window(&mut memory, QEMU_END)).unwrap();
    assert_eq!(info.protocol, Protocol::Pvh);
    assert_eq!(info.loader, None);
    assert_eq!(info.command_line.as_bytes(), b"test=panic");
    assert!(info.memory_entries().eq(expected_entries()));
    assert!(info.reserved().eq([
        Reserved::new("boot information", AT, 56),
        Reserved::new("PVH memory map", MEMORY_MAP_AT as u64, 72),
        Reserved::new("PVH module list", MODULES_AT as u64, 32),
        Reserved::new("PVH command line", COMMAND_LINE_AT as u64, 11),
        Reserved::new("module", 0x20_0000, 0x1234),
    ]));
}

/// Parses `qemu`'s information with `bytes` at `offset` of its start info.
fn pvh_with(offset: usize, bytes: &[u8]) -> Result<(), BootInfoError> {
    let mut memory = qemu();
    memory.write(AT as usize + offset, bytes);
    parse(&mut memory, QEMU_END, Protocol::Pvh, AT)
}

#[test]
fn pvh_that_cannot_be_used_says_why() {
    let window = QEMU_END as u64;
    let outside = |what, at, size| Err(BootInfoError::OutsideWindow { what, at, size, window });

    let info = "boot information";
    assert_eq!(
        pvh_with(0, &[0]),
        Err(BootInfoError::Invalid { what: info, at: AT, value: 0x336E_C500 })
    );
    assert_eq!(parse(&mut qemu(), QEMU_END, Protocol::Pvh, !0), outside(info, !0, 40));
    // Version 0 has no memory map; nor has an address of 0, nor a count of 0.
    assert_eq!(pvh_with(4, &[0]), Err(BootInfoError::NoMemoryMap { at: AT }));
    assert_eq!(pvh_with(40, &[0; 8]), Err(BootInfoError::NoMemoryMap { at: AT }));
    assert_eq!(pvh_with(48, &[0; 4]), Err(BootInfoError::NoMemoryMap { at: AT }));

    let (map, most) = ("PVH memory map", u64::from(u32::MAX));
    assert_eq!(pvh_with(48, &[0xFF; 4]), outside(map, MEMORY_MAP_AT as u64, most * 24));
    assert_eq!(pvh_with(40, &[0xFF; 8]), outside(map, !0, 72));
    let modules = "PVH module list";
    assert_eq!(pvh_with(12, &[0xFF; 4]), outside(modules, MODULES_AT as u64, most * 32));
    assert_eq!(pvh_with(16, &[0xFF; 8]), outside(modules, !0, 32));
    // A list without modules may be anywhere.
    assert_eq!(pvh_with(12, &[[0; 4], [0xFF; 4], [0xFF; 4]].concat()), Ok(()));

    let line = "PVH command line";
    assert_eq!(pvh_with(24, &[0xFF; 8]), outside(line, !0, 1));
    let mut without = qemu();
    without.write(0, b"at address 0\0");
    without.write(AT as usize + 24, &[0; 8]);
    let info = BootInfo::parse(Protocol::Pvh, AT, self::window(&mut without, QEMU_END)).unwrap();
    assert!(info.command_line.is_empty());
    let mut unending = qemu();
    unending.write(QEMU_END - 1, b"!");
    assert_eq!(
        parse(&mut unending, QEMU_END, Protocol::Pvh, AT),
        Err(BootInfoError::Truncated { what: line, at: COMMAND_LINE_AT as u64 })
    );
}

#[test]
fn modules_outside_are_only_named() {
    let mut memory = qemu();
    memory.write(MODULES_AT, &[0xFF; 16]);
    let info = BootInfo::parse(Protocol::Pvh, AT, window(&mut memory, QEMU_END)).unwrap();
    let module = info.reserved().last().unwrap();
    assert_eq!((module.name, module.range.start), ("module", PhysAddr::new(!0)));
}

/// Parts that are missing are not reserved; an empty command line is one byte.
#[test]
fn missing_parts() {
    let reserved = |memory: &mut Memory| {
        let info = BootInfo::parse(Protocol::Pvh, AT, window(memory, QEMU_END)).unwrap();
        assert!(info.command_line.is_empty());
        info.reserved().collect::<Vec<_>>()
    };
    let tables = [
        Reserved::new("boot information", AT, 56),
        Reserved::new("PVH memory map", MEMORY_MAP_AT as u64, 72),
    ];
    let mut memory = qemu();
    memory.write(AT as usize + 12, &[0; 12]); // modules
    memory.write(COMMAND_LINE_AT, &[0]);
    let line = Reserved::new("PVH command line", COMMAND_LINE_AT as u64, 1);
    assert_eq!(reserved(&mut memory), [&tables[..], &[line]].concat());
    memory.write(AT as usize + 24, &[0; 8]); // command line
    assert_eq!(reserved(&mut memory), tables);
}

#[test]
fn all_modules_are_reserved_in_order() {
    let mut memory = Memory::new(0x1000);
    memory.bytes()[..QEMU_END - 3].copy_from_slice(&qemu().bytes()[..QEMU_END - 3]);
    let ranges = [(0x20_0000u64, 0x1234u64), (0, 0), (1 << 40, 1 << 30), (!0, 5)];
    let list = ranges.map(|(at, size)| [at, size, 7, 0].map(u64::to_le_bytes).concat());
    memory.write(AT as usize + 12, &4u32.to_le_bytes());
    memory.write(AT as usize + 16, &0x400u64.to_le_bytes());
    memory.write(0x400, &list.concat());
    let info = BootInfo::parse(Protocol::Pvh, AT, window(&mut memory, 0x1000)).unwrap();
    let modules = ranges.map(|(at, size)| Reserved::new("module", at, size));
    assert!(info.reserved().filter(|part| part.name == "module").eq(modules));
    assert!(info.reserved().any(|part| part == Reserved::new("PVH module list", 0x400, 4 * 32)));
}

/// Version 0 ends after 40 bytes, and version 1 after 56; later ones are as version 1.
#[test]
fn versions() {
    let parse = |version: u32, end: u64| {
        let mut memory = qemu();
        memory.write(AT as usize + 4, &version.to_le_bytes());
        parse(&mut memory, end as usize, Protocol::Pvh, AT)
    };
    let outside = |size, window| {
        let what = "boot information";
        Err(BootInfoError::OutsideWindow { what, at: AT, size, window })
    };
    assert_eq!(parse(0, AT + 39), outside(40, AT + 39));
    assert_eq!(parse(0, AT + 40), Err(BootInfoError::NoMemoryMap { at: AT }));
    assert_eq!(parse(1, AT + 55), outside(56, AT + 55));
    for version in [1, 2, u32::MAX] {
        assert_eq!(parse(version, QEMU_END as u64), Ok(()));
    }
}
