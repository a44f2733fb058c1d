//! Replays every input in `fuzz/corpus/monitor_line`: lines that fuzzing has found worth keeping.

mod inputs;
#[path = "../../libjos/tests/replay/mod.rs"]
mod replay;

#[test]
#[cfg_attr(miri, ignore = "each boots a machine, and nothing here is unsafe")]
fn lines_at_the_prompt() {
    replay::replay("monitor_line", inputs::run);
}
