//! `run`, `continue` and the single step: environments run from the prompt, and behind it.

use core::fmt::{self, Write};

use libjos::env::archive::Archive;
use monitor::line::COLUMNS;
use monitor::{Arguments, CommandError};

use crate::arch::user::RUNS_PROGRAMS;
use crate::console::{self, Source};
use crate::pmap;
use crate::programs::{self, Files, Origin};
use crate::user::{self, Mode, Stop};

/// The answer of a machine without user mode.
const NO_PROGRAMS: &str = "this machine runs no programs yet";
/// The byte that Ctrl-C sends.
const CTRL_C: u8 = 0x03;

/// Whether environments run while the prompt waits for a key.
#[derive(Default)]
pub(super) struct Background(bool);

impl Background {
    /// Waits for a typed byte. Environments run meanwhile, if they are to; `redraw` shows the prompt below their
    /// output.
    pub(super) fn read(&mut self, redraw: &mut dyn FnMut()) -> (u8, Source) {
        while self.0 && user::can_run() {
            if let Some(typed) = console::try_read() {
                if typed.0 == CTRL_C {
                    self.0 = false;
                    console::fresh_line();
                    say_stopped();
                    redraw();
                }
                return typed;
            }
            self.0 = user::run(Mode::Background) == Stop::Typed;
            if console::at_line_start() {
                redraw();
            }
        }
        self.0 = false;
        console::read()
    }
}

/// `run [PROGRAM [&]]`: makes an environment, and runs all.
pub(super) fn run<'w>(
    arguments: &Arguments<'w>,
    background: &mut Background,
    out: &mut dyn Write,
) -> Result<(), CommandError<'w>> {
    let (words, behind) = ampersand(arguments.words());
    let name = match words {
        [] if !behind => return Ok(list(out)?),
        [] => return Err(CommandError::Missing),
        [name] => name,
        [_, word, ..] => return Err(CommandError::Surplus(word)),
    };
    if create(name, out) {
        start(behind, background);
    }
    Ok(())
}

/// `continue [&]`: goes on with environments that have stopped.
pub(super) fn cont<'w>(
    arguments: &Arguments<'w>,
    background: &mut Background,
) -> Result<(), CommandError<'w>> {
    let (words, behind) = ampersand(arguments.words());
    if let Some(word) = words.first() {
        return Err(CommandError::Surplus(word));
    }
    if user::can_run() {
        start(behind, background);
    } else {
        println!("no environment can run");
    }
    Ok(())
}

/// Runs one instruction of the environment that has stopped.
pub(super) fn step<'w>(
    arguments: &Arguments<'w>,
    background: &mut Background,
) -> Result<(), CommandError<'w>> {
    arguments.none()?;
    background.0 = false;
    match user::step() {
        None => println!("no environment has stopped while it ran"),
        Some(Stop::Stepped) => user::print_registers(&mut pmap::lock()),
        Some(_) => say_stopped(),
    }
    Ok(())
}

/// The words without a last one that is `&`, and whether there is that.
fn ampersand<'a, 'w>(words: &'a [&'w str]) -> (&'a [&'w str], bool) {
    match words {
        [words @ .., "&"] => (words, true),
        words => (words, false),
    }
}

/// Runs environments now, or while the prompt waits.
fn start(behind: bool, background: &mut Background) {
    background.0 = behind;
    if !behind {
        go_on();
    }
}

/// Runs environments until none can run, or they are stopped.
pub(super) fn go_on() {
    if user::run(Mode::Foreground) == Stop::Interrupted {
        console::fresh_line();
        println!("^C");
        say_stopped();
    }
}

/// Says which environment ran when all were stopped.
fn say_stopped() {
    if let Some((id, name, pc)) = user::stopped() {
        println!("environment {id} ({name}) has stopped at {pc}; `continue` goes on");
    }
}

/// Makes an environment of the program `name`. If that fails, writes why.
pub(super) fn create(name: &str, out: &mut dyn Write) -> bool {
    if !RUNS_PROGRAMS {
        println!("{NO_PROGRAMS}");
        return false;
    }
    let Some(binary) = programs::find(name) else {
        // A reader who has seen enough of the list stops it.
        let _ = writeln!(out, "there is no program \"{name}\"").and_then(|()| list(out));
        return false;
    };
    let made = user::create(name, binary);
    if let Err(error) = made {
        println!("{name} cannot be run: {error}");
    }
    made.is_ok()
}

/// Whether no program is in `archive`.
fn is_empty(archive: &Archive<'_>) -> bool {
    let mut empty = true;
    archive.for_each_name(|_| empty = false);
    empty
}

/// Lists all programs, by where they come from.
fn list(out: &mut dyn Write) -> fmt::Result {
    if !RUNS_PROGRAMS {
        return writeln!(out, "{NO_PROGRAMS}");
    }
    let mut any = false;
    for (origin, files) in programs::all() {
        let place = |out: &mut dyn Write| match origin {
            Origin::Module(number) => write!(out, "module {number}"),
            Origin::Image => write!(out, "the kernel's image"),
        };
        match files {
            Files::Nothing(_) if origin == Origin::Image => continue,
            Files::Archive(archive) if is_empty(&archive) => {
                if origin == Origin::Image {
                    continue;
                }
                place(out)?;
                writeln!(out, " is an archive of no programs")?;
            }
            Files::Nothing(error) => {
                place(out)?;
                writeln!(out, " is neither a program nor an archive: {error}")?;
            }
            Files::Program(file) => {
                place(out)?;
                writeln!(out, " is one program of {} bytes, with any name", file.len())?;
            }
            Files::Archive(archive) => {
                out.write_str("in ")?;
                place(out)?;
                out.write_str(":\n")?;
                let (mut column, mut result) = (0, Ok(()));
                archive.for_each_name(|name| {
                    if column + 1 + name.len() >= COLUMNS {
                        result = result.and_then(|()| out.write_str("\n"));
                        column = 0;
                    }
                    result = result.and_then(|()| write!(out, " {name}"));
                    column += 1 + name.len();
                });
                result?;
                out.write_str("\n")?;
            }
        }
        any = true;
    }
    if !any {
        writeln!(out, "there are no programs: MODULE=FILE gives the kernel some")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
