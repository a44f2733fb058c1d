//! Passes `linker.ld` to the linker, with the constants of the memory map as symbols, so that the
//! script repeats none of them. The host's tests link without it.

use std::path::{Path, PathBuf};

use layout::{Jos32, Jos64, JosSv39, KB, MemLayout, PGSIZE};

/// Bytes of memory for the kernel's symbols and source lines. `tools/build/symtab` fills them in, and
/// cuts the file to the part used. A kernel that needs more gets no lines, and the build says so.
const SYMBOLS_ROOM: u64 = 384 * KB;

/// The symbols that `linker.ld` uses, for the memory map `L`.
fn symbols<L: MemLayout>() -> [(&'static str, u64); 6] {
    [
        ("KERNBASE", L::KERNBASE),
        ("WINDOW_SIZE", L::WINDOW_SIZE),
        ("PHYS_BASE", L::PHYS_BASE),
        ("LOAD_ADDR", L::LOAD_ADDR),
        ("PGSIZE", PGSIZE),
        ("SYMBOLS_ROOM", SYMBOLS_ROOM),
    ]
}

fn main() {
    let manifest_dir = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let script = Path::new(&manifest_dir).with_file_name("linker.ld");
    println!("cargo::rerun-if-changed={}", script.display());

    if std::env::var_os("CARGO_CFG_JOS_MACHINE").is_none() {
        assert!(
            std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none"),
            "the flags in .cargo/config.toml are not in force (RUSTFLAGS in the environment takes their place)"
        );
        // In the host's tests the symbols of linker.ld are numbers. GNU ld must not turn their loads from a
        // table into sums with the instruction's address, which it then refuses.
        println!("cargo::rustc-link-arg=-Wl,--no-relax");
        return;
    }
    // The entry point of a PC is linked at its load address, that of RISC-V in the window.
    let (symbols, start) = match std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86") => (symbols::<Jos32>(), "multiboot2_start"),
        Ok("x86_64") => (symbols::<Jos64>(), "multiboot2_start"),
        Ok("riscv64") => (symbols::<JosSv39>(), "sbi_start-KERNBASE+PHYS_BASE"),
        other => panic!("the kernel has no memory map for the architecture {other:?}"),
    };
    archive();
    // The symbols come first, since the script uses them.
    let mut arguments = symbols.map(|(name, value)| format!("--defsym={name}={value:#x}")).to_vec();
    arguments.push(format!("--defsym=_start={start}"));
    arguments.push(format!("-T{}", script.display()));
    // Segments begin at 4 KB boundaries, in memory and in the file.
    arguments.push(format!("-zmax-page-size={PGSIZE}"));
    for argument in &arguments {
        println!("cargo::rustc-link-arg={argument}");
    }
    // Cargo passes link arguments only to this package's images. Applications that are crates of their
    // own get them from here: docs/template/build.rs reads it.
    println!("cargo::metadata=LINK_ARGUMENTS={}", arguments.join("\x1f"));
}

/// Names the archive of programs that the monitor's image carries: make's, or none.
fn archive() {
    let variable = "JOS_PROGRAMS";
    println!("cargo::rerun-if-env-changed={variable}");
    let named = std::env::var_os(variable).filter(|path| !path.is_empty());
    let archive = if let Some(path) = named {
        let path = PathBuf::from(path);
        println!("cargo::rerun-if-changed={}", path.display());
        path
    } else {
        // Cargo is not told of it: it would always be newer than the run of this script that writes it.
        let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
        let empty = Path::new(&out).join("programs.tar");
        std::fs::write(&empty, []).expect("the folder is cargo's own");
        empty
    };
    println!("cargo::rustc-env={variable}={}", archive.display());
}
