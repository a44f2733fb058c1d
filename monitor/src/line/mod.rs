//! [`LineEditor`]: a line as it is typed, byte by byte. It knows no device: it is fed bytes, and gives
//! a writer the text for the terminal.
//!
//! The line takes one row of the screen, behind the prompt if the prompt leaves room for it. A longer
//! line shows only the part around the cursor until Enter. The keys are those of most shells, see [`Key`]; [`History`]
//! holds earlier lines. A line is taken whole or refused whole: if there was no room for a part of it, it ends as
//! [`LineStatus::TooLong`].
//!
//! The invariant: the line holds no control characters but tabs, and the cursor is within it,
//! between two characters.

mod complete;
mod history;
mod keys;
mod row;
#[cfg(test)]
mod tests;
mod text;

pub use complete::Complete;
pub use history::History;
pub use keys::{Key, KeyDecoder};
pub use row::{COLUMNS, width};
pub use text::{EditableText, Fixed, Full, LONGEST};

use core::fmt::{self, Write};
use core::mem::take;
use core::ops::Range;

use complete::{agreed, list, name_start};
use row::{Row, columns, combining, fitting};
use text::part;

/// The fewest columns for a line behind its prompt. A prompt that leaves fewer gets a row of its own.
const NARROWEST: usize = 16;
/// The byte that rings the terminal's bell.
const BELL: &str = "\x07";

/// The status of a line after a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineStatus {
    /// The line goes on.
    Pending,
    /// The line is complete.
    Done,
    /// The line would be complete, but a part of it was lost for lack of room.
    TooLong,
    /// The line was given up (Ctrl-C), and is empty now.
    Interrupt,
    /// There are no more lines (Ctrl-D on an empty line).
    EndOfInput,
    /// The screen is to be cleared, and then the line [redrawn](LineEditor::redraw).
    Clear,
}

/// A line that is being typed.
#[derive(Debug, Default)]
pub struct LineEditor<'a, T> {
    prompt: &'a str,
    line: T,
    /// The byte of the line before which the cursor stands.
    cursor: usize,
    keys: KeyDecoder,
    /// There was no room for something that was typed; the bell has rung for it.
    lost: bool,
    /// How many lines back in the history the line comes from; 0 for a new line.
    back: usize,
    /// The new line, while one of the history is shown.
    own: T,
    /// The byte of the line that the row begins with.
    first: usize,
    row: Row,
}

impl<'a, T: EditableText> LineEditor<'a, T> {
    /// An empty line behind `prompt`.
    #[must_use]
    pub fn new(prompt: &'a str) -> Self {
        Self { prompt, ..Self::default() }
    }

    /// The line as it stands.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Gives up the editor for the line.
    #[must_use]
    pub fn into_line(self) -> T {
        self.line
    }

    /// Takes a byte that was typed, and writes the text for the terminal to `out`. Without
    /// `completer`, Tab is a character like any.
    ///
    /// # Errors
    ///
    /// The error of `out`.
    pub fn feed(
        &mut self,
        byte: u8,
        history: Option<&History>,
        completer: Option<&dyn Complete>,
        out: &mut dyn Write,
    ) -> Result<LineStatus, fmt::Error> {
        let mut status = LineStatus::Pending;
        for key in self.keys.feed(byte) {
            status = self.press(key, history, completer, out)?;
        }
        Ok(status)
    }

    fn press(
        &mut self,
        key: Key,
        history: Option<&History>,
        completer: Option<&dyn Complete>,
        out: &mut dyn Write,
    ) -> Result<LineStatus, fmt::Error> {
        let (cursor, length) = (self.cursor, self.line.len());
        match key {
            Key::Character(c) => self.type_in(c, out)?,
            Key::Tab => match completer {
                Some(completer) => self.complete(completer, out)?,
                None => self.type_in('\t', out)?,
            },
            Key::Enter => {
                self.finish(out)?;
                out.write_str("\n")?;
                return Ok(if self.lost { LineStatus::TooLong } else { LineStatus::Done });
            }
            Key::Interrupt => {
                self.finish(out)?;
                out.write_str("^C\n")?;
                *self = Self::new(self.prompt);
                return Ok(LineStatus::Interrupt);
            }
            Key::EndOrDelete if length == 0 => {
                out.write_str("^D\n")?;
                return Ok(LineStatus::EndOfInput);
            }
            Key::Clear => return Ok(LineStatus::Clear),
            Key::Left if cursor > 0 => self.move_to(self.before(), out)?,
            Key::Right if cursor < length => self.move_to(self.behind(), out)?,
            Key::Home => self.move_to(0, out)?,
            Key::End => self.move_to(length, out)?,
            Key::Backspace if cursor > 0 => self.remove(self.before()..cursor, out)?,
            Key::Delete | Key::EndOrDelete if cursor < length => {
                self.remove(cursor..self.behind(), out)?;
            }
            Key::KillToStart if cursor > 0 => self.remove(0..cursor, out)?,
            Key::KillToEnd if cursor < length => self.remove(cursor..length, out)?,
            Key::KillWord if cursor > 0 => self.remove(self.word_start()..cursor, out)?,
            Key::Up => self.recall(self.back + 1, history, out)?,
            Key::Down if self.back > 0 => self.recall(self.back - 1, history, out)?,
            _ => out.write_str(BELL)?,
        }
        Ok(LineStatus::Pending)
    }

    /// Shows prompt and line once more, on a fresh row.
    ///
    /// # Errors
    ///
    /// The error of `out`.
    pub fn redraw(&mut self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(self.prompt)?;
        if self.prompt_columns() > COLUMNS - 1 - NARROWEST {
            out.write_str("\n")?;
        }
        self.row = Row::default();
        self.show(out)
    }

