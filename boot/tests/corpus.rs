//! Replays every input in `fuzz/corpus/boot_info` and `fuzz/corpus/device_tree`: boot information from real loaders and
//! from fuzzing.

mod inputs;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in corpus.read_dir().expect("a corpus") {
        let path = entry.expect("a file").path();
        println!("{}", path.display());
        run(&std::fs::read(&path).expect("an input"));
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}

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
