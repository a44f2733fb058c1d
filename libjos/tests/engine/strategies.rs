//! How proptest makes sequences of operations. Half of them come as stories of one range, which by
//! chance alone would be too rare.

use layout::PGSIZE;
use libjos::paging::format::Perm;
use proptest::prelude::*;

use crate::plain::ops::{Bytes, Length, Op, Place, Size, Span, Step, Target};

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        8 => (-2_i64..4).prop_map(Place::Low),
        6 => (1_u64..4).prop_map(Place::Large),
        3 => (-2_i64..2).prop_map(Place::Far),
        2 => (-3_i64..0).prop_map(Place::Top),
        3 => prop_oneof![0_u64..4, 510_u64..514].prop_map(Place::Mmio),
        1 => (0_u64..2).prop_map(Place::Beyond),
        3 => (0_u64..6).prop_map(Place::Start),
        1 => (0_u64..3).prop_map(Place::Uvpt),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    let less = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(PGSIZE - 1)];
    (place(), less).prop_map(|(place, less)| Size { place, less })
}

/// Some bytes, perhaps over the start of the place.
fn bytes(place: impl Strategy<Value = Place>) -> impl Strategy<Value = Bytes> {
    let len = prop_oneof![8 => 0_u64..24, 1 => PGSIZE..PGSIZE + 24];
    (place, -12_i64..12, len).prop_map(|(place, offset, len)| Bytes { place, offset, len })
}

fn span() -> impl Strategy<Value = Span> {
    let length = prop_oneof![
        8 => (0_u64..6).prop_map(Length::Pages),
        1 => (33_u64..40).prop_map(Length::Pages),
        6 => (1_u64..3, 0_u64..2).prop_map(|(large, n)| Length::Large(large, n)),
        1 => Just(Length::Huge),
    ];
    let skew = prop_oneof![40 => Just(0_u64), 1 => Just(1), 1 => Just(8)];
    (place(), length, skew).prop_map(|(place, length, skew)| Span { place, length, skew })
}

fn target() -> impl Strategy<Value = Target> {
    let page = prop_oneof![6 => Just(0_u64), 1 => 1_u64..3];
    prop_oneof![
        4 => (0_u64..16).prop_map(Target::Pool),
        4 => page.clone().prop_map(Target::Held),
        6 => page.clone().prop_map(Target::Device),
        2 => page.prop_map(Target::HugeDevice),
        1 => Just(Target::Last),
    ]
}

fn perm() -> impl Strategy<Value = Perm> {
    prop_oneof![
        3 => Just(Perm::KR),
        3 => Just(Perm::KRW),
        3 => Just(Perm::UR),
        3 => Just(Perm::URW),
        3 => Just(Perm::UR | Perm::X),
        3 => Just(Perm::UR | Perm::COW),
        1 => Just(Perm::URW | Perm::G),
    ]
}

fn space() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![3 => Just(0_usize), 1 => Just(1)]
}

/// One operation, unlike all others.
fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Alloc),
        2 => (0_u64..20).prop_map(|frame| Op::Free { frame }),
        6 => (space(), place(), 0_u64..16, perm())
            .prop_map(|(space, place, frame, perm)| Op::Insert { space, place, frame, perm }),
        2 => (space(), place()).prop_map(|(space, place)| Op::Remove { space, place }),
        2 => (space(), span(), target(), perm(), any::<bool>()).prop_map(
            |(space, span, target, perm, largest)| Op::Map { space, span, target, perm, largest }
        ),
        2 => (space(), span()).prop_map(|(space, span)| Op::Unmap { space, span }),
        2 => (space(), span(), perm())
            .prop_map(|(space, span, perm)| Op::Protect { space, span, perm }),
        1 => (space(), place(), 0_u32..4)
            .prop_map(|(space, place, level)| Op::Merge { space, place, level }),
        2 => (space(), place()).prop_map(|(space, place)| Op::Prune { space, place }),
        2 => (space(), place()).prop_map(|(space, place)| Op::CowFault { space, place }),
        2 => space().prop_map(|space| Op::Switch { space }),
        2 => (0_usize..6).prop_map(|leave| Op::Drain { leave }),
        2 => Just(Op::FreeUnused),
        1 => (0_u32..6).prop_map(|order| Op::AllocRun { order }),
        1 => (0_u64..16, 0_u32..4).prop_map(|(frame, order)| Op::FreeRun { frame, order }),
        1 => (space(), place(), any::<bool>())
            .prop_map(|(space, place, create)| Op::Walk { space, place, create }),
        8 => on_user_memory(),
    ]
}

