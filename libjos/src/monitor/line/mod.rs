//! [`LineEditor`]: a line as it is typed, byte by byte. It knows no device: it is fed bytes, and
//! what the terminal is to show it writes to whatever it is given.
//!
//! It shows its work by characters, spaces and backspaces alone, so that a bare screen without
//! escape sequences serves as well as a terminal. For that, prompt and line must fit on one row.
//! The keys are those of most shells, see [`Key`]; [`History`] holds earlier lines.
//!
//! The invariant: the line is printable ASCII, and the cursor is within it.

mod history;
mod keys;
#[cfg(test)]
mod tests;

pub use history::History;
pub use keys::{Key, KeyDecoder};

use core::fmt::{self, Write};

/// Columns of the screens that a line is made for.
pub const COLUMNS: usize = 80;
/// The longest line: with a prompt of three characters it leaves the last column free, where
/// terminals differ in what they do.
pub const LONGEST: usize = COLUMNS - 1 - 3;
/// Words that are listed at most when Tab finds several.
const MOST_LISTED: usize = 120;

/// What can stand where the cursor is.
pub trait Complete {
    /// Calls `each` with every word that may follow `before`, which ends where the word begins
    /// that Tab was pressed in. Those that do not begin as that word does are passed over.
    fn candidates(&self, before: &str, word: &str, each: &mut dyn FnMut(&str));
}

/// What a byte did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The line goes on.
    Pending,
    /// The line is complete.
    Done,
    /// The line was given up (Ctrl-C), and is empty now.
    Interrupt,
    /// The screen is to be cleared, and then the line [redrawn](LineEditor::redraw).
    Clear,
}

/// A line that is being typed.
#[derive(Debug)]
pub struct LineEditor<'a> {
    prompt: &'a str,
    line: Buffer,
    cursor: usize,
    keys: KeyDecoder,
    /// How many lines back in the history the line comes from; 0 is one of its own.
    back: usize,
    /// The line of its own, while another is shown.
    own: Buffer,
    /// The bell has rung for want of room; once is enough.
    rung: bool,
}

/// A line in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Buffer {
    pub(crate) const EMPTY: Self = Self { bytes: [0; LONGEST], length: 0 };

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only printable ASCII is ever put in.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn set(&mut self, text: &[u8]) {
        self.length = text.len().min(LONGEST);
        self.bytes[..self.length].copy_from_slice(&text[..self.length]);
    }
}

impl<'a> LineEditor<'a> {
    /// An empty line behind `prompt`.
    #[must_use]
    pub fn new(prompt: &'a str) -> Self {
        let (line, own) = (Buffer::EMPTY, Buffer::EMPTY);
        Self { prompt, line, cursor: 0, keys: KeyDecoder::new(), back: 0, own, rung: false }
    }

    /// The line as it stands.
    #[must_use]
    pub fn line(&self) -> &str {
        self.line.as_str()
    }

    /// Takes a byte that was typed, and writes to `out` what the terminal is to show.
    ///
    /// # Errors
    ///
    /// What `out` reports.
    pub fn feed(
        &mut self,
        byte: u8,
        history: &History,
        complete: &dyn Complete,
        out: &mut dyn Write,
    ) -> Result<Outcome, fmt::Error> {
        let Some(key) = self.keys.feed(byte) else { return Ok(Outcome::Pending) };
        let (cursor, length) = (self.cursor, self.line.length);
        match key {
            Key::Character(byte) => self.insert(&[byte], out)?,
            Key::Enter => {
                self.move_to(length, out)?;
                out.write_str("\n")?;
                return Ok(Outcome::Done);
            }
            Key::Interrupt => {
                self.move_to(length, out)?;
                out.write_str("^C\n")?;
                (self.line, self.cursor) = (Buffer::EMPTY, 0);
                return Ok(Outcome::Interrupt);
            }
            Key::Clear => return Ok(Outcome::Clear),
            Key::Left if cursor > 0 => self.move_to(cursor - 1, out)?,
            Key::Right if cursor < length => self.move_to(cursor + 1, out)?,
            Key::Home => self.move_to(0, out)?,
            Key::End => self.move_to(length, out)?,
            Key::Backspace if cursor > 0 => self.remove(cursor - 1, cursor, out)?,
            Key::Delete if cursor < length => self.remove(cursor, cursor + 1, out)?,
            Key::KillToStart if cursor > 0 => self.remove(0, cursor, out)?,
            Key::KillToEnd if cursor < length => self.remove(cursor, length, out)?,
            Key::KillWord if cursor > 0 => self.remove(self.word_start(), cursor, out)?,
            Key::Up => self.recall(self.back + 1, history, out)?,
            Key::Down if self.back > 0 => self.recall(self.back - 1, history, out)?,
            Key::Tab => self.complete(complete, out)?,
            _ => out.write_str("\x07")?,
        }
        Ok(Outcome::Pending)
    }

    /// Shows prompt and line once more, on a fresh row.
    ///
    /// # Errors
    ///
    /// What `out` reports.
    pub fn redraw(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{}{}", self.prompt, self.line())?;
        back(self.line.length - self.cursor, out)
    }

    /// Moves the cursor.
    fn move_to(&mut self, to: usize, out: &mut dyn Write) -> fmt::Result {
        let from = core::mem::replace(&mut self.cursor, to);
        match self.line.as_str().get(from..to) {
            Some(passed) => out.write_str(passed),
            None => back(from - to, out),
        }
    }

