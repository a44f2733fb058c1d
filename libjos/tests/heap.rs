//! The heap against a model: sequences of operations on blocks whose places, alignment and
//! contents are known, with and without poison, with pages that run out at each step.

mod blocks;
mod cases;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use blocks::{Blocks, Step};

/// A sequence of operations.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![
        8 => 1_usize..=160,
        8 => 16_usize..=4096,
        4 => 4090_usize..=5000,
        3 => 4096_usize..=150_000,
        2 => 900_000_usize..=2_500_000,
        1 => Just(0_usize),
    ];
    let log2 = prop_oneof![10 => 0_u32..=4, 3 => 5_u32..=12, 1 => 13_u32..=21];
    let step = prop_oneof![
        6 => (size.clone(), log2).prop_map(|(size, log2)| Step::Alloc(size, 1 << log2)),
        4 => any::<prop::sample::Index>().prop_map(Step::Free),
        3 => (any::<prop::sample::Index>(), size).prop_map(|(i, size)| Step::Realloc(i, size)),
        1 => Just(Step::Trim),
    ];
    prop::collection::vec(step, 1..if cfg!(miri) { 12 } else { 200 })
}

fn follows_the_model(poison: bool) {
    TestRunner::new(cases::config(64))
        .run(&steps(), |steps| {
            let mut blocks = Blocks::new(poison);
            steps.iter().for_each(|step| blocks.step(step));
            blocks.finish();
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn heap_follows_the_model() {
    follows_the_model(false);
}

#[test]
fn poisoned_heap_follows_the_model() {
    follows_the_model(true);
}

/// Each time the heap asks for pages there are none, once; and each sequence ends well.
#[test]
fn heap_out_of_pages_at_each_step() {
    TestRunner::new(cases::config(12))
        .run(&(steps(), any::<bool>()), |(steps, poison)| {
            for calls in 0.. {
                let mut blocks = Blocks::new(poison);
                blocks.heap.pages().fail_after(calls);
                steps.iter().for_each(|step| blocks.step(step));
                let failed = blocks.heap.pages().has_failed();
                blocks.finish();
                if !failed {
                    break;
                }
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// With few pages, what is kept for later goes back before there is an error.
#[test]
fn heap_with_few_pages() {
    let sequence = (steps(), 0_usize..400, any::<bool>());
    TestRunner::new(cases::config(64))
        .run(&sequence, |(steps, pages, poison)| {
            let mut blocks = Blocks::new(poison);
            blocks.heap.pages().limit(pages);
            steps.iter().for_each(|step| blocks.step(step));
            blocks.finish();
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