/// One operation on address spaces and their users' memory.
fn on_user_memory() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => space().prop_map(|space| Op::Uvmfree { space }),
        2 => (space(), size(), size(), xperm())
            .prop_map(|(space, old, new, xperm)| Op::Uvmalloc { space, old, new, xperm }),
        1 => (space(), size(), size())
            .prop_map(|(space, old, new)| Op::Uvmdealloc { space, old, new }),
        3 => (space(), break_by()).prop_map(|(space, n)| Op::Sbrk { space, n }),
        2 => (space(), size()).prop_map(|(from, size)| Op::Uvmcopy { from, size }),
        2 => (space(), size()).prop_map(|(from, size)| Op::Uvmcow { from, size }),
        2 => (space(), bytes(place())).prop_map(|(space, bytes)| Op::Copyin { space, bytes }),
        2 => (space(), bytes(place())).prop_map(|(space, bytes)| Op::Copyout { space, bytes }),
        1 => (space(), place()).prop_map(|(space, place)| Op::Clearpteu { space, place }),
    ]
}

fn xperm() -> impl Strategy<Value = Perm> {
    prop_oneof![
        6 => Just(Perm::W),
        2 => Just(Perm::empty()),
        2 => Just(Perm::X),
        1 => Just(Perm::W | Perm::G),
    ]
}

/// By how much `sbrk` moves the end.
fn break_by() -> impl Strategy<Value = i64> {
    let pages = (-4_i64..7).prop_map(|pages| pages * PGSIZE.cast_signed());
    let bytes = prop_oneof![3 => Just(0), 1 => -9_i64..9];
    prop_oneof![
        12 => (pages, bytes).prop_map(|(pages, bytes)| pages + bytes),
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
    ]
}

/// A process has some memory, forks, and both go on with it.
fn story_of_processes() -> impl Strategy<Value = Vec<Op>> {
    let base = prop_oneof![
        2 => (0_i64..2).prop_map(|n| (Place::Start(n.cast_unsigned()), Place::Start(5))),
        3 => (-2_i64..1).prop_map(|n| (Place::Low(n), Place::Low(3))),
        1 => Just((Place::Far(-1), Place::Far(2))),
        1 => Just((Place::Top(-3), Place::Top(-2))),
    ];
    (base, 0_usize..2, xperm()).prop_flat_map(|((start, end), parent, xperm)| {
        let size = |place| Size { place, less: 0 };
        let (old, new) = (size(start), size(end));
        let place = move |n: u64| match start {
            Place::Start(m) => Place::Start(m + n),
            Place::Low(m) => Place::Low(m + n.cast_signed()),
            Place::Far(m) => Place::Far(m + n.cast_signed()),
            _ => start,
        };
        let any_space = || prop_oneof![Just(parent), Just(1 - parent)];
        let any_place = move || (0_u64..5).prop_map(place);
        let begin = prop_oneof![
            4 => Just(Op::Uvmalloc { space: parent, old, new, xperm }),
            1 => Just(Op::Sbrk { space: parent, n: 5 * PGSIZE.cast_signed() }),
        ];
        let fork = prop_oneof![
            3 => Just(Op::Uvmcow { from: parent, size: new }),
            2 => Just(Op::Uvmcopy { from: parent, size: new }),
        ];
        let sequel = prop_oneof![
            3 => (any_space(), bytes(any_place()))
                .prop_map(|(space, bytes)| Op::Copyout { space, bytes }),
            2 => (any_space(), bytes(any_place()))
                .prop_map(|(space, bytes)| Op::Copyin { space, bytes }),
            3 => (any_space(), any_place()).prop_map(|(space, place)| Op::CowFault { space, place }),
            2 => any_space().prop_map(|space| Op::Switch { space }),
            1 => any_space().prop_map(|space| Op::Uvmfree { space }),
            1 => any_space().prop_map(move |space| Op::Uvmdealloc { space, old: new, new: old }),
            1 => (any_space(), break_by()).prop_map(|(space, n)| Op::Sbrk { space, n }),
            1 => (any_space(), any_place())
                .prop_map(|(space, place)| Op::Clearpteu { space, place }),
            1 => (0_usize..3).prop_map(|leave| Op::Drain { leave }),
            1 => any_space().prop_map(move |from| Op::Uvmcow { from, size: new }),
        ];
        (begin, any_space(), fork, prop::collection::vec(sequel, 1..7)).prop_map(
            move |(begin, loaded, fork, sequels)| {
                // Something that was there may be in the way.
                let mut ops = vec![
                    Op::Uvmfree { space: 0 },
                    Op::Uvmfree { space: 1 },
                    begin,
                    Op::Switch { space: loaded },
                    fork,
                ];
                ops.extend(sequels);
                ops
            },
        )
    })
}

