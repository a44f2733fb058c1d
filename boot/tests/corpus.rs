//! Replays every input in `fuzz/corpus/boot_info`: boot information from real loaders and from fuzzing.

mod inputs;

use std::path::Path;

#[test]
#[cfg_attr(miri, ignore = "Miri opens no files")]
fn boot_information() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/boot_info");
    let mut count = 0;
    for entry in corpus.read_dir().expect("a corpus") {
        let path = entry.expect("a file").path();
        println!("{}", path.display());
        inputs::run(&std::fs::read(&path).expect("an input"));
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}
