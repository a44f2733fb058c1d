//! Replays every input in `fuzz/corpus/operations`: those that fuzzing has found worth keeping.

use crate::inputs;
use crate::replay::replay;

#[test]
fn sequences_of_operations() {
    replay("operations", inputs::run);
}
