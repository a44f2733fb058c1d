//! [`Pager`]: where commands write. It stops a long listing on Ctrl-C, and waits after each screen
//! where that is wanted.

use core::fmt::{self, Write};

use libjos::monitor::line::COLUMNS;

use crate::console::{self, Source};

/// Rows of a screen, without the one for the question.
const ROWS: usize = 24;
/// What asks for a key.
const MORE: &str = "-- more --";

/// Whether long output waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paging {
    /// Always.
    On,
    /// Never.
    Off,
    /// Where the keyboard asked for it: the screen forgets what scrolls off. A terminal on the
    /// serial line does not, and may be a script.
    Auto,
}

impl Paging {
    /// Whether the output of a command waits that was typed at `source`.
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

/// Output of a command, line by line.
pub(super) struct Pager {
    waits: bool,
    /// Rows since the last key.
    rows: usize,
    /// The line at hand, ASCII, as far as it is not printed yet.
    line: [u8; COLUMNS],
    length: usize,
    /// Columns of it that are printed already.
    column: usize,
}

impl Pager {
    /// For one command; `waits` says whether it waits after each screen.
    pub(super) fn new(waits: bool) -> Self {
        Self { waits, rows: 0, line: [0; COLUMNS], length: 0, column: 0 }
    }

    /// Prints what is not printed yet.
    pub(super) fn flush(&mut self) {
        print!("{}", core::str::from_utf8(&self.line[..self.length]).unwrap_or_default());
        self.column += self.length;
        self.length = 0;
    }

    /// Ends a line; an error where the reader wants no more.
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

    /// Waits for a key: space for a screen more, Enter for a line more, q or Ctrl-C for no more.
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
            // Not at the screen's end, where there may be no more to come.
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
            // Names of a loader may be anything; `Text` has made control characters harmless.
            self.line[self.length] = if c.is_ascii() { c as u8 } else { b'?' };
            self.length += 1;
        }
        Ok(())
    }
}
