//! The kernel's command line: options separated by spaces, up to `--`; the words after that are the
//! application's. An unknown option gives a warning and is ignored, so that a typing mistake never
//! keeps the machine from starting.

use boot::info::LoaderText;
use layout::MemLayout;
use libjos::mem::addr::PhysAddr;
use libjos::mem::size::{NoSize, Size};
use log::LevelFilter;
use spin::Once;

use crate::arch::Layout;
use crate::faults;
use crate::faults::fault::FaultTest;

/// The options of the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The deliberate fault to commit instead of running the application.
    pub fault: Option<&'static FaultTest>,
    /// The program to run before the application.
    pub program: Option<&'static str>,
    /// Leave physical memory from this address on unused.
    pub memory_limit: Option<PhysAddr>,
    /// Make the heap look for misuse.
    pub heap_poison: bool,
    /// Watch free pages for misuse.
    pub pages_poison: bool,
    /// Say at the end whether every page was given back.
    pub leakcheck: bool,
    /// Which of the application's messages are printed.
    pub log: LevelFilter,
}

impl Options {
    /// The options of an empty command line.
    const fn new() -> Self {
        Self {
            fault: None,
            program: None,
            memory_limit: None,
            heap_poison: false,
            pages_poison: false,
            leakcheck: false,
            log: LevelFilter::Warn,
        }
    }
}

/// The known options, for the warning.
const KNOWN: &str = "test=NAME run=PROGRAM mem=SIZE log=LEVEL heap=poison pages=poison leakcheck -- APPLICATION'S WORDS";

/// The options, and the words for the application.
static OPTIONS: Once<(Options, &'static str)> = Once::new();

/// Reads the command line, with a warning for each unknown option.
pub(crate) fn init(command_line: LoaderText<'static>) {
    OPTIONS.call_once(|| {
        let (ours, application) = split(command_line.as_bytes());
        let options = parse(LoaderText::new(ours));
        let application = core::str::from_utf8(application).unwrap_or_else(|_| {
            println!("warning: what follows -- is not UTF-8; ignored");
            ""
        });
        (options, application)
    });
}

/// The options of the command line; before [`init`], those of an empty one.
#[must_use]
pub(crate) fn options() -> Options {
    OPTIONS.get().map_or(Options::new(), |(options, _)| *options)
}

/// The application's part of the command line.
#[must_use]
pub(crate) fn application() -> &'static str {
    OPTIONS.get().map_or("", |(_, application)| application)
}

/// Splits `line` at the word `--`: the part before it, and the part after it.
fn split(line: &'static [u8]) -> (&'static [u8], &'static [u8]) {
    let is_end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    let dashes = line.windows(2).enumerate().position(|(at, word)| {
        let before = at.checked_sub(1).and_then(|before| line.get(before));
        word == b"--" && is_end(before) && is_end(line.get(at + 2))
    });
    match dashes {
        Some(at) => (&line[..at], line[at + 2..].trim_ascii()),
        None => (line, b""),
    }
}

fn parse(words: LoaderText<'static>) -> Options {
    let mut options = Options::new();
    let mut unknown = false;
    for word in words.words() {
        if !apply(word.as_bytes(), &mut options) {
            println!("warning: unknown option \"{word}\" ignored");
            unknown = true;
        }
    }
    if unknown {
        println!("known: {KNOWN}");
    }
    options
}

/// Sets the option that `word` asks for. Returns whether it is known.
fn apply(word: &'static [u8], options: &mut Options) -> bool {
    if let Some(name) = word.strip_prefix(b"test=") {
        options.fault = faults::find(name);
        if options.fault.is_none() {
            let name = LoaderText::new(name);
            println!("warning: unknown test \"{name}\" ignored; known tests:");
            for (i, fault) in faults::all().enumerate() {
                print!("{} {}", if i > 0 && i % 4 == 0 { "\n" } else { "" }, fault.name);
            }
            println!();
        }
        return true;
    }
    if let Some(name) = word.strip_prefix(b"run=") {
        match core::str::from_utf8(name) {
            Ok(name) => options.program = Some(name),
            Err(_) => println!(
                "warning: \"run={}\" ignored: no program has this name",
                LoaderText::new(name)
            ),
        }
        return true;
    }
    if let Some(size) = word.strip_prefix(b"mem=") {
        match core::str::from_utf8(size).map_or(Err(NoSize), str::parse) {
            Ok(Size(size)) => {
                let limit = Layout::PHYS_BASE.saturating_add(size);
                options.memory_limit = Some(PhysAddr::new(limit));
            }
            Err(NoSize) => println!(
                "warning: \"mem={}\" ignored: mem= wants a size such as 64M, 256M or 2G",
                LoaderText::new(size)
            ),
        }
        return true;
    }
    if let Some(level) = word.strip_prefix(b"log=") {
        match core::str::from_utf8(level).ok().and_then(|level| level.parse().ok()) {
            Some(level) => options.log = level,
            None => println!(
                "warning: \"log={}\" ignored: log= wants off, error, warn, info, debug or trace",
                LoaderText::new(level)
            ),
        }
        return true;
    }
    match word {
        b"heap=poison" => options.heap_poison = true,
        b"pages=poison" => options.pages_poison = true,
        b"leakcheck" => options.leakcheck = true,
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests;
