//! [`EditableText`]: the memory of a line, in place or on the heap.

use alloc::string::String;
use core::ops::{Deref, Range};
use core::slice::SliceIndex;

/// Bytes of the longest line that the monitor takes, and that [`History`](super::History) keeps.
pub const LONGEST: usize = 255;

/// The error that the text does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// A text that can be edited.
pub trait EditableText: Default + Deref<Target = str> {
    /// Puts `new` in the place of the bytes of `range`, which begins and ends between characters.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing has changed then.
    fn replace(&mut self, range: Range<usize>, new: &str) -> Result<(), Full>;
}

/// The bytes `range` of `text`. The range of a line begins and ends between characters. If it did not,
/// the indexing of `str` would panic as well, but brings 4 KB of words for it into every image.
pub(super) fn part(text: &str, range: impl SliceIndex<str, Output = str>) -> &str {
    text.get(range).expect("a part of a line is of whole characters")
}

/// At most `N` bytes of text, in place.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Fixed<N> {
    /// No text.
    pub const EMPTY: Self = Self { bytes: [0; N], length: 0 };
}

impl<const N: usize> Default for Fixed<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Deref for Fixed<N> {
    type Target = str;

    fn deref(&self) -> &str {
        // Only whole characters are ever put in.
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl<const N: usize> EditableText for Fixed<N> {
    fn replace(&mut self, range: Range<usize>, new: &str) -> Result<(), Full> {
        let end = range.start + new.len();
        let length = self.length - range.len() + new.len();
        if length > N {
            return Err(Full);
        }
        self.bytes.copy_within(range.end..self.length, end);
        self.bytes[range.start..end].copy_from_slice(new.as_bytes());
        self.length = length;
        Ok(())
    }
}

/// As much text as there is memory for.
impl EditableText for String {
    fn replace(&mut self, range: Range<usize>, new: &str) -> Result<(), Full> {
        self.try_reserve(new.len().saturating_sub(range.len())).map_err(|_| Full)?;
        self.replace_range(range, new);
        Ok(())
    }
}
