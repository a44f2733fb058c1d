//! [`Held`]: the pages that `alloc` gave out.

use libjos::mem::pages::Frame;

/// The most pages that `alloc` gives out at a time.
pub(super) const MOST_HELD: usize = 64;

/// The pages that `alloc` gave out. Each is counted in its `pp_ref` until `free` takes it back.
#[derive(Clone, Debug)]
pub struct Held {
    frames: [Option<Frame>; MOST_HELD],
}

impl Default for Held {
    fn default() -> Self {
        Self { frames: [None; MOST_HELD] }
    }
}

impl Held {
    /// Whether `frame` is one of them.
    #[must_use]
    pub fn contains(&self, frame: Frame) -> bool {
        self.frames.contains(&Some(frame))
    }

    /// How many more `alloc` can give out now.
    pub(super) fn room(&self) -> usize {
        self.frames.iter().filter(|place| place.is_none()).count()
    }

    /// Puts `new` in the first place that has `old`. Returns whether there is one.
    pub(super) fn replace(&mut self, old: Option<Frame>, new: Option<Frame>) -> bool {
        let place = self.frames.iter_mut().find(|place| **place == old);
        place.map(|place| *place = new).is_some()
    }
}
