//! [`Pager`]: the writer that commands write to. It stops a long listing on Ctrl-C, and waits after each
//! screen if that is wanted.

use core::fmt::{self, Write};

use monitor::line::COLUMNS;

use crate::console::{self, Source};

/// The rows of a screen, without the one for the question.
const ROWS: usize = 24;
/// The question that asks for a key.
const MORE: &str = "-- more --";

/// Whether long output waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Paging {
    /// Always.
    On,
    /// Never.
    Off,
    /// For commands typed on the keyboard: the screen forgets what scrolls off. A terminal on the
    /// serial line does not, and may be a script.
    #[default]
    Auto,
}

impl Paging {
    /// Whether the output of a command typed at `source` waits.
    pub(super) fn waits(self, source: Source) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Auto => source == Source::Keyboard,
        }
    }
}

impl fmt::Display for Paging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Auto => "auto",
        })
    }
}

/// The output of one command, line by line.
pub(super) struct Pager {
    waits: bool,
    /// Rows since the last key.
    rows: usize,
    /// The part of the line at hand, ASCII, that is not printed yet.
    line: [u8; COLUMNS],
    length: usize,
    /// The columns of the line that are printed already.
    column: usize,
}

impl Pager {
    /// A pager for one command, that waits after each screen if `waits` says so.
    pub(super) fn new(waits: bool) -> Self {
        Self { waits, rows: 0, line: [0; COLUMNS], length: 0, column: 0 }
    }

    /// Prints the part of the line that is not printed yet.
    pub(super) fn flush(&mut self) {
        print!("{}", core::str::from_utf8(&self.line[..self.length]).unwrap_or_default());
        self.column += self.length;
        self.length = 0;
    }

    /// Ends a line; an error if the reader wants no more.
    fn end_line(&mut self) -> fmt::Result {
        self.flush();
        println!();
        self.rows += 1 + self.column.saturating_sub(1) / COLUMNS;
        self.column = 0;
        if console::interrupted() {
            println!("^C");
            return Err(fmt::Error);
        }
        Ok(())
    }

    /// Waits for a key: space for another screen, Enter for another line, q or Ctrl-C for the end.
    fn ask(&mut self) -> fmt::Result {
        print!("{MORE}");
        loop {
            match console::read().0 {
                b' ' => {
                    self.rows = 0;
                    break;
                }
                b'\n' => {
                    self.rows = ROWS - 1;
                    break;
                }
                b'q' | b'Q' | 0x03 => {
                    println!();
                    return Err(fmt::Error);
                }
                _ => print!("\x07"),
            }
        }
        print!("\r{:1$}\r", "", MORE.len());
        Ok(())
    }
}

impl Write for Pager {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            // Not already at the end of the last row: there may be no more to come.
            if self.waits && self.rows >= ROWS {
                self.ask()?;
            }
            if c == '\n' {
                self.end_line()?;
                continue;
            }
            if self.length == self.line.len() {
                self.flush();
            }
            // A loader's names may be anything; `Text` has made their control characters harmless.
            self.line[self.length] = if c.is_ascii() { c as u8 } else { b'?' };
            self.length += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