    /// Puts `text` in at the cursor, as far as there is room.
    fn insert(&mut self, text: &[u8], out: &mut dyn Write) -> fmt::Result {
        let Buffer { bytes, length } = &mut self.line;
        let text = &text[..text.len().min(LONGEST - *length)];
        if text.is_empty() {
            let rung = core::mem::replace(&mut self.rung, true);
            return if rung { Ok(()) } else { out.write_str("\x07") };
        }
        bytes.copy_within(self.cursor..*length, self.cursor + text.len());
        bytes[self.cursor..self.cursor + text.len()].copy_from_slice(text);
        *length += text.len();
        self.move_to(self.cursor + text.len(), out)?;
        self.show_from_cursor(0, out)
    }

    /// Takes out the characters `[start, end)`; the cursor goes there.
    fn remove(&mut self, start: usize, end: usize, out: &mut dyn Write) -> fmt::Result {
        self.move_to(start, out)?;
        let Buffer { bytes, length } = &mut self.line;
        bytes.copy_within(end..*length, start);
        *length -= end - start;
        self.rung = false;
        self.show_from_cursor(end - start, out)
    }

    /// Shows all from the cursor on, and blanks `blanks` columns behind it; the cursor stays.
    fn show_from_cursor(&self, blanks: usize, out: &mut dyn Write) -> fmt::Result {
        let rest = self.line.as_str().get(self.cursor..).unwrap_or_default();
        write!(out, "{rest}{:blanks$}", "")?;
        back(rest.len() + blanks, out)
    }

    /// Shows another line in the place of this one.
    fn replace(&mut self, line: &Buffer, out: &mut dyn Write) -> fmt::Result {
        self.move_to(0, out)?;
        let old = self.line.length;
        self.line = *line;
        self.rung = false;
        self.move_to(line.length, out)?;
        self.show_from_cursor(old.saturating_sub(line.length), out)
    }

    /// Shows the line that is `back` lines back in the history.
    fn recall(&mut self, back: usize, history: &History, out: &mut dyn Write) -> fmt::Result {
        let own = self.own;
        let line = match back {
            0 => &own,
            _ => match history.get(back) {
                Some(line) => line,
                None => return out.write_str("\x07"),
            },
        };
        if self.back == 0 {
            self.own = self.line;
        }
        self.back = back;
        self.replace(line, out)
    }

    /// Where the word before the cursor begins, with the spaces behind it.
    fn word_start(&self) -> usize {
        let before = &self.line()[..self.cursor];
        before.trim_end().rfind(' ').map_or(0, |space| space + 1)
    }

    /// Where the name before the cursor begins: after a space, or a sign of a sum.
    fn name_start(&self) -> usize {
        let before = &self.line()[..self.cursor];
        let sign = |(at, c): (usize, char)| {
            c == ' ' || c == '+' || c == '-' && !before[..at].ends_with(' ')
        };
        before.char_indices().rev().find(|&(at, c)| sign((at, c))).map_or(0, |(at, _)| at + 1)
    }

    /// Completes the name before the cursor as far as all candidates agree, or lists them.
    fn complete(&mut self, complete: &dyn Complete, out: &mut dyn Write) -> fmt::Result {
        let start = self.name_start();
        let (before, word) = self.line()[..self.cursor].split_at(start);
        let mut common = Buffer::EMPTY;
        let (mut is_any, mut is_one) = (false, true);
        for_each(complete, before, word, &mut |candidate| {
            if !is_any {
                is_any = true;
                common.set(candidate.as_bytes());
            } else {
                is_one &= common.as_bytes() == candidate.as_bytes();
                let same = common.as_bytes().iter().zip(candidate.bytes());
                common.length = same.take_while(|(a, b)| **a == *b).count();
            }
        });
        let typed = word.len();
        if !is_any {
            return out.write_str("\x07");
        }
        if common.length > typed || is_one {
            let mut rest = Buffer::EMPTY;
            rest.set(&common.as_bytes()[typed..]);
            self.insert(rest.as_bytes(), out)?;
            return if is_one { self.insert(b" ", out) } else { Ok(()) };
        }
        self.list(complete, start, out)
    }

    /// Lists the candidates for the name that begins at `start`, below the line, and shows the
    /// line again.
    fn list(&self, complete: &dyn Complete, start: usize, out: &mut dyn Write) -> fmt::Result {
        let (before, word) = self.line()[..self.cursor].split_at(start);
        let (mut column, mut listed, mut result) = (COLUMNS, 0, Ok(()));
        for_each(complete, before, word, &mut |candidate| {
            listed += 1;
            if result.is_err() || listed > MOST_LISTED {
                return;
            }
            // Columns of 16 characters, or as many of them as it takes.
            let width = (candidate.len() + 2).next_multiple_of(16);
            if column + width > COLUMNS {
                result = out.write_str("\n");
                column = 0;
            }
            column += width;
            result = result.and_then(|()| write!(out, "{candidate:<width$}"));
        });
        result?;
        if listed > MOST_LISTED {
            write!(out, "\n... and {} more", listed - MOST_LISTED)?;
        }
        out.write_str("\n")?;
        self.redraw(out)
    }
}

/// Calls `each` with the candidates that begin with `word` and could be typed; of equal ones in a
/// row with the first.
fn for_each(complete: &dyn Complete, before: &str, word: &str, each: &mut dyn FnMut(&str)) {
    let mut last = Buffer::EMPTY;
    complete.candidates(before, word, &mut |candidate| {
        let printable = candidate.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = candidate.len() <= LONGEST && candidate.as_bytes() != last.as_bytes();
        if printable && fits && candidate.starts_with(word) {
            last.set(candidate.as_bytes());
            each(candidate);
        }
    });
}

/// Moves the terminal's cursor left.
fn back(columns: usize, out: &mut dyn Write) -> fmt::Result {
    (0..columns).try_for_each(|_| out.write_str("\x08"))
}
