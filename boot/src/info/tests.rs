//! Boot information as loaders write it, and as they should not: whatever the bytes, the parsers
//! neither panic nor read outside, and what they accept can be walked to the end.

use super::*;

/// Physical memory of a machine in a test: aligned, zeroed, and filled piece by piece.
struct Memory {
    words: Vec<u64>,
}

impl Memory {
    fn new(size: usize) -> Self {
        Self { words: vec![0; size / 8] }
    }

    fn bytes(&mut self) -> &mut [u8] {
        let len = size_of_val(&self.words[..]);
        // SAFETY: a slice of words is valid as one of bytes, and is borrowed mutably as a whole.
        unsafe { core::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), len) }
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.bytes()[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Physical memory that ends after `end` bytes.
fn window(memory: &mut Memory, end: usize) -> PhysWindow<'_> {
    PhysWindow::from_bytes(&memory.bytes()[..end])
}

/// Walks all that was accepted.
fn walk(info: &BootInfo<'_>) -> (usize, usize, usize) {
    let text = format!("{:?} {}", info.loader(), info.command_line());
    let words = info.command_line().words().map(|word| word.to_string().len()).sum::<usize>();
    (info.memory_entries().count(), info.reserved().count(), text.len() + words)
}

/// Parses, and walks what was accepted.
fn parse(
    memory: &mut Memory,
    end: usize,
    protocol: Protocol,
    at: u64,
) -> Result<(), BootInfoError> {
    let info = BootInfo::parse(protocol, at, window(memory, end))?;
    let (entries, _, _) = walk(&info);
    assert!(entries > 0, "a memory map without entries was accepted");
    assert!(entries <= end / ENTRY_BYTES, "more entries than fit in memory");
    Ok(())
}

const AT: u64 = 0x100;

const ENTRIES: [(u64, u64, u32); 3] =
    [(0, 0x9_FC00, 1), (0xF_0000, 0x1_0000, 2), (0x10_0000, 0x700_0000, 1)];

fn entry((base, length, kind): (u64, u64, u32)) -> Vec<u8> {
    let words = [base.to_le_bytes(), length.to_le_bytes(), u64::from(kind).to_le_bytes()];
    words.concat()
}

fn expected_entries() -> [MemoryMapEntry; 3] {
    ENTRIES.map(|(base, length, kind)| MemoryMapEntry {
        base,
        length,
        kind: if kind == 1 { MemoryKind::Usable } else { MemoryKind::Reserved },
    })
}

/// A multiboot2 tag, padded to 8 bytes.
fn tag(kind: u32, payload: &[u8]) -> Vec<u8> {
    let size = 8 + payload.len() as u32;
    let mut tag = [kind.to_le_bytes(), size.to_le_bytes()].concat();
    tag.extend_from_slice(payload);
    tag.resize(tag.len().next_multiple_of(8), 0);
    tag
}

fn memory_map_tag(stride: u32, entries: &[u8]) -> Vec<u8> {
    tag(6, &[&stride.to_le_bytes()[..], &[0; 4], entries].concat())
}

/// Multiboot2 boot information of these tags, and an end tag.
fn multiboot2(tags: &[Vec<u8>]) -> Memory {
    let mut bytes = tags.concat();
    bytes.extend(tag(0, &[]));
    let total_size = 8 + bytes.len() as u32;
    let mut memory = Memory::new(0x1000);
    memory.write(AT as usize, &u64::from(total_size).to_le_bytes());
    memory.write(AT as usize + 8, &bytes);
    memory
}

/// What GRUB writes, on the whole.
fn grub() -> Memory {
    multiboot2(&[
        tag(1, b"test=panic now\0"),
        tag(2, b"GRUB 2.06\0"),
        tag(
            3,
            &[&0x20_0000u32.to_le_bytes()[..], &0x20_1234u32.to_le_bytes(), b"module\0"].concat(),
        ),
        tag(4, &[0; 8]),
        memory_map_tag(24, &ENTRIES.map(entry).concat()),
    ])
}

/// Bytes of memory that `grub` uses.
const GRUB_END: usize = AT as usize + 192;

