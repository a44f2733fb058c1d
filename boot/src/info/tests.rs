//! Tests of boot information, as real loaders write it and damaged. This file has the information that the tests
//! start from, and the tests of texts, errors and protocols.

use super::*;

mod damaged;
mod device_tree;
mod multiboot2;
mod pvh;
mod window;

/// Physical memory of a test's machine: aligned, and filled with zeros at first.
struct Memory {
    words: Vec<u64>,
}

impl Memory {
    fn new(size: usize) -> Self {
        Self { words: vec![0; size / 8] }
    }

    fn bytes(&mut self) -> &mut [u8] {
        let len = size_of_val(&self.words[..]);
        // SAFETY: a slice of words is a valid slice of bytes, and is borrowed mutably as a whole.
        unsafe { core::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), len) }
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.bytes()[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// The first `end` bytes of `memory`, as the parsers see physical memory.
fn window(memory: &mut Memory, end: usize) -> PhysWindow<'_> {
    PhysWindow::from_bytes(&memory.bytes()[..end])
}

/// Walks accepted information to its end. Returns how many memory entries and how many reserved regions it has, and how
/// many bytes its texts print.
fn walk(info: &BootInfo<'_>) -> (usize, usize, usize) {
    let text = format!("{:?} {}", info.loader, info.command_line);
    let words = info.command_line.words().map(|word| word.to_string().len()).sum::<usize>();
    (info.memory_entries().count(), info.reserved().count(), text.len() + words)
}

/// Parses information, and walks it if it is accepted.
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

/// Multiboot2 boot information with these tags and an end tag.
fn multiboot2(tags: &[Vec<u8>]) -> Memory {
    let mut bytes = tags.concat();
    bytes.extend(tag(0, &[]));
    let total_size = 8 + bytes.len() as u32;
    let mut memory = Memory::new(0x1000);
    memory.write(AT as usize, &u64::from(total_size).to_le_bytes());
    memory.write(AT as usize + 8, &bytes);
    memory
}

/// Boot information like GRUB's.
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

/// The end of the memory that `grub` uses.
const GRUB_END: usize = AT as usize + 192;

const MODULES_AT: usize = 0x180;
const MEMORY_MAP_AT: usize = 0x1C0;
const COMMAND_LINE_AT: usize = 0x240;
/// The end of the memory that `qemu` uses.
const QEMU_END: usize = COMMAND_LINE_AT + 11;

/// Boot information like QEMU's.
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
fn text_is_shown_without_harm() {
    let text = LoaderText::new(b"a\tb\x1b[2J \xff\xc3\xa4\xc2\x9b2J\0hidden");
    assert_eq!(text.to_string(), "a\\tb\\u{1b}[2J \u{FFFD}ä\\u{9b}2J");
    let words: Vec<_> =
        LoaderText::new(b"  one\ttwo \n three ").words().map(|w| w.to_string()).collect();
    assert_eq!(words, ["one", "two", "three"]);
    assert_eq!(LoaderText::new(b"").words().count(), 0);
}

#[test]
fn errors_name_cause_and_remedy() {
    let (what, at, size) = ("part", 0x1_2345_6000, 8);
    let outside = |window| BootInfoError::OutsideWindow { what, at, size, window };
    let cases = [
        (
            outside(256 << 20),
            "the part at 0x123456000 (8 bytes) lies outside the 256 MB of physical memory that the \
             entry page tables show; use a loader that puts it lower",
        ),
        (
            // The window lacks its last frame.
            outside((256 << 20) - 0x1000),
            "the part at 0x123456000 (8 bytes) lies outside the 256 MB of physical memory that the \
             entry page tables show; use a loader that puts it lower",
        ),
        (
            BootInfoError::Written { what, at, size },
            "the part at 0x123456000 (8 bytes) lies in memory that the kernel writes to; use another loader",
        ),
        (
            BootInfoError::Misaligned { what, at: 12 },
            "the part at 0xc is not aligned to 8 bytes; use another loader",
        ),
        (
            BootInfoError::Truncated { what, at: 8 },
            "the part at 0x8 is truncated or damaged; use another loader",
        ),
        (
            BootInfoError::Invalid { what, at: 8, value: 20 },
            "the part at 0x8 is invalid (0x14); use another loader",
        ),
        (
            BootInfoError::NoMemoryMap { at: 8 },
            "the boot information at 0x8 has no memory map; use a loader that gives one (multiboot2 \
             tag 6, or PVH version 1)",
        ),
        (
            BootInfoError::NoMemoryNode { at: 8 },
            "the device tree at 0x8 has no memory (a node memory with a region)",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn protocols() {
    for (magic, protocol, name) in [
        (0x36D7_6289, Protocol::Multiboot2, "multiboot2"),
        (0x336E_C578, Protocol::Pvh, "PVH"),
        (0xD00D_FEED, Protocol::DeviceTree, "device tree"),
    ] {
        assert_eq!(Protocol::from_magic(magic), Some(protocol));
        assert_eq!(protocol.name(), name);
    }
    // The magic that multiboot1 hands over, the magic of a multiboot2 header, and others.
    for magic in [0, 1, 0x2BAD_B002, 0xE852_50D6, 0x36D7_6288, 0x336E_C579, u32::MAX] {
        assert_eq!(Protocol::from_magic(magic), None);
    }
}

#[test]
fn texts_end_at_a_nul() {
    for (bytes, text, is_empty) in [
        (&b""[..], &b""[..], true),
        (b"\0a", b"", true),
        (b"a\0b", b"a", false),
        (b"ab", b"ab", false),
    ] {
        let it = LoaderText::new(bytes);
        assert_eq!((it.as_bytes(), it.is_empty()), (text, is_empty));
        assert_eq!(format!("{it:?}"), format!("\"{it}\""));
    }
    assert_eq!(LoaderText::default(), LoaderText::new(b""));
    assert_eq!(format!("{:?}", LoaderText::new(b"a\nb")), "\"a\\nb\"");
}
