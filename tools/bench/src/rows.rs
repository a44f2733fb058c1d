//! The rows of the table: what is measured, and who takes part. How it is done: [`crate::work`].

use crate::aarch64::Aarch64;
#[cfg(has_c)]
use crate::c::C;
use crate::frames::{Bitmap, Buddy, LinkedList, TalcHeap};
use crate::harness::Role::{self, Aside, Libjos as IsLibjos, Limit as IsLimit, Peer};
use crate::harness::{Contestant, Rival, Row, Target, Turn};
use crate::heap_work::{any_size, bytes_64, replace, stack};
use crate::heaps::{JosHeap, Slabs, System};
use crate::jos::{Counted, Libjos};
use crate::limit::Limit;
#[cfg(target_arch = "x86_64")]
use crate::multiarch::Multiarch;
use crate::rust_x86_64::{Mapped, Offset, X86};
use crate::work::{
    alloc_free, alloc_free_random, chain, large_run, map, map_counted, map_unmap, mixed_runs,
    stream, tear,
};

const OFFSET: &str = "x86_64 OffsetPageTable";
const JOS_C: &str = "JOS's C";
const TALC: &str = "talc";

/// All of them.
pub(crate) fn all() -> Vec<Row> {
    vec![
        map_small(),
        map_large(),
        one_page(),
        random_page(),
        dependent(),
        independent(),
        tear_down(),
        lifo(),
        bulk(),
        large_runs(),
        all_runs(),
        heap_random(),
        heap_64(),
        heap_stack(),
    ]
}

/// A row of contestants, of which some may not be there.
fn row(
    id: &'static str,
    title: &'static str,
    unit: f64,
    target: Option<Target>,
    all: &[Option<Contestant>],
) -> Row {
    Row { id, title, unit, target, contestants: all.iter().flatten().cloned().collect() }
}

/// At most `at_most` times what that one takes.
fn reach(at_most: f64, of: Rival) -> Option<Target> {
    Some(Target { at_most, of })
}

fn who(role: Role, name: &'static str, run: fn(&mut Turn)) -> Option<Contestant> {
    Some(Contestant::new(role, name, run))
}

/// JOS's C under a name, where there is a C compiler.
macro_rules! c {
    ($run:ident $(, $argument:tt)*) => {{
        #[cfg(has_c)]
        let c = who(Peer, JOS_C, $run::<C $(, $argument)*>);
        #[cfg(not(has_c))]
        let c = None;
        c
    }};
}

/// `page_table_multiarch`, which has the tables of the processor that it is compiled for.
macro_rules! multiarch {
    ($run:ident $(, $argument:tt)*) => {{
        #[cfg(target_arch = "x86_64")]
        let multiarch = who(Peer, "page_table_multiarch", $run::<Multiarch $(, $argument)*>);
        #[cfg(not(target_arch = "x86_64"))]
        let multiarch = None;
        multiarch
    }};
}

fn map_small() -> Row {
    row(
        "map-4k",
        "map 256 MB by 4 KB pages into fresh tables",
        1000.0,
        reach(1.25, Rival::Limit),
        &[
            who(IsLimit, "the stores alone", map::<Limit, false>),
            who(IsLibjos, "libjos map_range", map::<Libjos, false>),
            who(Aside, "libjos, each page counted in pp_ref", map_counted),
            who(Peer, "aarch64-paging", map::<Aarch64, false>),
            who(Peer, "x86_64 MappedPageTable", map::<X86<Mapped>, false>),
            who(Peer, OFFSET, map::<X86<Offset>, false>),
            multiarch!(map, false),
            c!(map, false),
        ],
    )
}

fn map_large() -> Row {
    row(
        "map-2m",
        "map 256 MB by 2 MB pages into fresh tables",
        1.0,
        reach(1.0, Rival::BestPeer),
        &[
            who(IsLimit, "the stores alone", map::<Limit, true>),
            who(IsLibjos, "libjos map_range", map::<Libjos, true>),
            who(Peer, "aarch64-paging", map::<Aarch64, true>),
            who(Peer, "x86_64 MappedPageTable", map::<X86<Mapped>, true>),
            who(Peer, OFFSET, map::<X86<Offset>, true>),
            multiarch!(map, true),
        ],
    )
}

fn one_page() -> Row {
    row(
        "map-unmap",
        "map + unmap one page in an existing table, the same each time",
        1.0,
        reach(4.5 / 8.1, Rival::Named(OFFSET)),
        &[
            who(IsLimit, "the stores alone", map_unmap::<Limit, true>),
            who(IsLibjos, "libjos insert + remove, pp_ref kept", map_unmap::<Counted, true>),
            who(Peer, "x86_64 MappedPageTable", map_unmap::<X86<Mapped>, true>),
            who(Peer, OFFSET, map_unmap::<X86<Offset>, true>),
            multiarch!(map_unmap, true),
            c!(map_unmap, true),
        ],
    )
}

fn random_page() -> Row {
    row(
        "map-unmap-random",
        "the same for a random one of 65,536 pages",
        1.0,
        None,
        &[
            who(IsLimit, "the stores alone", map_unmap::<Limit, false>),
            who(IsLibjos, "libjos insert + remove, pp_ref kept", map_unmap::<Counted, false>),
            who(Peer, "x86_64 MappedPageTable", map_unmap::<X86<Mapped>, false>),
            who(Peer, OFFSET, map_unmap::<X86<Offset>, false>),
            multiarch!(map_unmap, false),
            c!(map_unmap, false),
        ],
    )
}

