//! Parses a fuzzer's bytes as boot information: `corpus.rs` and the fuzz targets call [`run`] and [`run_tree`].

use boot::info::{DEVICE_TREE_MAGIC, DeviceTree, PhysWindow};
use boot::{BootInfo, BootInfoError, Protocol};
use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry, RAM_RUNS};
use libjos::mem::reservations::Reservations;

/// Bytes of a register, as the entry code keeps it.
const REGISTER: usize = 4;
/// A value of EAX that no loader uses. Tags follow, which [`chain`] turns into boot information.
const TAGS: u32 = u32::from_le_bytes(*b"tags");

/// Parses boot information. The bytes are the values of EAX (the loader's magic) and EBX (an
/// address) at the entry code, then memory from address 0 on. Whatever they are, nothing panics;
/// accepted information can be walked to its end; the memory map agrees with the entries, and every
/// page that the loader filled is reserved.
///
/// A change to one tag usually breaks the chain of tags. After [`TAGS`], [`chain`] makes a valid
/// chain, so that a fuzzer reaches the contents of the tags.
pub(crate) fn run(bytes: &[u8]) {
    let Some((registers, memory)) = bytes.split_at_checked(2 * REGISTER) else { return };
    let (eax, ebx) = registers.split_at(REGISTER);
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    match (word(eax), Protocol::from_magic(word(eax))) {
        (TAGS, _) => parse(Protocol::Multiboot2, 0, &chain(memory)),
        (_, Some(protocol)) => parse(protocol, word(ebx).into(), memory),
        (_, None) => {}
    }
}

/// Makes multiboot2 information from tags that are a byte for the type, a byte for the payload's
/// size, and the payload.
fn chain(mut bytes: &[u8]) -> Vec<u8> {
    let mut tags = Vec::new();
    let mut tag = |kind: u8, payload: &[u8]| {
        tags.extend(u32::from(kind).to_le_bytes());
        tags.extend((8 + payload.len() as u32).to_le_bytes());
        tags.extend(payload);
        tags.resize(tags.len().next_multiple_of(8), 0);
    };
    while let [kind, size, rest @ ..] = bytes {
        let (payload, rest) = rest.split_at(rest.len().min((*size).into()));
        tag(*kind, payload);
        bytes = rest;
    }
    tag(0, &[]);
    let total_size = 8 + tags.len() as u64;
    [&total_size.to_le_bytes()[..], &tags].concat()
}

/// Parses a device tree: bytes that begin with the magic, or those that [`flat`] makes of all others.
#[allow(dead_code, reason = "the fuzz target of the other protocols does not use it")]
pub(crate) fn run_tree(bytes: &[u8]) {
    if bytes.starts_with(&DEVICE_TREE_MAGIC.to_be_bytes()) {
        parse(Protocol::DeviceTree, 0, bytes);
    } else {
        parse(Protocol::DeviceTree, 0, &flat(bytes));
    }
}

/// The names of the nodes and properties that the kernel looks for.
const NODES: [&str; 10] = [
    "memory",
    "reserved-memory",
    "chosen",
    "cpus",
    "cpu@0",
    "soc",
    "serial@10000000",
    "pool",
    "plic@c000000",
    "interrupt-controller",
];
const PROPERTIES: [&str; 16] = [
    "reg",
    "#address-cells",
    "#size-cells",
    "ranges",
    "compatible",
    "status",
    "reg-shift",
    "bootargs",
    "linux,initrd-start",
    "linux,initrd-end",
    "stdout-path",
    "timebase-frequency",
    "phandle",
    "interrupt-parent",
    "interrupts",
    "interrupts-extended",
];

/// Makes a tree of sound structure, of steps that are a byte each: the end of a node, the begin of one, or a property,
/// whose size and value follow. So a fuzzer reaches the contents of the properties.
fn flat(bytes: &[u8]) -> Vec<u8> {
    let (mut nodes, mut names, mut depth) = (Vec::new(), Vec::new(), 1);
    let word = |out: &mut Vec<u8>, word: usize| out.extend((word as u32).to_be_bytes());
    let padded = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
    };
    let begin = |out: &mut Vec<u8>, name: &str| {
        word(out, 1);
        padded(out, format!("{name}\0").as_bytes());
    };
    begin(&mut nodes, "");
    let (reserved, mut steps) = bytes.split_at(bytes.len().min(16));
    while let [step, rest @ ..] = steps {
        let step = usize::from(*step) % (1 + NODES.len() + PROPERTIES.len());
        steps = rest;
        if step == 0 && depth > 1 {
            depth -= 1;
            word(&mut nodes, 2);
        } else if let Some(name) = step.checked_sub(1).and_then(|node| NODES.get(node)) {
            depth += 1;
            begin(&mut nodes, name);
        } else if let Some(name) = step.checked_sub(1 + NODES.len()) {
            let size = rest.first().map_or(0, |size| usize::from(*size).min(rest.len() - 1));
            let (value, after) = rest.get(1..).unwrap_or_default().split_at(size);
            steps = after;
            [3, size, names.len()].into_iter().for_each(|number| word(&mut nodes, number));
            padded(&mut nodes, value);
            names.extend(format!("{}\0", PROPERTIES[name]).as_bytes());
        }
    }
    (0..depth).for_each(|_| word(&mut nodes, 2));
    word(&mut nodes, 9);
    let mut list = reserved.to_vec();
    list.resize(list.len().next_multiple_of(16) + 16, 0);
    let (nodes_at, names_at) = (40 + list.len(), 40 + list.len() + nodes.len());
    let mut tree = DEVICE_TREE_MAGIC.to_be_bytes().to_vec();
    let header =
        [names_at + names.len(), nodes_at, names_at, 40, 17, 16, 0, names.len(), nodes.len()];
    header.into_iter().for_each(|number| word(&mut tree, number));
    [tree, list, nodes, names].concat()
}

