//! The screen, which this machine does not have.

use libjos::mem::addr::PhysRange;

/// There are no cells in memory.
pub(crate) const CELLS: Option<PhysRange> = None;

/// No screen.
pub(crate) struct Screen;

impl Screen {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Does nothing.
    pub(crate) fn init(&mut self) {}

    /// Shows nothing.
    pub(crate) fn write(&mut self, _text: &str) {}

    /// Does nothing.
    pub(crate) fn show_cursor(&self) {}
}
