//! A fuzzer's bytes as what a loader leaves behind: `corpus.rs` and the fuzz target call [`run`].

use boot::info::PhysWindow;
use boot::{BootInfo, BootInfoError, Protocol};
use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE};
use libjos::mem::addr::PhysAddr;
use libjos::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry};

/// Bytes of a register, as the entry code keeps it.
const REGISTER: usize = 4;
/// In EAX, what no loader leaves there: tags follow, out of which boot information is made.
const TAGS: u32 = u32::from_le_bytes(*b"tags");

/// Parses boot information: the bytes are what the entry code finds in EAX (the loader's magic) and
/// EBX (an address), then memory from address 0 on. Whatever they are, nothing panics; what is
/// accepted can be walked to its end; the memory map is what the entries say, page by page.
///
/// A change to one tag seldom leaves the chain of all tags whole. Behind [`TAGS`] the chain is made
/// here, so that a fuzzer comes to what is in the tags.
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

/// Multiboot2 information of tags that are each a byte for the type, one for the payload's size,
/// and the payload.
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

fn parse(protocol: Protocol, at: u64, memory: &[u8]) {
    // Aligned, as memory is.
    let mut aligned = vec![0; memory.len() + 7];
    let start = aligned.as_ptr().align_offset(8);
    let aligned = &mut aligned[start..start + memory.len()];
    aligned.copy_from_slice(memory);

    match BootInfo::parse(protocol, at, PhysWindow::from_bytes(aligned)) {
        Ok(info) => judge(&info, memory.len()),
        Err(error) => judge_error(error, memory.len() as u64),
    }
}

/// What is refused is refused for cause.
fn judge_error(error: BootInfoError, end: u64) {
    assert!(!error.to_string().is_empty());
    if let BootInfoError::OutsideWindow { at, size, window, .. } = error {
        assert_eq!(window, end);
        assert!(at.checked_add(size).is_none_or(|last| last > end), "{error}");
    }
}

fn judge(info: &BootInfo<'_>, end: usize) {
    let entries: Vec<MemoryMapEntry> = info.memory_entries().collect();
    assert!((1..=end / 24).contains(&entries.len()), "{} entries", entries.len());

    let text = [Some(info.command_line()), info.loader()].into_iter().flatten();
    for text in text {
        assert!(!text.to_string().contains(char::is_control), "{text:?}");
        assert!(text.words().all(|word| !word.is_empty() && word.as_bytes().len() <= end));
    }
    let mut reserved = info.reserved();
    assert_eq!(reserved.next().map(|reserved| reserved.name), Some("boot information"));
    assert!(reserved.all(|reserved| reserved.range.start <= reserved.range.end_exclusive));

    match MemoryMap::new(entries.iter().copied()) {
        Ok(map) => {
            judge_map(&map, &entries);
            judge_totals::<Jos64>(&map);
            judge_totals::<Jos32>(&map);
            judge_totals::<JosSv39>(&map);
        }
        // An entry makes one more run at most.
        Err(error) => assert!(entries.len() > 64, "{error} of {} entries", entries.len()),
    }
}

/// Whole pages, sorted and merged; and around each end of an entry, page by page, RAM is what some
/// entry says is RAM and none says is not.
fn judge_map(map: &MemoryMap, entries: &[MemoryMapEntry]) {
    let runs = map.usable().runs();
    assert!(runs.windows(2).all(|two| two[0].end_exclusive < two[1].start), "{runs:?}");
    for run in runs {
        let (start, end) = (run.start, run.end_exclusive);
        assert!(start < end && start.is_aligned(PGSIZE) && end.is_aligned(PGSIZE), "{run}");
    }
    let end = |entry: &MemoryMapEntry| entry.base.saturating_add(entry.length);
    let is_ram = |page: u64| {
        // The last page ends where no address is.
        let Some(page_end) = page.checked_add(PGSIZE) else { return false };
        let (mut some, mut none) = (false, true);
        for entry in entries {
            match entry.kind {
                MemoryKind::Usable => some |= entry.base <= page && page_end <= end(entry),
                MemoryKind::Reserved => {
                    let empty = entry.length == 0 || entry.base == u64::MAX;
                    none &= empty || page_end <= entry.base || end(entry) <= page;
                }
            }
        }
        some && none
    };
    let ends = entries.iter().flat_map(|entry| [entry.base, end(entry)]);
    for page in ends.map(|end| end & !(PGSIZE - 1)) {
        for page in [page.wrapping_sub(PGSIZE), page, page.wrapping_add(PGSIZE)] {
            let (first, last) = (PhysAddr::new(page), PhysAddr::new(page + (PGSIZE - 1)));
            let found = [map.usable().contains(first), map.usable().contains(last)];
            assert_eq!(found, [is_ram(page); 2], "page {first} of {entries:x?}");
        }
    }
}

fn judge_totals<L: MemLayout>(map: &MemoryMap) {
    let below = |limit: u64| -> u64 {
        let cut = |pa: PhysAddr| pa.as_u64().min(limit);
        map.usable().runs().iter().map(|run| cut(run.end_exclusive) - cut(run.start)).sum()
    };
    let totals = map.totals::<L>();
    let all = below(u64::MAX);
    assert_eq!((totals.base, totals.extended), (below(L::EXTPHYSMEM), all - totals.base));
    let shown = L::WINDOW_SIZE.max(L::PHYSMAP_MAX);
    assert_eq!(totals.unused, all - below(L::PHYS_BASE + shown));
    let npages = map.npages::<L>() as u64;
    assert!(npages * PGSIZE <= shown, "{npages} pages, more than can be shown");
    if let Some(last) = npages.checked_sub(1) {
        let last = PhysAddr::new(L::PHYS_BASE + last * PGSIZE);
        assert!(map.usable().contains(last), "{last} is counted and no RAM");
    }
}
