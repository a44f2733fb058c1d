//! [`readline`]: a line from the console. JOS's `lib/readline.c`.

use core::fmt;

use libjos::monitor::line::{Complete, History, LONGEST, LineEditor, Outcome};

use crate::console::{self, Source};

/// A line, and where it was typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    bytes: [u8; LONGEST],
    length: usize,
    /// Where Enter was typed.
    pub source: Source,
}

impl Line {
    /// What was typed.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        // A line is printable ASCII.
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// Prints `prompt`, reads a line and returns it, and keeps it in `history`. What is too long is cut
/// off, with the bell; Ctrl-C gives an empty line.
#[inline(never)]
#[must_use]
pub(crate) fn readline(prompt: &str, history: &mut History, complete: &dyn Complete) -> Line {
    let mut editor = LineEditor::new(prompt);
    let mut out = Echo;
    // The console takes everything, so that no write fails.
    let _ = editor.redraw(&mut out);
    let source = loop {
        let (byte, source) = console::read();
        match editor.feed(byte, history, complete, &mut out) {
            Ok(Outcome::Done | Outcome::Interrupt) => break source,
            Ok(Outcome::Clear) => {
                console::clear();
                let _ = editor.redraw(&mut out);
            }
            Ok(Outcome::Pending) | Err(fmt::Error) => {}
        }
    };
    history.push(editor.line());
    let mut line = Line { bytes: [0; LONGEST], length: editor.line().len(), source };
    line.bytes[..line.length].copy_from_slice(editor.line().as_bytes());
    line
}

/// The console, as the editor writes to it.
struct Echo;

impl fmt::Write for Echo {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}