    /// The columns of the prompt's last row.
    fn prompt_columns(&self) -> usize {
        columns(self.prompt.rsplit('\n').next().unwrap_or_default()) % COLUMNS
    }

    /// The columns for the line. The screen's last column is left free, since terminals differ there.
    fn room(&self) -> usize {
        match (COLUMNS - 1).saturating_sub(self.prompt_columns()) {
            room @ NARROWEST.. => room,
            _ => COLUMNS - 1,
        }
    }

    /// Shows the part of the line that the cursor is in.
    fn show(&mut self, out: &mut dyn Write) -> fmt::Result {
        let room = self.room();
        let (before, cursor) = (part(&self.line, ..self.cursor), self.cursor);
        let first = self.first.min(cursor);
        let fits = fitting(part(before, first..).chars(), room) == cursor - first;
        // A cursor at the row's start would hide what Backspace takes out.
        self.first = if fits && first < cursor {
            first
        } else {
            let first = cursor - fitting(before.chars().rev(), room / 2);
            // An accent without its letter would go to the prompt.
            first + combining(part(before, first..))
        };
        let rest = part(&self.line, self.first..);
        let mut shown = Fixed::<{ row::BYTES }>::EMPTY;
        for c in part(rest, ..fitting(rest.chars(), room)).chars() {
            // The width of a tab would depend on its column.
            let c = if c == '\t' { ' ' } else { c };
            let _ = shown.replace(shown.len()..shown.len(), c.encode_utf8(&mut [0; 4]));
        }
        self.row.show(&shown, cursor - self.first, out)
    }

    /// Moves the cursor to the end, since the line is finished. A line that takes more than a row is written out.
    fn finish(&mut self, out: &mut dyn Write) -> fmt::Result {
        self.cursor = self.line.len();
        if fitting(self.line.chars(), self.room()) == self.line.len() {
            return self.show(out);
        }
        self.row.show("", 0, out)?;
        out.write_str(&self.line)
    }

    /// The start of the character before the cursor, with all that combines with it.
    fn before(&self) -> usize {
        let mut chars = part(&self.line, ..self.cursor).char_indices().rev();
        chars.find(|&(_, c)| width(c) > 0).map_or(0, |(at, _)| at)
    }

    /// The end of the character behind the cursor, with all that combines with it.
    fn behind(&self) -> usize {
        let rest = part(&self.line, self.cursor..);
        let first = rest.chars().next().map_or(0, char::len_utf8);
        self.cursor + first + combining(part(rest, first..))
    }

    /// Moves the cursor.
    fn move_to(&mut self, to: usize, out: &mut dyn Write) -> fmt::Result {
        self.cursor = to;
        self.show(out)
    }

    /// Puts in a character that was typed. If there is no room, the bell rings once.
    fn type_in(&mut self, c: char, out: &mut dyn Write) -> fmt::Result {
        if !self.lost && self.insert(c.encode_utf8(&mut [0; 4]), out)? {
            return Ok(());
        }
        let rung = core::mem::replace(&mut self.lost, true);
        if rung { Ok(()) } else { out.write_str(BELL) }
    }

    /// Completes the name before the cursor as far as all candidates agree, or lists them.
    fn complete(&mut self, complete: &dyn Complete, out: &mut dyn Write) -> fmt::Result {
        let text = part(&self.line, ..self.cursor);
        let start = name_start(text);
        let (before, word) = (part(text, ..start), part(text, start..));
        let typed = word.len();
        let Some((common, is_one)) = agreed(complete, before, word) else {
            return out.write_str(BELL);
        };
        if common.len() == typed && !is_one {
            list(complete, before, word, out)?;
            return self.redraw(out);
        }
        let blank = if is_one && complete.is_whole(before) { " " } else { "" };
        let fits = self.insert(part(&common, typed..), out)? && self.insert(blank, out)?;
        if fits { Ok(()) } else { out.write_str(BELL) }
    }

    /// Puts `text` in at the cursor; false if there is no room, and nothing has changed.
    fn insert(&mut self, text: &str, out: &mut dyn Write) -> Result<bool, fmt::Error> {
        let fits = self.line.replace(self.cursor..self.cursor, text).is_ok();
        if fits {
            self.cursor += text.len();
            self.show(out)?;
        }
        Ok(fits)
    }

    /// Takes out the bytes of `range`; the cursor goes there. A line that is empty has lost nothing.
    fn remove(&mut self, range: Range<usize>, out: &mut dyn Write) -> fmt::Result {
        self.cursor = range.start;
        // Taking out needs no room.
        let _ = self.line.replace(range, "");
        self.lost &= !self.line.is_empty();
        self.show(out)
    }

    /// Shows the line that is `back` lines back in the history. A new line that has lost something
    /// comes back empty.
    fn recall(
        &mut self,
        back: usize,
        history: Option<&History>,
        out: &mut dyn Write,
    ) -> fmt::Result {
        let mut line = T::default();
        if back == 0 {
            line = take(&mut self.own);
        } else {
            let earlier = history.and_then(|history| history.get(back));
            if earlier.is_none_or(|earlier| line.replace(0..0, earlier).is_err()) {
                return out.write_str(BELL);
            }
        }
        let shown = core::mem::replace(&mut self.line, line);
        if self.back == 0 {
            self.own = if self.lost { T::default() } else { shown };
        }
        (self.back, self.lost, self.first) = (back, false, 0);
        self.move_to(self.line.len(), out)
    }

    /// The start of the word before the cursor. Spaces between the word and the cursor are passed over.
    fn word_start(&self) -> usize {
        let before = part(&self.line, ..self.cursor).trim_end();
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        before.len() - word.len()
    }
}
