//! The rows of the table, with their contestants. [`crate::work`] has the work.

use crate::aarch64::Aarch64;
#[cfg(has_c)]
use crate::c::C;
use crate::form::{called, inlined};
use crate::frames::{Bitmap, Buddy, LinkedList, TalcHeap};
use crate::harness::Role::{self, Aside, Libjos as IsLibjos, Limit as IsLimit, Peer};
use crate::harness::{Contestant, Rival, Row, Target, Turn};
use crate::heap_work::{any_size, bytes_64, replace, stack};
use crate::heaps::{JosHeap, SlabHeap, System};
use crate::jos::{Counted, Libjos};
use crate::limit::Limit;
#[cfg(target_arch = "x86_64")]
use crate::multiarch::Multiarch;
use crate::rust_x86_64::{Mapped, Offset, X86};
use crate::work::{
    all_shuffled, alloc_free, alloc_free_random, chain, frames_shuffled, in_turn, large_run, map,
    map_counted, map_unmap, mixed_runs, stream, tear,
};

const STORES: &str = "the stores alone";
const COUNTED: &str = "libjos map_range, counted in pp_ref";
const MAPPED: &str = "x86_64 MappedPageTable";
const OFFSET: &str = "x86_64 OffsetPageTable";
const JOS_C: &str = "JOS's C";
const BUDDY: &str = "buddy_system_allocator";
const BITMAP: &str = "bitmap-allocator 1M";
const TALC: &str = "talc";

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = vec![map_small(), map_large()];
    rows.extend(single_pages());
    rows.extend(translations());
    rows.extend([tear_down(), tear_down_shuffled()]);
    rows.extend(frames());
    rows.extend(heaps());
    rows
}

/// A row of contestants, some of which may be missing.
fn row(
    id: &'static str,
    title: &'static str,
    unit: f64,
    target: Option<Target>,
    all: &[Option<Contestant>],
) -> Row {
    Row { id, title, unit, target, contestants: all.iter().flatten().cloned().collect() }
}

/// A target of at most `at_most` times the rival's time.
fn reach(at_most: f64, of: Rival) -> Option<Target> {
    Some(Target { at_most, of })
}

fn who(role: Role, name: &'static str, run: fn(&mut Turn)) -> Option<Contestant> {
    Some(Contestant::new(role, name, run))
}

/// JOS's C, if there is a C compiler.
macro_rules! c {
    ($run:expr) => {{
        #[cfg(has_c)]
        let c = who(Peer, JOS_C, $run);
        #[cfg(not(has_c))]
        let c = None;
        c
    }};
}

/// `page_table_multiarch`, which supports the tables of the processor that it is compiled for.
macro_rules! multiarch {
    ($run:expr) => {{
        #[cfg(target_arch = "x86_64")]
        let multiarch = who(Peer, "page_table_multiarch", $run);
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
            who(IsLimit, STORES, map::<Limit, false>),
            who(IsLibjos, "libjos map_range", map::<Libjos, false>),
            who(Aside, COUNTED, map_counted::<false>),
            who(Peer, "aarch64-paging", map::<Aarch64, false>),
            who(Peer, MAPPED, map::<X86<Mapped>, false>),
            who(Peer, OFFSET, map::<X86<Offset>, false>),
            multiarch!(map::<Multiarch, false>),
            c!(map::<C, false>),
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
            who(IsLimit, STORES, map::<Limit, true>),
            who(IsLibjos, "libjos map_range", map::<Libjos, true>),
            who(Aside, COUNTED, map_counted::<true>),
            who(Peer, "aarch64-paging", map::<Aarch64, true>),
            who(Peer, MAPPED, map::<X86<Mapped>, true>),
            who(Peer, OFFSET, map::<X86<Offset>, true>),
            multiarch!(map::<Multiarch, true>),
        ],
    )
}

/// A row of single operations in two forms: called, as in a kernel, which has the target; and inlined.
macro_rules! both {
    ($id:literal, $title:literal, $target:expr, $who:ident!($($work:tt)*)) => {
        [
            row($id, concat!($title, ", called"), 1.0, $target, $who!(called, $($work)*)),
            row(
                concat!($id, "-inlined"),
                "the same, inlined",
                1.0,
                None,
                $who!(inlined, $($work)*),
            ),
        ]
    };
}

/// All page tables, mapping single pages.
macro_rules! tables {
    ($form:ident, $work:ident, $libjos:ident, $name:ident, $limit:ident $(, $order:ident)?) => {
        &[
            who(IsLimit, $limit, |turn| $work::<Limit>(turn $(, $order)?)),
            who(IsLibjos, $name, |turn| $work::<$form::Of<$libjos>>(turn $(, $order)?)),
            who(Peer, MAPPED, |turn| $work::<$form::Of<X86<Mapped>>>(turn $(, $order)?)),
            who(Peer, OFFSET, |turn| $work::<$form::Of<X86<Offset>>>(turn $(, $order)?)),
            multiarch!(|turn| $work::<$form::Of<Multiarch>>(turn $(, $order)?)),
            c!(|turn| $work::<$form::C>(turn $(, $order)?)),
        ]
    };
}

const INSERT_REMOVE: &str = "libjos insert + remove, pp_ref kept";

