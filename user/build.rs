//! Passes `user.ld` to the linker, with the constants of the memory map as symbols, so that the script
//! repeats none of them.

use std::path::Path;

use layout::{Jos32, Jos64, MemLayout, PGSIZE};

fn main() {
    let manifest_dir = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let script = Path::new(&manifest_dir).join("user.ld");
    println!("cargo::rerun-if-changed={}", script.display());
    if std::env::var_os("CARGO_CFG_JOS_MACHINE").is_none() {
        return;
    }
    let utext = match std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86") => Jos32::UTEXT,
        Ok("x86_64") => Jos64::UTEXT,
        other => panic!("there are no programs for the architecture {other:?}"),
    };
    // The symbols come first, since the script uses them.
    for argument in [
        format!("--defsym=UTEXT={utext:#x}"),
        format!("--defsym=PGSIZE={PGSIZE:#x}"),
        format!("-T{}", script.display()),
        // The kernel copies segments, and maps none from the file: so they need not begin there as in their page.
        "-zmax-page-size=32".to_owned(),
        "-zcommon-page-size=32".to_owned(),
        "--gc-sections".to_owned(),
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