/// A further operation on a range that was mapped.
fn sequel(map: Op) -> impl Strategy<Value = Op> {
    let Op::Map { space, span, perm, .. } = map else { unreachable!("stories begin with a map") };
    let other = || prop_oneof![4 => Just(space), 1 => Just(1 - space)];
    // Some of its pages, or all.
    let part = || {
        let length = prop_oneof![(1_u64..4).prop_map(Length::Pages), Just(span.length)];
        length.prop_map(move |length| Span { length, ..span })
    };
    let place = span.place;
    prop_oneof![
        3 => (other(), part()).prop_map(|(space, span)| Op::Unmap { space, span }),
        2 => (other(), part(), self::perm())
            .prop_map(|(space, span, perm)| Op::Protect { space, span, perm }),
        2 => Just(Op::Protect { space, span, perm }),
        3 => Just(Op::Merge { space, place, level: 1 }),
        1 => Just(Op::Prune { space, place }),
        3 => (target(), self::perm(), any::<bool>())
            .prop_map(move |(target, perm, largest)| Op::Map { space, span, target, perm, largest }),
        1 => Just(Op::Remove { space, place }),
        1 => Just(Op::CowFault { space, place }),
        1 => Just(Op::Switch { space }),
        1 => (0_usize..3).prop_map(|leave| Op::Drain { leave }),
    ]
}

/// A range is mapped, and then more happens to it.
fn story() -> impl Strategy<Value = Vec<Op>> {
    (space(), span(), target(), perm(), any::<bool>()).prop_flat_map(
        |(space, span, target, perm, largest)| {
            let map = Op::Map { space, span, target, perm, largest };
            prop::collection::vec(sequel(map), 1..5).prop_map(move |sequels| {
                let mut ops = vec![map];
                ops.extend(sequels);
                ops
            })
        },
    )
}

/// A range is mapped that large pages fit: mapped by them or by small ones, split, merged,
/// unmapped and mapped again.
fn story_of_large_pages() -> impl Strategy<Value = Vec<Op>> {
    let target = || prop_oneof![Just(Target::Held(0)), Just(Target::Device(0))];
    let first = (space(), prop_oneof![3 => Just(1_u64), 1 => Just(2)], 1_u64..3, perm());
    first.prop_flat_map(move |(space, n, large, perm)| {
        let place = Place::Large(n);
        let whole = Span { place, length: Length::Large(large, 0), skew: 0 };
        let map = move |target, largest| Op::Map { space, span: whole, target, perm, largest };
        let map = move || (target(), any::<bool>()).prop_map(move |(to, largest)| map(to, largest));
        let part = (1_u64..4).prop_map(move |n| Span { length: Length::Pages(n), ..whole });
        // In the middle of the first large page, or over its end.
        let inner = (1_u64..4).prop_map(Length::Pages);
        let inner = prop_oneof![3 => inner, 1 => Just(whole.length)];
        let inner = inner.prop_map(|length| Span { place: Place::Low(1), length, skew: 0 });
        let part = prop_oneof![1 => part, 2 => inner];
        let merge = Op::Merge { space, place, level: 1 };
        let unmap = Op::Unmap { space, span: whole };
        let sequel = prop_oneof![
            2 => Just(vec![unmap]),
            1 => part.clone().prop_map(move |span| vec![Op::Unmap { space, span }]),
            1 => (part, self::perm())
                .prop_map(move |(span, perm)| vec![Op::Protect { space, span, perm }]),
            2 => Just(vec![Op::Protect { space, span: whole, perm }, merge]),
            1 => (0_usize..3).prop_map(|leave| vec![Op::Drain { leave }]),
            1 => map().prop_map(|map| vec![map]),
            3 => map().prop_map(move |map| vec![unmap, map, merge]),
        ];
        (map(), prop::collection::vec(sequel, 1..5)).prop_map(|(map, sequels)| {
            let mut ops = vec![map];
            ops.extend(sequels.concat());
            ops
        })
    })
}

/// A sequence of up to `n` operations and stories, of so many steps at most. It shrinks by losing
/// single steps, out of stories too.
pub(crate) fn sequence(n: usize, most_steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![
        2 => op().prop_map(|op| vec![op]),
        1 => story().no_shrink(),
        1 => story_of_large_pages().no_shrink(),
        1 => story_of_processes().no_shrink(),
    ];
    let steps = prop::collection::vec((any::<u16>(), prop::bool::weighted(1.0)), most_steps);
    (prop::collection::vec(some, 1..=n), steps).prop_map(|(ops, steps)| {
        let steps = ops.concat().into_iter().zip(steps);
        let kept = steps.filter(|(_, (_, is_kept))| *is_kept);
        kept.map(|(op, (touch, _))| Step { op, touch }).collect()
    })
}