fn dependent() -> Row {
    row(
        "translate-dependent",
        "translate, each address from the one before",
        1.0,
        reach(1.05, Rival::BestPeer),
        &[
            who(IsLimit, "four loads", chain::<Limit>),
            who(IsLibjos, "libjos va2pa", chain::<Libjos>),
            who(Peer, "x86_64 MappedPageTable", chain::<X86<Mapped>>),
            who(Peer, OFFSET, chain::<X86<Offset>>),
            multiarch!(chain),
            c!(chain),
        ],
    )
}

fn independent() -> Row {
    row(
        "translate-independent",
        "translate, addresses known beforehand",
        1.0,
        reach(1.05, Rival::BestPeer),
        &[
            who(IsLimit, "four loads", stream::<Limit>),
            who(IsLibjos, "libjos va2pa", stream::<Libjos>),
            who(Peer, "x86_64 MappedPageTable", stream::<X86<Mapped>>),
            who(Peer, OFFSET, stream::<X86<Offset>>),
            multiarch!(stream),
            c!(stream),
        ],
    )
}

fn tear_down() -> Row {
    row(
        "tear-down",
        "tear down 65,536 mapped pages, free each frame and all tables",
        1000.0,
        reach(0.5, Rival::BestPeer),
        &[
            who(IsLimit, "a load and a store a frame", tear::<Limit>),
            who(IsLibjos, "libjos uvmfree, pp_ref kept", tear::<Counted>),
            who(Peer, "aarch64-paging", tear::<Aarch64>),
            who(Peer, "x86_64 MappedPageTable", tear::<X86<Mapped>>),
            who(Peer, OFFSET, tear::<X86<Offset>>),
            multiarch!(tear),
            c!(tear),
        ],
    )
}

fn lifo() -> Row {
    row(
        "alloc-free",
        "page_alloc + page_free, no lock",
        1.0,
        reach(1.0, Rival::Named(JOS_C)),
        &[
            who(IsLibjos, "libjos", alloc_free::<Libjos>),
            c!(alloc_free),
            who(Peer, "buddy_system_allocator", alloc_free::<Buddy>),
            who(Peer, "bitmap-allocator 1M", alloc_free::<Bitmap>),
            who(Peer, "linked_list_allocator (4 KB blocks)", alloc_free::<LinkedList>),
            who(Peer, "talc (4 KB blocks)", alloc_free::<TalcHeap>),
        ],
    )
}

fn bulk() -> Row {
    row(
        "alloc-free-random",
        "60,000 frames allocated, then freed in random order",
        1.0,
        None,
        &[
            who(IsLibjos, "libjos", alloc_free_random::<Libjos>),
            c!(alloc_free_random),
            who(Peer, "buddy_system_allocator", alloc_free_random::<Buddy>),
            who(Peer, "bitmap-allocator 1M", alloc_free_random::<Bitmap>),
        ],
    )
}

/// All heaps, at the same work.
macro_rules! heaps {
    ($work:ident $(, $size:expr)?) => {
        &[
            who(IsLibjos, "libjos", |turn| $work::<JosHeap>(turn $(, $size)?)),
            who(Peer, TALC, |turn| $work::<TalcHeap>(turn $(, $size)?)),
            who(Peer, "slab_allocator_rs", |turn| $work::<Slabs>(turn $(, $size)?)),
            who(Peer, "linked_list_allocator", |turn| $work::<LinkedList>(turn $(, $size)?)),
            who(Aside, "the host's, with its lock", |turn| $work::<System>(turn $(, $size)?)),
        ]
    };
}

fn heap_random() -> Row {
    row(
        "heap-random",
        "free one of 4,096 blocks of 16 to 4096 bytes, allocate another",
        1.0,
        reach(20.0 / 23.0, Rival::Named(TALC)),
        heaps!(replace, any_size),
    )
}

fn heap_64() -> Row {
    row(
        "heap-64",
        "free one of 4,096 blocks of 64 bytes, allocate another",
        1.0,
        None,
        heaps!(replace, bytes_64),
    )
}

fn heap_stack() -> Row {
    row(
        "heap-stack",
        "allocate 4,096 blocks of 16 to 4096 bytes, free the last first",
        1.0,
        None,
        heaps!(stack),
    )
}

fn large_runs() -> Row {
    row(
        "run-2m",
        "512 aligned frames allocated and freed, half of all in use",
        1.0,
        None,
        &[
            who(IsLibjos, "libjos, each frame's PageInfo kept", large_run::<Libjos>),
            who(Peer, "buddy_system_allocator", large_run::<Buddy>),
            who(Peer, "bitmap-allocator 1M", large_run::<Bitmap>),
        ],
    )
}

fn all_runs() -> Row {
    row(
        "run-mixed",
        "1 to 128 aligned frames allocated and freed, many in use",
        1.0,
        None,
        &[
            who(IsLibjos, "libjos, each frame's PageInfo kept", mixed_runs::<Libjos>),
            who(Peer, "buddy_system_allocator", mixed_runs::<Buddy>),
            who(Peer, "bitmap-allocator 1M", mixed_runs::<Bitmap>),
        ],
    )
}
