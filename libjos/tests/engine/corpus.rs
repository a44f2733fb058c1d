//! Replays every input in `fuzz/corpus/operations`: those that fuzzing has found worth keeping.

use crate::inputs;
use crate::replay::replay;

#[test]
#[cfg_attr(miri, ignore = "many machines; model.rs runs a few under Miri")]
fn sequences_of_operations() {
    replay("operations", inputs::run);
}
