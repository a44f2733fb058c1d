//! Multiboot2 information: every part is found, and every error names its cause.

use super::*;

#[test]
fn multiboot2_says_it_all() {
    let mut memory = grub();
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, GRUB_END)).unwrap();
    assert_eq!(info.protocol, Protocol::Multiboot2);
    assert_eq!(info.loader.unwrap().to_string(), "GRUB 2.06");
    assert_eq!(info.command_line.as_bytes(), b"test=panic now");
    assert!(info.memory_entries().eq(expected_entries()));
    assert!(info.reserved().eq([
        Reserved::new("boot information", AT, GRUB_END as u64 - AT),
        Reserved::new("module", 0x20_0000, 0x1234),
    ]));
}

#[test]
fn multiboot2_entries_may_be_longer() {
    let entries = ENTRIES.map(|e| [entry(e), vec![0xFF; 8]].concat()).concat();
    let mut memory = multiboot2(&[memory_map_tag(32, &entries)]);
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, 0x1000)).unwrap();
    assert!(info.memory_entries().eq(expected_entries()));
    assert!(info.command_line.is_empty() && info.loader.is_none());
}

#[test]
fn multiboot2_counts_the_first_of_two_memory_maps() {
    let maps = [&ENTRIES[..], &ENTRIES[..1]].map(|map| map.iter().copied().flat_map(entry));
    let mut memory = multiboot2(&maps.map(|map| memory_map_tag(24, &map.collect::<Vec<_>>())));
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, 0x1000)).unwrap();
    assert!(info.memory_entries().eq(expected_entries()));
}

#[test]
fn memory_of_type_1_alone_is_usable() {
    let kinds = [0, 1, 2, 3, 4, 5, 6, 7, 12, 20, 0x101, u32::MAX];
    let map = kinds.map(|kind| entry((0, 0x1000, kind))).concat();
    let mut memory = multiboot2(&[memory_map_tag(24, &map)]);
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, 0x1000)).unwrap();
    let usable = info.memory_entries().map(|entry| entry.kind == MemoryKind::Usable);
    assert!(usable.eq(kinds.map(|kind| kind == 1)));
}

#[test]
fn multiboot2_that_cannot_be_used_says_why() {
    let parse = |mut memory: Memory, at| parse(&mut memory, 0x1000, Protocol::Multiboot2, at);
    let map = |stride, bytes: &[u8]| parse(multiboot2(&[memory_map_tag(stride, bytes)]), AT);

    let window = 0x1000;
    let what = "boot information";
    assert_eq!(
        parse(grub(), 0x2000),
        Err(BootInfoError::OutsideWindow { what, at: 0x2000, size: 8, window })
    );
    assert_eq!(
        parse(grub(), !7),
        Err(BootInfoError::OutsideWindow { what, at: !7, size: 8, window })
    );
    assert_eq!(parse(grub(), AT + 4), Err(BootInfoError::Misaligned { what, at: AT + 4 }));
    for total_size in 0..8u64 {
        let mut memory = Memory::new(0x1000);
        memory.write(AT as usize, &total_size.to_le_bytes());
        assert_eq!(parse(memory, AT), Err(BootInfoError::Truncated { what, at: AT }));
    }
    assert_eq!(parse(multiboot2(&[]), AT), Err(BootInfoError::NoMemoryMap { at: AT }));
    assert_eq!(map(24, &[]), Err(BootInfoError::NoMemoryMap { at: AT }));

    let (what, at) = ("multiboot2 memory map", AT + 8);
    assert_eq!(map(0, &[0; 24]), Err(BootInfoError::Invalid { what, at, value: 0 }));
    assert_eq!(map(20, &[0; 40]), Err(BootInfoError::Invalid { what, at, value: 20 }));
    assert_eq!(map(!7, &[0; 24]), Err(BootInfoError::Truncated { what, at }));
    assert_eq!(map(24, &[0; 30]), Err(BootInfoError::Truncated { what, at }));
    assert_eq!(
        parse(multiboot2(&[tag(6, &[0; 4])]), AT),
        Err(BootInfoError::Truncated { what, at })
    );
    assert_eq!(
        parse(multiboot2(&[tag(3, &[0; 4])]), AT),
        Err(BootInfoError::Truncated { what: "multiboot2 module tag", at })
    );
}

