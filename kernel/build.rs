//! Hands `linker.ld` to the linker, with the numbers of the memory map as symbols, so that the
//! script repeats none of them. Only the kernel's own target is linked so.

use std::path::Path;

use layout::{Jos64, KB, MemLayout, PGSIZE};

/// Bytes of memory that are kept for the kernel's symbols and source lines; `tools/build/symtab` fills them
/// in, and the file has only what is used. A kernel that needs more goes without lines, and the
/// build says so.
const SYMBOLS_ROOM: u64 = 256 * KB;

fn main() {
    let manifest_dir = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let script = Path::new(&manifest_dir).with_file_name("linker.ld");
    println!("cargo::rerun-if-changed={}", script.display());

    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let symbols = [
        ("KERNBASE", Jos64::KERNBASE),
        ("WINDOW_SIZE", Jos64::WINDOW_SIZE),
        ("EXTPHYSMEM", Jos64::EXTPHYSMEM),
        ("PGSIZE", PGSIZE),
        ("SYMBOLS_ROOM", SYMBOLS_ROOM),
    ];
    // The symbols come first: the script is read with them known.
    let mut arguments = symbols.map(|(name, value)| format!("--defsym={name}={value:#x}")).to_vec();
    arguments.push(format!("-T{}", script.display()));
    // Segments begin on pages of 4 KB, in memory and in the file.
    arguments.push(format!("-zmax-page-size={PGSIZE}"));
    for argument in &arguments {
        println!("cargo::rustc-link-arg={argument}");
    }
    // For applications that are crates of their own, since cargo passes arguments to this package's
    // images alone: docs/template/build.rs reads it.
    println!("cargo::metadata=LINK_ARGUMENTS={}", arguments.join("\x1f"));
}
