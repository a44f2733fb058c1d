//! What fuzzing has found worth keeping, done again: every input in `fuzz/corpus`.

mod inputs;
mod layouts;
mod plain;

use std::path::Path;

use inputs::{lines, operations};

/// Runs all inputs of a fuzz target. (A panic prints the name of the input.)
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in corpus.read_dir().expect("a corpus") {
        let path = entry.expect("a file").path();
        let input = std::fs::read(&path).expect("an input");
        println!("{}", path.display());
        run(&input);
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

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
