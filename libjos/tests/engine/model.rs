//! Sequences of operations against a plain model, on every format: results and errors, what is
//! mapped, tables, counts and the free list, and what a processor with a warm TLB does.
//!
//! Two things keep failures small: operations name few addresses and few frames, and proptest
//! takes operations away until none can go. To see more of them: `PROPTEST_CASES=10000 cargo test
//! --release -p libjos --test engine model::`.

use layout::{Jos32, Jos64, JosSv39, MemLayout};
use libjos::paging::format::Format;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::sim::mmu::Mmu;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use crate::layouts::{Jos57, JosSv48};
use crate::plain::rig::Rig;
use crate::{cases, strategies};

/// Runs sequences on a machine with the map `L` and the format `F`.
fn follows_the_model<L: MemLayout, F: Format + Mmu>() {
    let steps = if cfg!(miri) { strategies::sequence(2, 2) } else { strategies::sequence(12, 48) };
    let sequence = (prop::bool::weighted(0.1), steps);
    let mut runner = TestRunner::new(cases::config(if cfg!(miri) { 1 } else { 48 }));
    let result = runner.run(&sequence, |(small_only, steps)| {
        let mut rig = Rig::<L, F>::new(!small_only);
        for step in &steps {
            rig.step(step);
        }
        rig.finish();
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, (small_only, steps))) => {
            let steps: String = steps.iter().map(|step| format!("    {step:?}\n")).collect();
            panic!("{reason}, by (small pages only: {small_only})\n{steps}");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn jos64() {
    follows_the_model::<Jos64, X86_64>();
}

#[test]
#[cfg_attr(miri, ignore = "mem_init.rs runs its unsafe code")]
fn jos32() {
    follows_the_model::<Jos32, I386>();
}

#[test]
#[cfg_attr(miri, ignore = "mem_init.rs runs its unsafe code")]
fn jossv39() {
    follows_the_model::<JosSv39, Sv39>();
}

#[test]
#[cfg_attr(miri, ignore = "as four levels")]
fn five_levels() {
    follows_the_model::<Jos57, La57>();
}

#[test]
#[cfg_attr(miri, ignore = "as Sv39")]
fn sv48() {
    follows_the_model::<JosSv48, Sv48>();
}
