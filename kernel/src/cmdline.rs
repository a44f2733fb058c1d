//! The kernel's command line: words between spaces, each an option. What is not known is warned
//! of and ignored, so that a typing mistake never keeps the machine from starting.

use boot::info::Text;
use spin::Once;

use crate::faults::{self, Fault};

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The deliberate fault to commit instead of running the application.
    pub fault: Option<&'static Fault>,
}

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
        match word.as_bytes().strip_prefix(b"test=") {
            Some(name) => match faults::find(name) {
                Some(fault) => options.fault = Some(fault),
                None => {
                    let name = Text::new(name);
                    print!("warning: unknown test \"{name}\" ignored; known tests:");
                    faults::FAULTS.iter().for_each(|fault| print!(" {}", fault.name));
                    println!();
                }
            },
            None => println!(
                "warning: unknown option \"{word}\" ignored; known: test=NAME (help: make help)"
            ),
        }
    }
    options
}
