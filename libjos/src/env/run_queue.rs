//! [`RunQueue`]: the environments that wait for their turn.
//!
//! The queue is a bitmap of two levels. The lower level has a bit for each index; the upper level has a bit for each
//! word of the lower one, which says whether that word is not 0. So the next environment in the order of the indices is
//! found in a few instructions, however many there are.

use super::abi::NENV;
use super::table::EnvIndex;

const BITS: usize = usize::BITS as usize;
const WORDS: usize = NENV / BITS;
// `nonzero` has a bit for each word.
const _: () = assert!(WORDS <= BITS && NENV.is_multiple_of(BITS));

/// A set of environments, searched in the order of their indices.
#[derive(Debug)]
pub(super) struct RunQueue {
    words: [usize; WORDS],
    /// Bit `n` is set if word `n` is not 0.
    nonzero: usize,
}

impl RunQueue {
    /// An empty queue.
    pub(super) const fn new() -> Self {
        Self { words: [0; WORDS], nonzero: 0 }
    }

    /// Adds an environment.
    #[inline]
    pub(super) fn insert(&mut self, index: EnvIndex) {
        let word = index.number() / BITS;
        self.words[word] |= 1 << (index.number() % BITS);
        self.nonzero |= 1 << word;
    }

    /// Removes an environment, if the queue has it.
    #[inline]
    pub(super) fn remove(&mut self, index: EnvIndex) {
        let word = index.number() / BITS;
        self.words[word] &= !(1 << (index.number() % BITS));
        if self.words[word] == 0 {
            self.nonzero &= !(1 << word);
        }
    }

    /// The next environment after `index` in the order of the indices; the first follows the last. If the queue has
    /// none but `index`, that is `index` itself.
    #[inline]
    pub(super) fn after(&self, index: EnvIndex) -> Option<EnvIndex> {
        // Two shifts, since one shift by all bits of a word would overflow.
        let word = index.number() / BITS;
        let later = self.words[word] & (!0 << (index.number() % BITS) << 1);
        if later != 0 {
            return Some(Self::first(word, later));
        }
        let later = self.nonzero & (!0 << word << 1);
        let nonzero = if later != 0 { later } else { self.nonzero };
        if nonzero == 0 {
            return None;
        }
        let word = nonzero.trailing_zeros() as usize;
        Some(Self::first(word, self.words[word % WORDS]))
    }

    /// The first environment in `bits`, which are bits of word number `word`.
    #[inline]
    fn first(word: usize, bits: usize) -> EnvIndex {
        EnvIndex::new((word * BITS + bits.trailing_zeros() as usize) % NENV)
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
