//! The kernel's command line: words between spaces, each an option. What is not known is warned
//! of and ignored, so that a typing mistake never keeps the machine from starting.

use boot::info::Text;
use layout::{GB, KB, MB};
use libjos::addr::PhysAddr;
use spin::Once;

use crate::faults::{self, Fault};

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The deliberate fault to commit instead of running the application.
    pub fault: Option<&'static Fault>,
    /// Physical memory from here on is left unused.
    pub memory_limit: Option<PhysAddr>,
}

/// The options that there are.
const KNOWN: &str = "test=NAME mem=SIZE";

static OPTIONS: Once<Options> = Once::new();

/// Reads the command line, with a warning for each word that is no option.
pub fn init(command_line: Text<'_>) {
    OPTIONS.call_once(|| parse(command_line));
}

/// What the command line asked for; nothing, before [`init`].
#[must_use]
pub fn options() -> Options {
    OPTIONS.get().copied().unwrap_or_default()
}

fn parse(command_line: Text<'_>) -> Options {
    let mut options = Options::default();
    for word in command_line.words() {
        let bytes = word.as_bytes();
        if let Some(name) = bytes.strip_prefix(b"test=") {
            match faults::find(name) {
                Some(fault) => options.fault = Some(fault),
                None => {
                    let name = Text::new(name);
                    print!("warning: unknown test \"{name}\" ignored; known tests:");
                    faults::FAULTS.iter().for_each(|fault| print!(" {}", fault.name));
                    println!();
                }
            }
        } else if let Some(size) = bytes.strip_prefix(b"mem=") {
            match parse_size(size) {
                Some(size) => options.memory_limit = Some(PhysAddr::new(size)),
                None => println!(
                    "warning: \"{word}\" ignored: mem= wants a size such as 64M, 256M or 2G"
                ),
            }
        } else {
            println!(
                "warning: unknown option \"{word}\" ignored; known: {KNOWN} (help: make help)"
            );
        }
    }
    options
}

/// A number of bytes, or with K, M or G behind it of kilobytes and so on.
fn parse_size(text: &[u8]) -> Option<u64> {
    let (digits, unit) = match text.split_last()? {
        (b'K' | b'k', digits) => (digits, KB),
        (b'M' | b'm', digits) => (digits, MB),
        (b'G' | b'g', digits) => (digits, GB),
        _ => (text, 1),
    };
    // from_str_radix takes a sign too.
    let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
