//! Replays every input in `fuzz/corpus`: those that fuzzing has found worth keeping.

use crate::inputs::{lines, operations};
use crate::replay::replay;

#[test]
#[cfg_attr(miri, ignore = "many machines; model.rs runs a few under Miri")]
fn sequences_of_operations() {
    replay("operations", operations::run);
}

#[test]
#[cfg_attr(miri, ignore = "each boots a machine, and nothing here is unsafe")]
fn lines_at_the_prompt() {
    replay("monitor_line", lines::run);
}