#[test]
fn multiboot2_says_it_all() {
    let mut memory = grub();
    let info = BootInfo::parse(Protocol::Multiboot2, AT, window(&mut memory, GRUB_END)).unwrap();
    assert_eq!(info.protocol(), Protocol::Multiboot2);
    assert_eq!(info.loader().unwrap().to_string(), "GRUB 2.06");
    assert_eq!(info.command_line().as_bytes(), b"test=panic now");
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
    assert!(info.command_line().is_empty() && info.loader().is_none());
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

const MODULES_AT: usize = 0x180;
const MEMORY_MAP_AT: usize = 0x1C0;
const COMMAND_LINE_AT: usize = 0x240;
/// Bytes of memory that `qemu` uses.
const QEMU_END: usize = COMMAND_LINE_AT + 11;

/// What QEMU writes, on the whole.
fn qemu() -> Memory {
    let mut memory = Memory::new(0x1000);
    let info = [
        &START_INFO_MAGIC.to_le_bytes()[..],
        &1u32.to_le_bytes(), // version
        &0u32.to_le_bytes(), // flags
        &1u32.to_le_bytes(), // modules
        &(MODULES_AT as u64).to_le_bytes(),
        &(COMMAND_LINE_AT as u64).to_le_bytes(),
        &0xF_0000u64.to_le_bytes(), // RSDP
        &(MEMORY_MAP_AT as u64).to_le_bytes(),
        &3u32.to_le_bytes(), // entries
        &0u32.to_le_bytes(),
    ];
    memory.write(AT as usize, &info.concat());
    memory.write(MODULES_AT, &[0x20_0000u64.to_le_bytes(), 0x1234u64.to_le_bytes()].concat());
    memory.write(MEMORY_MAP_AT, &ENTRIES.map(entry).concat());
    memory.write(COMMAND_LINE_AT, b"test=panic\0");
    memory
}

#[test]
fn pvh_says_it_all() {
    let mut memory = qemu();
    let info = BootInfo::parse(Protocol::Pvh, AT, window(&mut memory, QEMU_END)).unwrap();
    assert_eq!(info.protocol(), Protocol::Pvh);
    assert_eq!(info.loader(), None);
    assert_eq!(info.command_line().as_bytes(), b"test=panic");
    assert!(info.memory_entries().eq(expected_entries()));
    assert!(info.reserved().eq([
        Reserved::new("boot information", AT, 56),
        Reserved::new("PVH memory map", MEMORY_MAP_AT as u64, 72),
        Reserved::new("PVH module list", MODULES_AT as u64, 32),
        Reserved::new("PVH command line", COMMAND_LINE_AT as u64, 11),
        Reserved::new("module", 0x20_0000, 0x1234),
    ]));
}

/// What comes of `qemu` when `bytes` stand at `offset` of its start info.
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
    assert!(info.command_line().is_empty());
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

/// The kernel lies in the middle of physical memory: nothing of it is read, and what lies around it
/// is.
#[test]
fn a_loader_that_points_into_the_kernel_is_refused() {
    let mut memory = qemu();
    memory.bytes()[0x300..0x400].fill(b'!');
    let kernel = PhysRange::from_size(PhysAddr::new(0x300), 0x100);
    let size = memory.bytes().len() as u64;
    // SAFETY: the memory is borrowed for as long as the window is used.
    let window = unsafe { PhysWindow::new(memory.bytes().as_ptr(), size, kernel) };
    let bytes = |at, size| window.bytes("it", at, size).map(<[u8]>::len);
    let refused = |at, size| Err(BootInfoError::InKernel { what: "it", at, size });
    assert_eq!(bytes(0x2F8, 8), Ok(8));
    assert_eq!(bytes(0x2F8, 9), refused(0x2F8, 9));
    assert_eq!(bytes(0x3FF, 1), refused(0x3FF, 1));
    assert_eq!(bytes(0, 0x1000), refused(0, 0x1000));
    assert_eq!(bytes(0x400, 0xC00), Ok(0xC00));

    let string = |at| window.string("it", at);
    assert_eq!(string(COMMAND_LINE_AT as u64), Ok(&b"test=panic"[..]));
    assert_eq!(string(0x400), Ok(&[][..]));
    assert_eq!(string(0x340), Err(BootInfoError::InKernel { what: "it", at: 0x340, size: 1 }));
    assert!(BootInfo::parse(Protocol::Pvh, AT, window).is_ok());
    let in_kernel = BootInfo::parse(Protocol::Pvh, 0x380, window).unwrap_err();
    assert_eq!(
        in_kernel.to_string(),
        "the boot information at 0x380 (40 bytes) lies in the kernel's own memory; use another loader"
    );
}

/// A text that ends nowhere before the kernel is none.
#[test]
fn a_text_ends_before_the_kernel() {
    let mut memory = Memory::new(0x20);
    memory.bytes()[..0x10].fill(b'!');
    let kernel = PhysRange::from_size(PhysAddr::new(0x10), 8);
    // SAFETY: the memory is borrowed for as long as the window is used.
    let window = unsafe { PhysWindow::new(memory.bytes().as_ptr(), 0x20, kernel) };
    let truncated = Err(BootInfoError::Truncated { what: "it", at: 4 });
    assert_eq!(window.string("it", 4), truncated);
}

/// The bytes behind a text are somebody else's, who writes there: Miri sees a reference that covers them.
#[test]
fn a_text_leaves_alone_what_lies_behind_it() {
    let mut memory = *b"text\0 and more";
    let base = memory.as_mut_ptr();
    // SAFETY: all of it can be read, and nobody writes to the text.
    let window = unsafe { PhysWindow::new(base, 14, PhysRange::from_size(PhysAddr::new(0), 0)) };
    // SAFETY: nothing else leads to these bytes.
    let behind = unsafe { &mut *base.add(5).cast::<[u8; 9]>() };
    let text = window.string("it", 0);
    behind[0] = b'!';
    assert_eq!(text, Ok(&b"text"[..]));
}

/// Information that ends early, at every byte, and information that says that it does.
#[test]
fn any_truncation_is_refused_or_harmless() {
    for end in AT as usize..GRUB_END {
        let result = parse(&mut grub(), end, Protocol::Multiboot2, AT);
        assert!(matches!(result, Err(BootInfoError::OutsideWindow { .. })), "{end:#x}: {result:?}");
        let mut memory = grub();
        memory.write(AT as usize, &(end as u32 - AT as u32).to_le_bytes());
        assert!(parse(&mut memory, GRUB_END, Protocol::Multiboot2, AT).is_err(), "{end:#x}");
    }
    for end in AT as usize..QEMU_END {
        assert!(parse(&mut qemu(), end, Protocol::Pvh, AT).is_err(), "{end:#x}");
    }
}

#[test]
fn any_flipped_bit_is_refused_or_harmless() {
    for (good, end, protocol) in
        [(grub(), GRUB_END, Protocol::Multiboot2), (qemu(), QEMU_END, Protocol::Pvh)]
    {
        for bit in (AT as usize * 8..end * 8).step_by(if cfg!(miri) { 67 } else { 1 }) {
            let mut memory = Memory { words: good.words.clone() };
            memory.bytes()[bit / 8] ^= 1 << (bit % 8);
            // Either way is right; not to get here would be wrong.
            let _ = parse(&mut memory, end, protocol, AT);
        }
    }
}

/// Words that mean something in the wrong place, at random.
#[test]
fn any_garbage_is_refused_or_harmless() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    let rounds = if cfg!(miri) { 50 } else { 20_000 };
    for round in 0..rounds {
        let (mut memory, end, protocol) = match round % 2 {
            0 => (grub(), GRUB_END, Protocol::Multiboot2),
            _ => (qemu(), QEMU_END, Protocol::Pvh),
        };
        for _ in 0..=random(8) {
            let at = AT as usize + random((end - AT as usize) as u64 / 4) as usize * 4;
            let value = match random(4) {
                0 => random(64) as u32,
                1 => u32::MAX - random(64) as u32,
                2 => 1 << random(32),
                _ => random(1 << 32) as u32,
            };
            memory.write(at, &value.to_le_bytes());
        }
        let _ = parse(&mut memory, end, protocol, AT);
    }
}

#[test]
fn text_is_shown_without_harm() {
    let text = Text::new(b"a\tb\x1b[2J \xff\xc3\xa4\xc2\x9b2J\0hidden");
    assert_eq!(text.to_string(), "a\\tb\\u{1b}[2J \u{FFFD}ä\\u{9b}2J");
    let words: Vec<_> = Text::new(b"  one\ttwo \n three ").words().map(|w| w.to_string()).collect();
    assert_eq!(words, ["one", "two", "three"]);
    assert_eq!(Text::new(b"").words().count(), 0);
}

#[test]
fn errors_name_cause_and_remedy() {
    let error = BootInfoError::OutsideWindow {
        what: "boot information",
        at: 0x1_2345_6000,
        size: 8,
        window: 256 << 20,
    };
    assert_eq!(
        error.to_string(),
        "the boot information at 0x123456000 (8 bytes) lies outside the 256 MB of physical memory \
         that the entry page tables show; use a loader that puts it lower"
    );
}
