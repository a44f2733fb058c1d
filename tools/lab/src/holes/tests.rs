//! Bodies taken from a tree and put into another.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::{body, fill, put};
use crate::exercises::Lab;
use crate::files::{own_folder, read, write};

const FILE: &str = "libjos/src/mem/pages/allocator.rs";

/// A file with the hole of exercise 4, and a body in it.
fn file(body: &str) -> String {
    let (from, to) = ("your code from here", "to here");
    format!(
        "a();\n    // exercise 4 (page_alloc): {from}\n{body}    // exercise 4 (page_alloc): {to}\nb();\n"
    )
}

/// A new folder for a test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("lab-holes-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// The lab.
fn lab() -> Lab {
    Lab::read(&own_folder().join("lab2")).unwrap()
}

#[test]
fn a_body_is_put_to_the_byte() {
    let (lab, tree) = (lab(), folder("put"));
    let exercise = lab.exercise("page_alloc").unwrap();
    for text in ["", "one\n", " /*\n\u{85}*/ two\n", "\t\"a\n\n   b\"\n", "three\r\n"] {
        write(&tree.join(FILE), file("old\n")).unwrap();
        put(&tree, exercise, text).unwrap();
        assert_eq!(read(&tree.join(FILE)).unwrap(), file(text));
        assert_eq!(body(&tree, exercise).unwrap(), text.replace("\r\n", "\n"));
    }
    write(&tree.join(FILE), file("old\n")).unwrap();
    fill(&tree, exercise, "  if x {\n      y\n\n  }\n").unwrap();
    assert_eq!(body(&tree, exercise).unwrap(), "    if x {\n        y\n\n    }\n");
    std::fs::remove_dir_all(tree).unwrap();
}

#[test]
fn what_is_no_file_of_the_submission_is_refused() {
    let (lab, other) = (lab(), folder("other"));
    let exercise = lab.exercise("page_alloc").unwrap();
    write(&other.join(FILE), file("stolen\n")).unwrap();
    for link in ["libjos", "libjos/src/mem", FILE] {
        let tree = folder("links");
        write(&tree.join(link), "").unwrap();
        std::fs::remove_file(tree.join(link)).unwrap();
        symlink(other.join(link), tree.join(link)).unwrap();
        let why = format!("{link} is a link, and links are not followed");
        assert_eq!(body(&tree, exercise), Err(why));
        std::fs::remove_dir_all(tree).unwrap();
    }
    let tree = folder("kinds");
    assert!(body(&tree, exercise).unwrap_err().contains("there is no file"));
    std::fs::create_dir_all(tree.join(FILE)).unwrap();
    assert!(body(&tree, exercise).unwrap_err().contains("is no source file"));
    std::fs::remove_dir(tree.join(FILE)).unwrap();
    write(&tree.join(FILE), vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(body(&tree, exercise).unwrap_err().contains("is no source file"));
    write(&tree.join(FILE), [0xff]).unwrap();
    assert!(body(&tree, exercise).unwrap_err().contains("is not text in UTF-8"));
    for (text, why) in [
        ("a", "is missing"),
        (&file("x\n").repeat(2), "more than once"),
        (&file("x\n").replace("    //", "  y //"), "not as they were handed out"),
    ] {
        write(&tree.join(FILE), text).unwrap();
        assert!(body(&tree, exercise).unwrap_err().contains(why), "{text}");
    }
    // A submission may lie behind a link that the grader made.
    symlink(&other, tree.join("root")).unwrap();
    assert_eq!(body(&tree.join("root"), exercise).unwrap(), "stolen\n");
    std::fs::remove_dir_all(tree).unwrap();
    std::fs::remove_dir_all(other).unwrap();
}
