//! `symtab [--names] SOURCE RESULT`: copies a linked kernel, and writes its symbols and source lines into the
//! room that `linker.ld` keeps for them, the section `.symbols`.
//!
//! The kernel's backtraces and its monitor read the table ([`libjos::symtab`] defines it). The file
//! grows by what the table takes, not by the room. A
//! table that does not fit goes without source lines, with a warning: an application is never
//! refused for what only helps to debug it. With `--names` it goes without them in any case.

mod names;
mod read;
mod room;

use std::error::Error;
use std::process::ExitCode;

use libjos::symtab::Builder;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (lines, source, result) = match *arguments.as_slice() {
        ["--names", source, result] => (false, source, result),
        [source, result] => (true, source, result),
        _ => {
            eprintln!("usage: symtab [--names] SOURCE RESULT");
            return ExitCode::FAILURE;
        }
    };
    match embed(source, result, lines) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("symtab: {source}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn embed(source: &str, result: &str, lines: bool) -> Result<(), Box<dyn Error>> {
    let mut bytes = std::fs::read(source)?;
    let kernel = read::Kernel::parse(&bytes)?;
    let room = kernel.room()?;

    let mut names_only = Builder::new();
    kernel.symbols(&mut names_only);
    let mut complete = names_only.clone();
    if lines {
        kernel.rows(&mut complete)?;
    }

    let complete = complete.build()?;
    let table =
        if complete.len() <= room.size() { complete.clone() } else { names_only.build()? };
    if table.len() < complete.len() {
        eprintln!(
            "symtab: {source} has {} bytes of symbols and source lines, but room for {}: its \
             backtraces will be without lines (SYMBOLS_ROOM in kernel/build.rs gives the room)",
            complete.len(),
            room.size()
        );
    }
    if table.len() <= room.size() {
        room.fill(&mut bytes, &table)?;
    } else {
        eprintln!("symtab: {source} has no room even for names: its backtraces will be numbers");
        room.fill(&mut bytes, &[])?;
    }
    std::fs::write(result, bytes)?;
    // The result is run and debugged like the source.
    std::fs::set_permissions(result, std::fs::metadata(source)?.permissions())?;
    Ok(())
}
