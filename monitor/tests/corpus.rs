//! Replays every input in `fuzz/corpus/monitor_line`: lines that fuzzing has found worth keeping.

mod inputs;
#[path = "../../libjos/tests/replay/mod.rs"]
mod replay;

#[test]
fn lines_at_the_prompt() {
    replay::replay("monitor_line", inputs::run);
}
