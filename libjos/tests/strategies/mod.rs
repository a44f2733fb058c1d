//! How proptest makes sequences of operations. Half of them come as stories of one range, which by
//! chance alone would be too rare.

use libjos::format::Perm;
use proptest::prelude::*;

use crate::plain::ops::{Length, Op, Place, Span, Step, Target};

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        8 => (-2_i64..4).prop_map(Place::Low),
        6 => (1_u64..4).prop_map(Place::Large),
        3 => (-2_i64..2).prop_map(Place::Far),
        2 => (-3_i64..0).prop_map(Place::Top),
        3 => prop_oneof![0_u64..4, 510_u64..514].prop_map(Place::Mmio),
        1 => (0_u64..2).prop_map(Place::Beyond),
    ]
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
        Just(Perm::KR),
        Just(Perm::KRW),
        Just(Perm::UR),
        Just(Perm::URW),
        Just(Perm::UR | Perm::X),
        Just(Perm::UR | Perm::COW),
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
    ]
}

/// What else happens to a range that was mapped.
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

/// A sequence of up to `n` operations and stories, 48 steps at most. It shrinks by losing single
/// steps, out of stories too.
pub(crate) fn sequence(n: usize) -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![
        2 => op().prop_map(|op| vec![op]),
        1 => story().no_shrink(),
        1 => story_of_large_pages().no_shrink()
    ];
    let steps = prop::collection::vec((any::<u16>(), prop::bool::weighted(1.0)), 48);
    (prop::collection::vec(some, 1..=n), steps).prop_map(|(ops, steps)| {
        let steps = ops.concat().into_iter().zip(steps);
        let kept = steps.filter(|(_, (_, is_kept))| *is_kept);
        kept.map(|(op, (touch, _))| Step { op, touch }).collect()
    })
}
