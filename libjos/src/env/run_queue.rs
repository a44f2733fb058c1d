//! [`RunQueue`]: the environments that wait for their turn.
//!
//! One bit for each index, and one for each word of these bits. So the next one in the order of the indices is
//! found in a few instructions, however many environments there are and whatever the others wait for.

use super::abi::NENV;
use super::table::EnvIndex;

const BITS: usize = usize::BITS as usize;
const WORDS: usize = NENV / BITS;
// One word has a bit for each word.
const _: () = assert!(WORDS <= BITS && NENV.is_multiple_of(BITS));

/// A set of environments.
#[derive(Debug)]
pub(super) struct RunQueue {
    words: [usize; WORDS],
    /// The words that are not 0.
    used: usize,
}

impl RunQueue {
    /// No environment.
    pub(super) const fn new() -> Self {
        Self { words: [0; WORDS], used: 0 }
    }

    /// Puts an environment in.
    #[inline]
    pub(super) fn insert(&mut self, index: EnvIndex) {
        let word = index.number() / BITS;
        self.words[word] |= 1 << (index.number() % BITS);
        self.used |= 1 << word;
    }

    /// Takes an environment out, if it is in.
    #[inline]
    pub(super) fn remove(&mut self, index: EnvIndex) {
        let word = index.number() / BITS;
        self.words[word] &= !(1 << (index.number() % BITS));
        if self.words[word] == 0 {
            self.used &= !(1 << word);
        }
    }

    /// The environment that follows `index`, in the order of the indices, after the last the first; `index`
    /// itself if it is alone.
    #[inline]
    pub(super) fn after(&self, index: EnvIndex) -> Option<EnvIndex> {
        // Shifted twice, since the bit may be a word's last one.
        let word = index.number() / BITS;
        let later = self.words[word] & (!0 << (index.number() % BITS) << 1);
        if later != 0 {
            return Some(Self::first(word, later));
        }
        let later = self.used & (!0 << word << 1);
        let used = if later != 0 { later } else { self.used };
        if used == 0 {
            return None;
        }
        let word = used.trailing_zeros() as usize;
        Some(Self::first(word, self.words[word % WORDS]))
    }

    /// The first of the environments `bits` of a word.
    #[inline]
    fn first(word: usize, bits: usize) -> EnvIndex {
        EnvIndex::new((word * BITS + bits.trailing_zeros() as usize) % NENV)
    }
}

#[cfg(test)]
mod tests;
