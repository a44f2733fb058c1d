//! Reading a line: [`readline`] for the monitor, and [`read_line`] for any caller. JOS's
//! `lib/readline.c`.

use core::fmt;

use monitor::line::{Complete, EditableText, Fixed, History, LONGEST, LineEditor, LineStatus};

use crate::console::{self, Source};

/// The user's answer at a prompt.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// A line, empty after Ctrl-C.
    Line {
        /// The line.
        line: T,
        /// The device on which Enter was typed.
        source: Source,
    },
    /// A line that memory does not suffice for. It was dropped.
    TooLong,
    /// Ctrl-D: no more lines follow.
    EndOfInput,
}

/// Waits for a typed byte. May print meanwhile, and call the function that it is given: that shows the prompt and the
/// line again.
pub(crate) type Read<'a> = dyn FnMut(&mut dyn FnMut()) -> (u8, Source) + 'a;

/// Prints `prompt` and reads a line for the monitor, byte by byte by `read`, without using the heap. The up and down
/// keys recall lines of `history`; Tab completes by `completer`. (It is not generic, so that gdb and the graders of
/// JOS's labs find a single function of this name.)
#[inline(never)]
#[must_use]
pub(crate) fn readline(
    prompt: &str,
    history: &History,
    completer: &dyn Complete,
    read: &mut Read<'_>,
) -> Answer<Fixed<LONGEST>> {
    edit(prompt, Some(history), Some(completer), read)
}

/// Prints `prompt` and reads a line.
#[must_use]
pub(crate) fn read_line<T: EditableText>(prompt: &str) -> Answer<T> {
    edit(prompt, None, None, |_| console::read())
}

/// Prints `prompt` and reads a line, byte by byte by `read`.
fn edit<T: EditableText>(
    prompt: &str,
    history: Option<&History>,
    completer: Option<&dyn Complete>,
    mut read: impl FnMut(&mut dyn FnMut()) -> (u8, Source),
) -> Answer<T> {
    let mut editor = LineEditor::new(prompt);
    let mut out = Echo;
    // Writing to the console never fails.
    let _ = editor.redraw(&mut out);
    loop {
        let (byte, source) = read(&mut || {
            let _ = editor.redraw(&mut out);
        });
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

/// The console, as the line editor's output.
struct Echo;

impl fmt::Write for Echo {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
