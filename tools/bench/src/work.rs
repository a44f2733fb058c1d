//! What contestants do in their turns, the same for each.

use std::hint::black_box;

use layout::PGSIZE;

use crate::frames::{Frames, Runs};
use crate::harness::Turn;
use crate::jos::Counted;
use crate::memory::{FRAMES, NFRAMES, TABLES};
use crate::tables::{
    KERNEL_VA, PageSize, SinglePages, Tables, TearDown, Translate, USER_VA, verify, walk,
};

const SIZE: u64 = NFRAMES * PGSIZE;
/// Operations of one sample, where one would be too short for the clock.
const BATCH: u64 = 10_000;

/// Maps all of it, into tables that are empty each time.
pub(crate) fn map<T: Tables, const LARGE: bool>(turn: &mut Turn) {
    let pages = if LARGE { PageSize::Large } else { PageSize::Small };
    let mut tables = T::new(turn.memory);
    turn.measure(1, &mut tables, T::reset, |tables| {
        tables.map(black_box(KERNEL_VA), black_box(FRAMES.start), black_box(SIZE), pages);
    });
    if turn.first {
        verify(&tables, KERNEL_VA, FRAMES.start, SIZE, pages);
    }
}

/// The same in the application's part, where each page is counted.
pub(crate) fn map_counted(turn: &mut Turn) {
    let mut tables = Counted::new(turn.memory);
    turn.measure(1, &mut tables, Counted::reset, |tables| {
        tables.map(black_box(USER_VA), black_box(FRAMES.start), black_box(SIZE), PageSize::Small);
    });
    if turn.first {
        verify(&tables, USER_VA, FRAMES.start, SIZE, PageSize::Small);
    }
}

/// Maps and unmaps a page again and again, whose table stays.
pub(crate) fn map_unmap<T: SinglePages, const SAME: bool>(turn: &mut Turn) {
    let mut tables = T::new(turn.memory);
    tables.keep_frames();
    // So that all tables are there.
    for page in 0..NFRAMES {
        tables.map_page(USER_VA + page * PGSIZE, FRAMES.start + page * PGSIZE);
        tables.unmap_page(USER_VA + page * PGSIZE);
    }
    let order: Vec<u64> = if SAME { vec![77; BATCH as usize] } else { shuffled() };
    turn.measure(
        BATCH,
        &mut tables,
        |_| (),
        |tables| {
            for page in &black_box(&order)[..BATCH as usize] {
                let offset = page * PGSIZE;
                tables.map_page(USER_VA + offset, FRAMES.start + offset);
                // The entry is there for all to see, before it goes again.
                black_box(&mut *tables).unmap_page(USER_VA + offset);
            }
        },
    );
    if turn.first {
        let (va, pa) = (USER_VA + 9 * PGSIZE, FRAMES.start + 5 * PGSIZE);
        tables.map_page(va, pa);
        assert_eq!(walk(T::KIND, turn.memory, tables.root(), va), Some((pa, PGSIZE)));
        tables.unmap_page(va);
        assert_eq!(walk(T::KIND, turn.memory, tables.root(), va), None);
    }
}

/// Tables in which 256 MB are mapped.
fn mapped<T: Translate>(turn: &Turn) -> T {
    let mut tables = T::new(turn.memory);
    tables.map(KERNEL_VA, FRAMES.start, SIZE, PageSize::Small);
    tables
}

/// A walk through all pages, in which each page's number comes from the frame of the one before.
pub(crate) fn chain<T: Translate>(turn: &mut Turn) {
    let mut tables = mapped::<T>(turn);
    // Page order[i] leads to frame order[i + 1]: one long cycle.
    let order = shuffled();
    for (i, page) in order.iter().enumerate() {
        let next = order[(i + 1) % order.len()];
        remap(turn, tables.root(), KERNEL_VA + page * PGSIZE, FRAMES.start + next * PGSIZE);
    }
    let follow = |tables: &T, va: u64| KERNEL_VA + (tables.translate(va) - FRAMES.start);
    let mut va = KERNEL_VA + order[0] * PGSIZE;
    if turn.first {
        for next in order[1..].iter().chain([&order[0]]) {
            va = follow(&tables, va);
            assert_eq!(va, KERNEL_VA + next * PGSIZE);
        }
    }
    turn.measure(
        NFRAMES,
        &mut tables,
        |_| (),
        |tables| {
            for _ in 0..NFRAMES {
                va = follow(tables, va);
            }
            black_box(va);
        },
    );
}

/// Changes the frame of a page that is mapped, in the entry itself.
fn remap(turn: &Turn, root: u64, va: u64, pa: u64) {
    const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;
    let mut at = root + ((va >> 39) & 511) * 8;
    for shift in [30, 21, 12] {
        at = (turn.memory.load(at) & ADDRESS) + ((va >> shift) & 511) * 8;
    }
    turn.memory.store(at, turn.memory.load(at) & !ADDRESS | pa);
}

