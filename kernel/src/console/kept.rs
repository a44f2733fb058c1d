//! [`Kept`]: text that is not written yet. A line comes in many short pieces; to write them together takes a fraction
//! of the time.

/// Bytes that are kept at most. Most lines are shorter.
const SIZE: usize = 128;

/// Whole pieces of text, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    bytes: [u8; SIZE],
    len: usize,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; SIZE], len: 0 }
    }

    /// Adds `text`. Returns false if there is no room for it.
    pub(super) fn add(&mut self, text: &str) -> bool {
        let room = &mut self.bytes[self.len..];
        let Some(place) = room.get_mut(..text.len()) else { return false };
        place.copy_from_slice(text.as_bytes());
        self.len += text.len();
        true
    }

    /// Takes the text out.
    pub(super) fn take(&mut self) -> Self {
        let kept = *self;
        self.len = 0;
        kept
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("pieces of text are text")
    }
}
