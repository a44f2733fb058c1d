//! The kernel's command line: words between spaces, each an option, up to `--`; what follows that
//! is the application's. What is not known is warned of and ignored, so that a typing mistake never
//! keeps the machine from starting.

use boot::info::Text;
use libjos::mem::addr::PhysAddr;
use libjos::mem::size::{NoSize, Size};
use log::LevelFilter;
use spin::Once;

use crate::faults::{self, Fault};

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The deliberate fault to commit instead of running the application.
    pub fault: Option<&'static Fault>,
    /// Physical memory from here on is left unused.
    pub memory_limit: Option<PhysAddr>,
    /// Whether the heap is to look for misuse.
    pub heap_poison: bool,
    /// Whether free pages are to be watched for misuse.
    pub pages_poison: bool,
    /// Whether the end is to say if every page has gone back.
    pub leakcheck: bool,
    /// Which of the application's messages are printed.
    pub log: LevelFilter,
}

impl Options {
    /// What an empty command line asks for.
    const fn new() -> Self {
        Self {
            fault: None,
            memory_limit: None,
            heap_poison: false,
            pages_poison: false,
            leakcheck: false,
            log: LevelFilter::Warn,
        }
    }
}

/// The options that there are.
const KNOWN: &str =
    "test=NAME mem=SIZE log=LEVEL heap=poison pages=poison leakcheck -- APPLICATION'S WORDS";

/// The options, and the words for the application.
static OPTIONS: Once<(Options, &'static str)> = Once::new();

/// Reads the command line, with a warning for each word that is no option.
pub(crate) fn init(command_line: Text<'static>) {
    OPTIONS.call_once(|| {
        let (ours, application) = split(command_line.as_bytes());
        let options = parse(Text::new(ours));
        let application = core::str::from_utf8(application).unwrap_or_else(|_| {
            println!("warning: what follows -- is not UTF-8; ignored");
            ""
        });
        (options, application)
    });
}

/// What the command line asked for; nothing, before [`init`].
#[must_use]
pub(crate) fn options() -> Options {
    OPTIONS.get().map_or(Options::new(), |(options, _)| *options)
}

/// What the command line says to the application.
#[must_use]
pub(crate) fn application() -> &'static str {
    OPTIONS.get().map_or("", |(_, application)| application)
}

/// What comes before the word `--`, and what comes after.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
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

fn parse(words: Text<'_>) -> Options {
    let mut options = Options::new();
    let mut unknown = false;
    for word in words.words() {
        if !take(word.as_bytes(), &mut options) {
            println!("warning: unknown option \"{word}\" ignored");
            unknown = true;
        }
    }
    if unknown {
        println!("known: {KNOWN}");
    }
    options
}

/// Takes an option in. Whether it is known.
fn take(word: &[u8], options: &mut Options) -> bool {
    if let Some(name) = word.strip_prefix(b"test=") {
        options.fault = faults::find(name);
        if options.fault.is_none() {
            let name = Text::new(name);
            println!("warning: unknown test \"{name}\" ignored; known tests:");
            for faults in faults::FAULTS.chunks(4) {
                faults.iter().for_each(|fault| print!(" {}", fault.name));
                println!();
            }
        }
        return true;
    }
    if let Some(size) = word.strip_prefix(b"mem=") {
        match core::str::from_utf8(size).map_or(Err(NoSize), str::parse) {
            Ok(Size(size)) => options.memory_limit = Some(PhysAddr::new(size)),
            Err(NoSize) => println!(
                "warning: \"mem={}\" ignored: mem= wants a size such as 64M, 256M or 2G",
                Text::new(size)
            ),
        }
        return true;
    }
    if let Some(level) = word.strip_prefix(b"log=") {
        match core::str::from_utf8(level).ok().and_then(|level| level.parse().ok()) {
            Some(level) => options.log = level,
            None => println!(
                "warning: \"log={}\" ignored: log= wants off, error, warn, info, debug or trace",
                Text::new(level)
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