fn parse(protocol: Protocol, at: u64, memory: &[u8]) {
    // Boot information is aligned to 8 bytes.
    let mut aligned = vec![0; memory.len() + 7];
    let start = aligned.as_ptr().align_offset(8);
    let aligned = &mut aligned[start..start + memory.len()];
    aligned.copy_from_slice(memory);

    match BootInfo::parse(protocol, at, PhysWindow::from_bytes(aligned)) {
        Ok(info) => {
            judge(&info, memory.len());
            if protocol == Protocol::DeviceTree {
                judge_devices(&info, PhysWindow::from_bytes(aligned));
            }
        }
        Err(error) => judge_error(error, memory.len() as u64),
    }
}

/// Checks that no register of a device is in RAM.
fn judge_devices(info: &BootInfo<'_>, memory: PhysWindow<'_>) {
    let tree = DeviceTree::parse(0, memory).expect("it was parsed before");
    let devices = ["ns16550", "sifive,test"].map(|binding| tree.device(binding));
    assert!(devices.iter().flatten().all(|device| device.is_aligned(8)), "{devices:?}");
    let wires = [0, 1].map(|hart| tree.wire("ns16550", hart));
    let of_wires = wires.iter().flatten().flat_map(|wire| {
        assert!((1..1024).contains(&wire.source));
        [wire.priority, wire.enables, wire.context]
    });
    for device in devices.into_iter().flatten().chain(of_wires) {
        let lies_in = |entry: &MemoryMapEntry| {
            let end = entry.base.saturating_add(entry.length);
            entry.kind == MemoryKind::Usable && (entry.base..end).contains(&device.as_u64())
        };
        assert!(device.is_aligned(4), "{device}");
        assert!(!info.memory_entries().any(|entry| lies_in(&entry)), "{device}");
    }
    assert!(tree.timebase_hz().is_none_or(|hz| hz > 0));
}

/// Checks that an error is justified.
fn judge_error(error: BootInfoError, end: u64) {
    assert!(!error.to_string().is_empty());
    if let BootInfoError::OutsideWindow { at, size, window, .. } = error {
        assert_eq!(window, end);
        assert!(at.checked_add(size).is_none_or(|last| last > end), "{error}");
    }
}

fn judge(info: &BootInfo<'_>, end: usize) {
    let entries: Vec<MemoryMapEntry> = info.memory_entries().collect();
    // A device tree's region takes 8 bytes at least, an entry of the other protocols 24.
    assert!((1..=end / 8).contains(&entries.len()), "{} entries", entries.len());

    let text = [Some(info.command_line), info.loader].into_iter().flatten();
    for text in text {
        assert!(!text.to_string().contains(char::is_control), "{text:?}");
        assert!(text.words().all(|word| !word.is_empty() && word.as_bytes().len() <= end));
    }
    let parts = || info.reserved().map(|reserved| reserved.range);
    let part =
        if info.protocol == Protocol::DeviceTree { "device tree" } else { "boot information" };
    assert_eq!(info.reserved().next().map(|reserved| reserved.name), Some(part));
    assert!(parts().all(|range| range.start <= range.end_exclusive));

    let pieces = pieces(&entries);
    let map = judge_map::<Jos64>(&pieces, &entries);
    judge_map::<Jos32>(&pieces, &entries);
    judge_map::<JosSv39>(&pieces, &entries);
    judge_reservations(&Reservations::new(parts(), &map), parts());
}