#[test]
fn a_module_that_ends_before_it_starts_is_empty() {
    let module = [0x3000u32.to_le_bytes(), 0x1000u32.to_le_bytes()].concat();
    let map = memory_map_tag(24, &entry(ENTRIES[0]));
    let mut memory = multiboot2(&[tag(3, &module), map]);
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, 0x1000)).unwrap();
    assert!(info.reserved().nth(1).unwrap().range.is_empty());
}

/// A module tag.
fn module(start: u32, end: u32) -> Vec<u8> {
    tag(3, &[&start.to_le_bytes()[..], &end.to_le_bytes(), b"name\0"].concat())
}

#[test]
fn all_modules_are_reserved_in_order() {
    let map = memory_map_tag(24, &entry(ENTRIES[0]));
    let ranges = [(0x20_0000, 0x20_1000), (0xFFFF_F000, u32::MAX), (0, 0), (0x1000, 0x1001)];
    let mut tags = ranges.map(|(start, end)| module(start, end)).to_vec();
    tags.insert(2, map);
    let mut memory = multiboot2(&tags);
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, 0x1000)).unwrap();
    let modules =
        ranges.map(|(start, end)| Reserved::new("module", start.into(), (end - start).into()));
    assert!(info.reserved().skip(1).eq(modules));
    assert_eq!(info.reserved().next().unwrap().name, "boot information");
}

/// The first of two texts counts; one need not end with a NUL.
#[test]
fn texts() {
    let map = memory_map_tag(24, &entry(ENTRIES[0]));
    let lines = [tag(1, b"one"), tag(2, b"GRUB"), tag(1, b"two\0"), tag(2, b"other\0"), map];
    let mut memory = multiboot2(&lines);
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, 0x1000)).unwrap();
    assert_eq!(info.command_line.as_bytes(), b"one");
    assert_eq!(info.loader.unwrap().as_bytes(), b"GRUB");
    assert_eq!(
        format!("{info:?}"),
        "BootInfo { protocol: Multiboot2, command_line: \"one\", loader: Some(\"GRUB\"), \
         processor: None, parsed: Multiboot2(Multiboot2 { at: 256, .. }) }"
    );
}

/// An error names the address of its tag, wherever that is.
#[test]
fn the_address_of_a_tag() {
    let parse = |tags: &[Vec<u8>]| parse(&mut multiboot2(tags), 0x1000, Protocol::Multiboot2, AT);
    let map = memory_map_tag(24, &entry(ENTRIES[0]));
    let short = |length: usize| tag(3, &[0; 8][..length]);
    let what = "multiboot2 module tag";
    // The information's 8 bytes; a tag of 8 + 5 bytes, padded; one of 8 + 8 + 24 bytes.
    let before = [tag(1, b"abcd\0"), map];
    for length in 0..8 {
        let tags = [&before[..], &[short(length)]].concat();
        assert_eq!(parse(&tags), Err(BootInfoError::Truncated { what, at: AT + 8 + 16 + 40 }));
    }
    assert_eq!(parse(&[&before[..], &[short(8)]].concat()), Ok(()));
    let (what, at) = ("multiboot2 memory map", AT + 8 + 16);
    let bad = memory_map_tag(16, &[0; 48]);
    assert_eq!(
        parse(&[before[0].clone(), bad]),
        Err(BootInfoError::Invalid { what, at, value: 16 })
    );
}

#[test]
fn sizes_of_entries() {
    let what = "multiboot2 memory map";
    for (size, bytes, wanted) in [
        (16, 48, Err(BootInfoError::Invalid { what, at: AT + 8, value: 16 })),
        (23, 23, Err(BootInfoError::Invalid { what, at: AT + 8, value: 23 })),
        (24, 24, Ok(())),
        (24, 23, Err(BootInfoError::Truncated { what, at: AT + 8 })),
        (28, 28, Err(BootInfoError::Invalid { what, at: AT + 8, value: 28 })),
        (32, 64, Ok(())),
        (32, 72, Err(BootInfoError::Truncated { what, at: AT + 8 })),
    ] {
        let mut memory = multiboot2(&[memory_map_tag(size, &vec![0; bytes])]);
        assert_eq!(parse(&mut memory, 0x1000, Protocol::Multiboot2, AT), wanted, "{size}, {bytes}");
    }
}
