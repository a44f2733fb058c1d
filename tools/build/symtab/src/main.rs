//! `symtab [--names] [--no-missing] [-v] SOURCE RESULT`: copies a linked kernel, and adds the names of its
//! functions for the kernel itself and for gdb.
//!
//! The kernel's backtraces and its monitor read a table of symbols and source lines
//! ([`libjos::symtab`] defines it), which goes into the room that `linker.ld` keeps for it. The file
//! grows by the size of the table, not of the room. If the table does not fit, it goes without source
//! lines, with a warning: a missing aid to debugging must not fail an application's build. With `--names`
//! it goes without them in any case.
//!
//! gdb reads the ELF symbols, to which this adds plain names for JOS's functions ([`plain`]). A name
//! without a function is a warning, or with `--no-missing` an error; `-v` lists functions and their names.

mod image;
mod names;
mod plain;
mod read;

use std::error::Error;
use std::process::ExitCode;

use libjos::symtab::Builder;

use image::Image;
use plain::Plan;
use read::Kernel;

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1);
    let (options, files): (Vec<_>, Vec<_>) = arguments.partition(|it| it.starts_with('-'));
    let known = |option: &String| ["--names", "--no-missing", "-v"].contains(&option.as_str());
    let (true, [source, result]) = (options.iter().all(known), files.as_slice()) else {
        eprintln!("usage: symtab [--names] [--no-missing] [-v] SOURCE RESULT");
        return ExitCode::FAILURE;
    };
    match complete(source, result, |option| options.iter().any(|it| it == option)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("symtab: {source}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn complete(
    source: &str,
    result: &str,
    is_set: impl Fn(&str) -> bool,
) -> Result<(), Box<dyn Error>> {
    let bytes = std::fs::read(source)?;
    let kernel = Kernel::parse(&bytes)?;
    let mut image = Image::parse(&bytes)?;
    image.fill(table(source, &kernel, image.room(), !is_set("--names"))?)?;

    let functions = kernel.functions();
    let Plan { added, missing } = Plan::new(plain::NAMES, &functions);
    if !missing.is_empty() {
        let missing = format!("no function {} (renamed, or inlined?)", missing.join(", "));
        if is_set("--no-missing") {
            let list = "tools/build/symtab/src/plain.rs lists the names that gdb's users rely on";
            return Err(format!("{missing}; {list}").into());
        }
        eprintln!("symtab: {source}: {missing}; gdb will not find it");
    }
    for (name, address, path) in added {
        image.call(address, name);
        if is_set("-v") {
            println!("{address:#x} {name} = {path}");
        }
    }
    std::fs::write(result, image.write()?)?;
    // The result is as executable as the source.
    std::fs::set_permissions(result, std::fs::metadata(source)?.permissions())?;
    Ok(())
}

/// Builds the table of symbols, with source lines if they are asked for and fit into the `room`.
fn table(
    source: &str,
    kernel: &Kernel<'_>,
    room: usize,
    lines: bool,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut names_only = Builder::new();
    kernel.symbols(&mut names_only);
    let mut complete = names_only.clone();
    if lines {
        kernel.rows(&mut complete)?;
    }
    let (names_only, complete) = (names_only.build()?, complete.build()?);
    if complete.len() <= room {
        return Ok(complete);
    }
    if names_only.len() < complete.len() {
        eprintln!(
            "symtab: {source} has {} bytes of symbols and source lines, but room for {room}: its \
             backtraces will be without lines (SYMBOLS_ROOM in kernel/build.rs gives the room)",
            complete.len()
        );
    }
    if names_only.len() <= room {
        return Ok(names_only);
    }
    eprintln!("symtab: {source} has no room even for names: its backtraces will be numbers");
    Ok(Vec::new())
}
