//! The work of the contestants in their turns, which is the same for each.

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
/// Operations per sample, if a single one would be too short for the clock.
const BATCH: u64 = 10_000;

/// Maps all frames, into empty tables each time.
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

/// Maps all frames in the application's part, where each mapping is counted.
pub(crate) fn map_counted<const LARGE: bool>(turn: &mut Turn) {
    let pages = if LARGE { PageSize::Large } else { PageSize::Small };
    let mut tables = Counted::new(turn.memory);
    turn.measure(1, &mut tables, Counted::reset, |tables| {
        tables.map(black_box(USER_VA), black_box(FRAMES.start), black_box(SIZE), pages);
    });
    if turn.first {
        verify(&tables, USER_VA, FRAMES.start, SIZE, pages);
    }
}

/// Numbers of pages and frames, in the order of mapping and unmapping.
type Order = fn() -> Vec<(u64, u64)>;

/// The pages of one table in turn, and frames in turn.
pub(crate) fn in_turn() -> Vec<(u64, u64)> {
    (0..BATCH).map(|i| (i % 512, i % 512)).collect()
}

/// The pages of one table in turn, and frames that look random.
pub(crate) fn frames_shuffled() -> Vec<(u64, u64)> {
    shuffled().into_iter().zip(0..BATCH).map(|(frame, i)| (i % 512, frame)).collect()
}

/// Pages that look random, each with its own frame.
pub(crate) fn all_shuffled() -> Vec<(u64, u64)> {
    shuffled().into_iter().take(BATCH as usize).map(|i| (i, i)).collect()
}

/// Maps and unmaps pages; their tables stay.
pub(crate) fn map_unmap<T: SinglePages>(turn: &mut Turn, order: Order) {
    let address = |(page, frame)| [USER_VA + page * PGSIZE, FRAMES.start + frame * PGSIZE];
    let mut tables = T::new(turn.memory);
    tables.keep_frames();
    // Makes all tables.
    for page in 0..NFRAMES {
        let [va, pa] = address((page, page));
        tables.map_page(va, pa);
        tables.unmap_page(va);
    }
    let order: Vec<[u64; 2]> = order().into_iter().map(address).collect();
    assert_eq!(order.len() as u64, BATCH);
    turn.measure(BATCH, &mut tables, |_| (), |tables| tables.map_unmap(black_box(&order)));
    if turn.first {
        let [va, pa] = address((9, 5));
        tables.map_page(va, pa);
        assert_eq!(walk(T::KIND, turn.memory, tables.root(), va), Some((pa, PGSIZE)));
        tables.unmap_page(va);
        assert_eq!(walk(T::KIND, turn.memory, tables.root(), va), None);
        // Checks loops that are not Rust's too: they unmap their page and leave this one.
        tables.map_page(va, pa);
        tables.map_unmap(&[address((8, 5))]);
        assert_eq!(walk(T::KIND, turn.memory, tables.root(), va), Some((pa, PGSIZE)));
        assert_eq!(walk(T::KIND, turn.memory, tables.root(), va - PGSIZE), None);
    }
}

/// Makes tables that map 256 MB.
fn mapped<T: Translate>(turn: &Turn) -> T {
    let mut tables = T::new(turn.memory);
    tables.map(KERNEL_VA, FRAMES.start, SIZE, PageSize::Small);
    tables
}

/// Translates all pages; the number of each comes from the frame of the one before.
pub(crate) fn chain<T: Translate>(turn: &mut Turn) {
    let mut tables = mapped::<T>(turn);
    // Page order[i] leads to frame order[i + 1]: one long cycle.
    let order = shuffled();
    for (i, page) in order.iter().enumerate() {
        let next = order[(i + 1) % order.len()];
        remap(turn, tables.root(), KERNEL_VA + page * PGSIZE, FRAMES.start + next * PGSIZE);
    }
    let mut va = KERNEL_VA + order[0] * PGSIZE;
    if turn.first {
        for next in order[1..].iter().chain([&order[0]]) {
            va = tables.chain(va, 1);
            assert_eq!(va, KERNEL_VA + next * PGSIZE);
        }
    }
    turn.measure(NFRAMES, &mut tables, |_| (), |tables| va = black_box(tables.chain(va, NFRAMES)));
}

/// Changes the frame of a mapped page, in the entry itself.
fn remap(turn: &Turn, root: u64, va: u64, pa: u64) {
    const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;
    let mut at = root + ((va >> 39) & 511) * 8;
    for shift in [30, 21, 12] {
        at = (turn.memory.load(at) & ADDRESS) + ((va >> shift) & 511) * 8;
    }
    turn.memory.store(at, turn.memory.load(at) & !ADDRESS | pa);
}

/// Translates all pages in random order.
pub(crate) fn stream<T: Translate>(turn: &mut Turn) {
    let mut tables = mapped::<T>(turn);
    let addresses: Vec<u64> = shuffled().iter().map(|page| KERNEL_VA + page * PGSIZE).collect();
    let expected =
        addresses.iter().map(|va| va - KERNEL_VA + FRAMES.start).fold(0, u64::wrapping_add);
    turn.measure(
        NFRAMES,
        &mut tables,
        |_| (),
        |tables| assert_eq!(tables.sum(black_box(&addresses)), expected),
    );
}

/// Frees an address space, whose frames are in order or shuffled.
pub(crate) fn tear<T: TearDown, const SHUFFLED: bool>(turn: &mut Turn) {
    let order = if SHUFFLED { shuffled() } else { (0..NFRAMES).collect() };
    let pas: Vec<u64> = order.into_iter().map(|frame| FRAMES.start + frame * PGSIZE).collect();
    let ntables = (TABLES.end - TABLES.start) / PGSIZE - 1;
    let mut tables = T::new(turn.memory);
    let mut run = false;
    let prepare = |tables: &mut T| {
        if run {
            assert_eq!(tables.nfree() as u64, ntables + NFRAMES, "{}", std::any::type_name::<T>());
        }
        run = true;
        tables.fill(USER_VA, &pas);
    };
    turn.measure(1, &mut tables, prepare, |tables| tables.tear_down(black_box(USER_VA), SIZE));
    assert_eq!(tables.nfree() as u64, ntables + NFRAMES);
}

/// Allocates and frees one frame, repeatedly.
pub(crate) fn alloc_free<A: Frames>(turn: &mut Turn) {
    let mut frames = A::new(turn.memory);
    if turn.first {
        let (a, b) = (frames.alloc(), frames.alloc());
        assert!(a != b, "one frame twice");
        frames.free(b);
        frames.free(a);
    }
    // Another frame stays in use, so that a buddy allocator finds a single frame.
    let _in_use = frames.alloc();
    turn.measure(BATCH, &mut frames, |_| (), |frames| frames.alloc_free(BATCH));
}

/// Allocates most frames, and frees them in a shuffled order.
pub(crate) fn alloc_free_random<A: Frames>(turn: &mut Turn) {
    const N: usize = 60_000;
    let mut frames = A::new(turn.memory);
    let order: Vec<usize> = shuffled().into_iter().map(|i| i as usize).filter(|i| *i < N).collect();
    let mut taken = Vec::with_capacity(N);
    turn.measure(
        N as u64,
        &mut frames,
        |_| (),
        |frames| frames.alloc_free_all(&mut taken, black_box(&order)),
    );
}

/// Allocates and frees 2 MB, a large page, while half of all such runs are in use.
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

/// Allocates and frees runs of 1 to 128 frames, of which some thousand are always in use, in a shuffled
/// order.
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

/// The numbers below `NFRAMES`, shuffled, in the same order each time.
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
