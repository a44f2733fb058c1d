//! Inputs that fuzzing has found worth keeping, done again.

use std::path::Path;

/// Runs all inputs of a fuzz target, from `fuzz/corpus`. (A panic prints the name of the input.)
pub(crate) fn replay(target: &str, run: fn(&[u8])) {
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