/// The RAM in whole pages, sorted and merged: the addresses that some entry calls RAM and no entry
/// calls anything else. Cuts all of memory at each end of an entry and judges each piece.
fn pieces(entries: &[MemoryMapEntry]) -> Vec<PhysRange> {
    let end = |entry: &MemoryMapEntry| entry.base.saturating_add(entry.length);
    let mut cuts: Vec<u64> = entries.iter().flat_map(|entry| [entry.base, end(entry)]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let is_ram = |from: u64| {
        let mut here = entries.iter().filter(|entry| entry.base <= from && from < end(entry));
        here.clone().count() > 0 && here.all(|entry| entry.kind == MemoryKind::Usable)
    };
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for two in cuts.windows(2).filter(|two| is_ram(two[0])) {
        match runs.last_mut() {
            Some(last) if last.1 == two[0] => last.1 = two[1],
            _ => runs.push((two[0], two[1])),
        }
    }
    let whole = |(start, end): (u64, u64)| {
        let start = start.checked_next_multiple_of(PGSIZE)?;
        let end = end & !(PGSIZE - 1);
        (start < end).then(|| PhysRange::new(PhysAddr::new(start), PhysAddr::new(end)))
    };
    runs.into_iter().filter_map(whole).collect()
}

/// Checks that the memory map under `L` has all pieces that `L` can show, or the largest of them
/// within the window and above it, and that its totals add up.
fn judge_map<L: MemLayout>(pieces: &[PhysRange], entries: &[MemoryMapEntry]) -> MemoryMap {
    let map = MemoryMap::new::<L>(entries.iter().copied(), None);
    let (totals, runs) = (map.totals::<L>(), map.usable().runs());
    assert!(!totals.to_string().is_empty() && totals.unread.is_none());
    let size = |ranges: &[PhysRange]| ranges.iter().map(PhysRange::size).sum::<u64>();

    let used_end = PhysAddr::new(L::PHYS_BASE + L::WINDOW_SIZE.max(L::PHYSMAP_MAX));
    let within = |range: PhysRange| -> Vec<PhysRange> {
        let pieces = pieces.iter().map(|piece| piece.intersection(&range));
        pieces.filter(|piece| !piece.is_empty()).collect()
    };
    let shown = within(PhysRange::new(PhysAddr::new(L::PHYS_BASE), used_end));
    let (kept, lost): (Vec<_>, Vec<_>) = shown.iter().partition(|piece| runs.contains(piece));
    assert_eq!(kept, runs, "of {entries:x?}");
    assert_eq!(runs.len(), shown.len().min(RAM_RUNS), "of {entries:x?}");
    assert_eq!((totals.given_up.pieces, totals.given_up.bytes), (lost.len(), size(&lost)));
    let window = PhysRange::from_size(PhysAddr::new(L::PHYS_BASE), L::WINDOW_SIZE);
    for piece in &lost {
        let is_shown = window.contains(piece.start);
        let mut like = runs.iter().filter(|run| window.contains(run.start) == is_shown);
        assert!(like.clone().count() >= RAM_RUNS / 2 && like.all(|run| run.size() >= piece.size()));
    }

    let below = size(&within(PhysRange::below(PhysAddr::new(L::PHYS_BASE))));
    assert_eq!(totals.below, below);
    let all = size(pieces) - size(&lost) - below;
    let base = map.usable().size_within(&PhysRange::below(PhysAddr::new(L::EXTPHYSMEM)));
    assert_eq!((totals.base, totals.extended), (base, all - base));
    assert_eq!(totals.unused, all - size(&kept));
    let npages = map.npages::<L>() as u64;
    if let Some(last) = npages.checked_sub(1) {
        let last = PhysAddr::new(L::PHYS_BASE + last * PGSIZE);
        assert!(last < used_end && map.usable().contains(last), "{last} is counted and no RAM");
    }
    map
}

/// Checks that the reservations are whole pages, sorted and merged, that cover all `parts`, and cover
/// other pages only where gaps were closed.
fn judge_reservations(all: &Reservations, parts: impl Iterator<Item = PhysRange> + Clone) {
    let runs = all.runs();
    assert!(runs.windows(2).all(|two| two[0].end_exclusive < two[1].start), "{runs:?}");
    for run in runs {
        let (start, end) = (run.start, run.end_exclusive);
        assert!(start < end && start.is_aligned(PGSIZE) && end.is_aligned(PGSIZE), "{run}");
        let is_end = |pa: u64| {
            let mut covering = parts.clone().map(|part| part.covering_pages());
            covering.any(|part| part.start.as_u64() == pa || part.end_exclusive.as_u64() == pa)
        };
        assert!(is_end(start.as_u64()) && is_end(end.as_u64()), "{run}");
    }
    for part in parts.map(|part| part.covering_pages()).filter(|part| !part.is_empty()) {
        let holds = |run: &PhysRange| run.intersection(&part) == part;
        assert!(runs.iter().any(holds), "{part} is not in {runs:?}");
    }
}
