//! The keyboard, which this machine does not have.

/// No keyboard.
pub(crate) struct Keyboard;

impl Keyboard {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Returns true: nothing is ever typed.
    pub(crate) fn allow_interrupts(&mut self) -> bool {
        true
    }

    /// Never has a key.
    pub(crate) fn try_read(&mut self, _each: impl FnMut(u8)) -> Option<()> {
        None
    }
}