/// All pages in random order.
pub(crate) fn stream<T: Translate>(turn: &mut Turn) {
    let mut tables = mapped::<T>(turn);
    let addresses: Vec<u64> = shuffled().iter().map(|page| KERNEL_VA + page * PGSIZE).collect();
    let expected =
        addresses.iter().map(|va| va - KERNEL_VA + FRAMES.start).fold(0, u64::wrapping_add);
    turn.measure(
        NFRAMES,
        &mut tables,
        |_| (),
        |tables| {
            let addresses = black_box(&addresses).iter();
            let sum = addresses.map(|va| tables.translate(*va)).fold(0, u64::wrapping_add);
            assert_eq!(sum, expected);
        },
    );
}

/// Frees an address space.
pub(crate) fn tear<T: TearDown>(turn: &mut Turn) {
    let ntables = (TABLES.end - TABLES.start) / PGSIZE - 1;
    let mut tables = T::new(turn.memory);
    let mut run = false;
    let prepare = |tables: &mut T| {
        if run {
            assert_eq!(tables.nfree() as u64, ntables + NFRAMES);
        }
        run = true;
        tables.fill(USER_VA);
    };
    turn.measure(1, &mut tables, prepare, |tables| tables.tear_down(black_box(USER_VA), SIZE));
    assert_eq!(tables.nfree() as u64, ntables + NFRAMES);
}

/// The frame freed last is the one allocated next.
pub(crate) fn alloc_free<A: Frames>(turn: &mut Turn) {
    let mut frames = A::new(turn.memory);
    if turn.first {
        let (a, b) = (frames.alloc(), frames.alloc());
        assert!(a != b, "one frame twice");
        frames.free(b);
        frames.free(a);
    }
    // Something is always in use: a buddy allocator then finds one frame alone.
    let _in_use = frames.alloc();
    turn.measure(
        BATCH,
        &mut frames,
        |_| (),
        |frames| {
            for _ in 0..BATCH {
                let frame = frames.alloc();
                frames.free(black_box(frame));
            }
        },
    );
}

/// Most frames are taken, and come back in an order that looks random.
pub(crate) fn alloc_free_random<A: Frames>(turn: &mut Turn) {
    const N: usize = 60_000;
    let mut frames = A::new(turn.memory);
    let order: Vec<usize> = shuffled().into_iter().map(|i| i as usize).filter(|i| *i < N).collect();
    let mut taken = Vec::with_capacity(N);
    turn.measure(
        N as u64,
        &mut frames,
        |_| (),
        |frames| {
            taken.clear();
            taken.extend((0..N).map(|_| frames.alloc()));
            for i in &order {
                frames.free(taken[*i]);
            }
        },
    );
}

/// 2 MB, the large page, with half of its peers in use.
pub(crate) fn large_run<A: Runs>(turn: &mut Turn) {
    const ORDER: u32 = 9;
    let mut frames = A::new(turn.memory);
    let all: Vec<_> = (0..NFRAMES >> ORDER).map(|_| frames.alloc_run(ORDER)).collect();
    assert!(all.iter().all(|run| A::number(*run).is_multiple_of(1 << ORDER)), "not aligned");
    all.into_iter().step_by(2).for_each(|run| frames.free_run(run, ORDER));
    turn.measure(
        BATCH / 100,
        &mut frames,
        |_| (),
        |frames| {
            for _ in 0..BATCH / 100 {
                let run = frames.alloc_run(ORDER);
                frames.free_run(black_box(run), ORDER);
            }
        },
    );
}

/// Runs of 1 to 128 frames, of which some thousand are always in use; the one that is freed looks
/// random.
pub(crate) fn mixed_runs<A: Runs>(turn: &mut Turn) {
    const IN_USE: usize = 1 << 11;
    const N: usize = 10_000;
    let mut frames = A::new(turn.memory);
    let random: Vec<usize> = shuffled().into_iter().map(|i| i as usize).collect();
    // Half of them are single frames, a quarter pairs, and so on.
    let order = |i: usize| (random[i % random.len()] as u32 | 1 << 7).trailing_zeros();
    let mut in_use: Vec<_> = (0..IN_USE).map(|i| (frames.alloc_run(order(i)), order(i))).collect();
    let mut turns = 0;
    turn.measure(
        N as u64,
        &mut frames,
        |_| (),
        |frames| {
            for _ in 0..N {
                turns += 1;
                let place = &mut in_use[random[turns % random.len()] % IN_USE];
                frames.free_run(place.0, place.1);
                let order = order(turns + turns / random.len());
                *place = (frames.alloc_run(order), order);
            }
        },
    );
}

/// The numbers below `NFRAMES` in an order that looks random and is always the same.
fn shuffled() -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..NFRAMES).collect();
    let mut random: u64 = 0x2545_F491_4F6C_DD1D;
    for i in (1..numbers.len()).rev() {
        // xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        numbers.swap(i, (random % (i as u64 + 1)) as usize);
    }
    numbers
}
