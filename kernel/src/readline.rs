//! [`readline`], a line for the monitor, and [`read_line`], a line of any kind. JOS's `lib/readline.c`.

use core::fmt;

use libjos::monitor::line::{
    Complete, EditableText, Fixed, History, LONGEST, LineEditor, LineStatus,
};

use crate::console::{self, Source};

/// What was typed at a prompt.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// A line, empty after Ctrl-C.
    Line {
        /// The line.
        line: T,
        /// Where Enter was typed.
        source: Source,
    },
    /// A line that there is no room for. Nothing of it is left.
    TooLong,
    /// Ctrl-D: there are no more lines.
    EndOfInput,
}

/// Prints `prompt` and reads a line for the monitor, without the heap. (It is not generic, so that
/// gdb and the graders of JOS's labs find one function of this name.)
#[inline(never)]
#[must_use]
pub(crate) fn readline(
    prompt: &str,
    history: &History,
    completer: &dyn Complete,
) -> Answer<Fixed<LONGEST>> {
    read_line(prompt, Some(history), Some(completer))
}

/// Prints `prompt` and reads a line. Up and down bring back those of `history`, if there is one; Tab
/// completes by `completer`, or is a character.
#[must_use]
pub(crate) fn read_line<T: EditableText>(
    prompt: &str,
    history: Option<&History>,
    completer: Option<&dyn Complete>,
) -> Answer<T> {
    let mut editor = LineEditor::new(prompt);
    let mut out = Echo;
    // The console takes everything, so that no write fails.
    let _ = editor.redraw(&mut out);
    loop {
        let (byte, source) = console::read();
        match editor.feed(byte, history, completer, &mut out) {
            Ok(LineStatus::Done | LineStatus::Interrupt) => {
                return Answer::Line { line: editor.into_line(), source };
            }
            Ok(LineStatus::TooLong) => return Answer::TooLong,
            Ok(LineStatus::EndOfInput) => return Answer::EndOfInput,
            Ok(LineStatus::Clear) => {
                console::clear();
                let _ = editor.redraw(&mut out);
            }
            Ok(LineStatus::Pending) | Err(fmt::Error) => {}
        }
    }
}

/// The console, as the editor writes to it.
struct Echo;

impl fmt::Write for Echo {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}
