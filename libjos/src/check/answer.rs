//! [`Answer`]: the memory system's answers, in the words of a failed check.
//!
//! Each type's `Debug` for `Option` and `Result` is code of its own in every image, 12 KB in all; these words
//! are shared.

use core::fmt::Display;

/// A function's result, to be printed.
pub(super) trait Answer {
    /// The value, "nothing" or "success" if there is none, or the error's message.
    fn words(&self) -> &dyn Display;
}

impl Answer for () {
    fn words(&self) -> &dyn Display {
        &"success"
    }
}

impl Answer for u64 {
    fn words(&self) -> &dyn Display {
        self
    }
}

impl<T: Display> Answer for Option<T> {
    fn words(&self) -> &dyn Display {
        match self {
            Some(value) => value,
            None => &"nothing",
        }
    }
}

impl<T: Answer, E: Display> Answer for Result<T, E> {
    fn words(&self) -> &dyn Display {
        match self {
            Ok(value) => value.words(),
            Err(error) => error,
        }
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_value_none_or_an_error() {
        let some: Result<Option<u64>, &str> = Ok(Some(7));
        assert_eq!(some.words().to_string(), "7");
        let none: Result<Option<u64>, &str> = Ok(None);
        assert_eq!(none.words().to_string(), "nothing");
        let error: Result<(), &str> = Err("no page");
        assert_eq!(error.words().to_string(), "no page");
        assert_eq!(Ok::<_, &str>(()).words().to_string(), "success");
    }
}
