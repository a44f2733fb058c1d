//! Replays every input in `fuzz/corpus/boot_info` and `fuzz/corpus/device_tree`: boot information from real loaders and
//! from fuzzing.

mod inputs;
#[path = "../../libjos/tests/replay/mod.rs"]
mod replay;

use replay::replay;

#[test]
#[cfg_attr(miri, ignore = "Miri opens no files")]
fn boot_information() {
    replay("boot_info", inputs::run);
}

#[test]
#[cfg_attr(miri, ignore = "Miri opens no files")]
fn device_trees() {
    replay("device_tree", inputs::run_tree);
}
