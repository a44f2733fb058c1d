//! Sequences of calls, accesses and faults by several environments, against the plain model.

use arbitrary::Unstructured;
use layout::MemLayout;
use libjos::paging::format::Format;
use libjos::sim::mmu::Mmu;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::{cases, env_model};

fn follows_the_model<L: MemLayout, F: Format + Mmu>() {
    let mut runner = TestRunner::new(cases::config(40));
    let bytes = prop::collection::vec(any::<u8>(), 200..1200);
    let followed = runner.run(&bytes, |bytes| {
        env_model::follow::<L, F>(Unstructured::new(&bytes));
        Ok(())
    });
    if let Err(error) = followed {
        panic!("{error}");
    }
}

on_every_format! {
    follows_the_model
}
