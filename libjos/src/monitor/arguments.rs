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
    /// [`CommandError::Surplus`].
    pub fn none(&self) -> Result<(), CommandError<'w>> {
        self.at_most(0)
    }

    /// At most one word.
    ///
    /// # Errors
    ///
    /// [`CommandError::Surplus`].
    pub fn at_most_one(&self) -> Result<Option<&'w str>, CommandError<'w>> {
        self.at_most(1)?;
        Ok(self.words().first().copied())
    }

    /// Exactly one word.
    ///
    /// # Errors
    ///
    /// [`CommandError::Surplus`], [`CommandError::Missing`].
    pub fn one(&self) -> Result<&'w str, CommandError<'w>> {
        self.at_most_one()?.ok_or(CommandError::Missing)
    }

    /// One word or two.
    ///
    /// # Errors
    ///
    /// [`CommandError::Surplus`], [`CommandError::Missing`].
    pub fn one_or_two(&self) -> Result<(&'w str, Option<&'w str>), CommandError<'w>> {
        self.at_most(2)?;
        let first = self.words().first().ok_or(CommandError::Missing)?;
        Ok((first, self.words().get(1).copied()))
    }

    fn at_most(&self, most: usize) -> Result<(), CommandError<'w>> {
        self.words().get(most).map_or(Ok(()), |word| Err(CommandError::Surplus(word)))
    }
}
