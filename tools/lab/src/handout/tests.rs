//! Tests of the handout's files.

use super::*;

#[test]
fn a_module_goes_with_its_file() {
    let there = ["tests/lab/own.rs", "tests/lab/folder/mod.rs", "tests/rig/mod.rs"];
    let there = there.map(PathBuf::from).into();
    let text = "mod own;\n#[cfg(test)]\nmod gone;\npub mod folder;\n#[macro_use]\n#[path = \"../rig/mod.rs\"]\nmod rig;\n\
                #[path = \"../model/mod.rs\"]\n#[allow(dead_code)]\nmod model;\nfn f() {}\n\nmod tests;\n";
    let left = "mod own;\npub mod folder;\n#[macro_use]\n#[path = \"../rig/mod.rs\"]\nmod rig;\nfn f() {}\n";
    assert_eq!(without_missing(Path::new("tests/lab/main.rs"), text, &there), left);
}
