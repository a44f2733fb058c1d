//! [`parse`]: a line as a command and its [`Arguments`].

use super::commands::{Command, find};
use super::error::CommandError;

/// The most words of a line, the command's name included.
pub const MAXARGS: usize = 16;

/// The command that `line` names, and the words behind it; `None` if the line is blank.
///
/// # Errors
///
/// [`CommandError::TooManyWords`], [`CommandError::UnknownCommand`].
pub fn parse(line: &str) -> Result<Option<(&'static Command, Arguments<'_>)>, CommandError<'_>> {
    // `&` at the end is a word of its own, with or without a blank before it, as in a shell.
    let behind = line.trim_ascii_end().strip_suffix('&');
    let words = behind.unwrap_or(line).split_ascii_whitespace();
    let mut words = words.chain(behind.map(|_| "&"));
    if words.clone().count() > MAXARGS {
        return Err(CommandError::TooManyWords { most: MAXARGS - 1 });
    }
    let Some(name) = words.next() else { return Ok(None) };
    let command = find(name).ok_or(CommandError::UnknownCommand(name))?;
    let mut arguments = Arguments::default();
    while let Some(word) = words.next() {
        match word {
            "-e" if command.usage.contains("-e") && arguments.env.is_none() => {
                // Without a word behind it, `-e` is taken for the id, and refused as one.
                arguments.env = Some(words.next().unwrap_or(word));
            }
            "-f" if command.usage.contains("[-f]") => arguments.force = true,
            "-p" if command.usage.contains("-p") => arguments.physical = true,
            _ => {
                arguments.words[arguments.count] = word;
                arguments.count += 1;
            }
        }
    }
    Ok(Some((command, arguments)))
}

/// The words behind a command's name, without the options that the command has. Other words that
/// begin with a minus sign are words like any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arguments<'w> {
    words: [&'w str; MAXARGS - 1],
    count: usize,
    /// `-f` was given: the command may break the kernel.
    pub force: bool,
    /// `-e` was given, with the id of the environment whose page directory is looked at.
    pub(super) env: Option<&'w str>,
    /// `-p` was given: the address is a physical one.
    pub(super) physical: bool,
}

impl<'w> Arguments<'w> {
    /// The words, in order.
    #[must_use]
    pub fn words(&self) -> &[&'w str] {
        &self.words[..self.count]
    }

    /// Refuses every word.
    ///
    /// # Errors
    ///
    /// [`CommandError::Surplus`].
    pub fn none(&self) -> Result<(), CommandError<'w>> {
        self.at_most(0)
    }

    /// The one word, if there is one.
    ///
    /// # Errors
    ///
    /// [`CommandError::Surplus`].
    pub fn at_most_one(&self) -> Result<Option<&'w str>, CommandError<'w>> {
        self.at_most(1)?;
        Ok(self.words().first().copied())
    }

    /// The one word.
    pub(super) fn one(&self) -> Result<&'w str, CommandError<'w>> {
        self.at_most_one()?.ok_or(CommandError::Missing)
    }

    /// The first word, and the second if there is one.
    pub(super) fn one_or_two(&self) -> Result<(&'w str, Option<&'w str>), CommandError<'w>> {
        self.at_most(2)?;
        let first = self.words().first().ok_or(CommandError::Missing)?;
        Ok((first, self.words().get(1).copied()))
    }

    fn at_most(&self, most: usize) -> Result<(), CommandError<'w>> {
        self.words().get(most).map_or(Ok(()), |word| Err(CommandError::Surplus(word)))
    }
}