fn single_pages() -> Vec<Row> {
    let target = reach(4.5 / 8.1, Rival::Named(OFFSET));
    [
        both!(
            "map-unmap",
            "map + unmap pages of a table in turn",
            target,
            tables!(map_unmap, Counted, INSERT_REMOVE, STORES, in_turn)
        ),
        both!(
            "map-unmap-frames",
            "map + unmap them with shuffled frames",
            None,
            tables!(map_unmap, Counted, INSERT_REMOVE, STORES, frames_shuffled)
        ),
        both!(
            "map-unmap-random",
            "map + unmap shuffled ones of 65,536 pages",
            None,
            tables!(map_unmap, Counted, INSERT_REMOVE, STORES, all_shuffled)
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const VA2PA: &str = "libjos va2pa";
const FOUR_LOADS: &str = "four loads";

fn translations() -> Vec<Row> {
    [
        both!(
            "translate-dependent",
            "translate, each address from the one before",
            reach(1.05, Rival::BestPeer),
            tables!(chain, Libjos, VA2PA, FOUR_LOADS)
        ),
        both!(
            "translate-independent",
            "translate, addresses known beforehand",
            reach(1.05, Rival::BestPeer),
            tables!(stream, Libjos, VA2PA, FOUR_LOADS)
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All page tables, tearing down an address space.
macro_rules! tear {
    ($shuffled:literal) => {
        &[
            who(IsLimit, "a load and a store a frame", tear::<Limit, $shuffled>),
            who(IsLibjos, "libjos uvmfree, pp_ref kept", tear::<Counted, $shuffled>),
            who(Peer, "aarch64-paging", tear::<Aarch64, $shuffled>),
            who(Peer, MAPPED, tear::<X86<Mapped>, $shuffled>),
            who(Peer, OFFSET, tear::<X86<Offset>, $shuffled>),
            multiarch!(tear::<Multiarch, $shuffled>),
            c!(tear::<C, $shuffled>),
        ]
    };
}

fn tear_down() -> Row {
    row(
        "tear-down",
        "tear down 65,536 mapped pages, free each frame and all tables",
        1000.0,
        reach(0.5, Rival::BestPeer),
        tear!(false),
    )
}

fn tear_down_shuffled() -> Row {
    row(
        "tear-down-shuffled",
        "tear down 65,536 mapped pages, frames shuffled",
        1000.0,
        None,
        tear!(true),
    )
}

/// The allocators of single frames; heaps only take part in the row in which their free list stays short.
macro_rules! frames {
    ($form:ident, $work:ident $(, $name:literal: $heap:ident)*) => {
        &[
            who(IsLibjos, "libjos", $work::<$form::Of<Libjos>>),
            c!($work::<$form::C>),
            who(Peer, BUDDY, $work::<$form::Of<Buddy>>),
            who(Peer, BITMAP, $work::<$form::Of<Bitmap>>),
            $(who(Peer, $name, $work::<$form::Of<$heap>>),)*
        ]
    };
}

/// The allocators of runs of frames.
macro_rules! runs {
    ($form:ident, $work:ident) => {
        &[
            who(IsLibjos, "libjos, each frame's PageInfo kept", $work::<$form::Of<Libjos>>),
            who(Peer, BUDDY, $work::<$form::Of<Buddy>>),
            who(Peer, BITMAP, $work::<$form::Of<Bitmap>>),
        ]
    };
}

fn frames() -> Vec<Row> {
    [
        both!(
            "alloc-free",
            "page_alloc + page_free, no lock",
            reach(1.0, Rival::Named(JOS_C)),
            frames!(
                alloc_free,
                "linked_list_allocator (4 KB blocks)": LinkedList,
                "talc (4 KB blocks)": TalcHeap
            )
        ),
        both!(
            "alloc-free-random",
            "allocate 60,000 frames, free them in random order",
            None,
            frames!(alloc_free_random)
        ),
        both!(
            "run-2m",
            "allocate + free 512 aligned frames, half of all in use",
            None,
            runs!(large_run)
        ),
        both!(
            "run-mixed",
            "free + allocate 1 to 128 aligned frames, many in use",
            None,
            runs!(mixed_runs)
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All heaps, doing the same work.
macro_rules! heaps {
    ($form:ident, $work:ident $(, $size:ident)?) => {
        &[
            who(IsLibjos, "libjos", |turn| $work::<$form::Of<JosHeap>>(turn $(, $size)?)),
            who(Peer, TALC, |turn| $work::<$form::Of<TalcHeap>>(turn $(, $size)?)),
            who(Peer, "slab_allocator_rs", |turn| {
                $work::<$form::Of<SlabHeap>>(turn $(, $size)?);
            }),
            who(Peer, "linked_list_allocator", |turn| {
                $work::<$form::Of<LinkedList>>(turn $(, $size)?);
            }),
            who(Aside, "the host's, with its lock", |turn| $work::<System>(turn $(, $size)?)),
        ]
    };
}

fn heaps() -> Vec<Row> {
    [
        both!(
            "heap-random",
            "free one of 4,096 blocks, 16 to 4096 bytes, allocate one",
            reach(20.0 / 23.0, Rival::Named(TALC)),
            heaps!(replace, any_size)
        ),
        both!(
            "heap-64",
            "free one of 4,096 blocks of 64 bytes, allocate one",
            None,
            heaps!(replace, bytes_64)
        ),
        both!(
            "heap-stack",
            "allocate 4,096 blocks, 16 to 4096 bytes, free last first",
            None,
            heaps!(stack)
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
