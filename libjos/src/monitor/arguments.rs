//! A line's words, and the options among them.

use super::error::CommandError;

/// Most words of a line.
pub const MAXARGS: usize = 16;

/// The words of `line`.
///
/// # Errors
///
/// [`CommandError::TooManyWords`].
pub fn split(line: &str) -> Result<Words<'_>, CommandError<'_>> {
    let mut words = Words { words: [""; MAXARGS], count: 0 };
    for word in line.split_ascii_whitespace() {
        *words.words.get_mut(words.count).ok_or(CommandError::TooManyWords)? = word;
        words.count += 1;
    }
    Ok(words)
}

/// Some words.
#[derive(Clone, Copy, Debug)]
pub struct Words<'w> {
    words: [&'w str; MAXARGS],
    count: usize,
}

impl<'w> Words<'w> {
    /// The words, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[&'w str] {
        &self.words[..self.count]
    }
}

/// What follows a command's name: options, and the other words.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'w> {
    words: Words<'w>,
    /// `-f` was among them: do it even if that may break the kernel.
    pub force: bool,
    /// `-p` was among them: the address is a physical one.
    pub physical: bool,
}

impl<'w> Arguments<'w> {
    /// Sorts `words`. Of the options only those count whose letters are in `options`; other words
    /// that begin with a minus sign are words like any.
    #[must_use]
    pub fn new(words: &[&'w str], options: &str) -> Self {
        let mut arguments =
            Self { words: Words { words: [""; MAXARGS], count: 0 }, force: false, physical: false };
        for word in words {
            match *word {
                "-f" if options.contains('f') => arguments.force = true,
                "-p" if options.contains('p') => arguments.physical = true,
                _ => {
                    let Words { words, count } = &mut arguments.words;
                    if let Some(slot) = words.get_mut(*count) {
                        *slot = word;
                        *count += 1;
                    }
                }
            }
        }
        arguments
    }

    /// The words that are no options.
    #[must_use]
    pub fn words(&self) -> &[&'w str] {
        self.words.as_slice()
    }

    /// Nothing but options.
    ///
    /// # Errors
    ///
    /// [`CommandError::Misuse`].
    pub fn none(&self) -> Result<(), CommandError<'w>> {
        if self.words().is_empty() { Ok(()) } else { Err(CommandError::Misuse) }
    }

    /// At most one word.
    ///
    /// # Errors
    ///
    /// [`CommandError::Misuse`].
    pub fn at_most_one(&self) -> Result<Option<&'w str>, CommandError<'w>> {
        match self.words() {
            [] => Ok(None),
            [word] => Ok(Some(word)),
            _ => Err(CommandError::Misuse),
        }
    }

    /// Exactly one word.
    ///
    /// # Errors
    ///
    /// [`CommandError::Misuse`].
    pub fn one(&self) -> Result<&'w str, CommandError<'w>> {
        self.at_most_one()?.ok_or(CommandError::Misuse)
    }
}
