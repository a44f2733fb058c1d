//! The contents of memory, word by word.

use std::collections::BTreeMap;

use layout::PGSIZE;

/// Memory that is all zeros but for some words, by physical address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    words: BTreeMap<u64, u64>,
}

impl Memory {
    pub(crate) fn word(&self, pa: u64) -> u64 {
        self.words.get(&pa).copied().unwrap_or(0)
    }

    pub(crate) fn write(&mut self, pa: u64, word: u64) {
        self.words.insert(pa, word);
    }

    pub(crate) fn byte(&self, pa: u64) -> u8 {
        self.word(pa / 8 * 8).to_ne_bytes()[(pa % 8) as usize]
    }

    pub(crate) fn write_byte(&mut self, pa: u64, byte: u8) {
        let mut bytes = self.word(pa / 8 * 8).to_ne_bytes();
        bytes[(pa % 8) as usize] = byte;
        self.write(pa / 8 * 8, u64::from_ne_bytes(bytes));
    }

    /// All words that were written, with their addresses.
    pub(crate) fn written(&self) -> impl Iterator<Item = (u64, u64)> {
        self.words.iter().map(|(pa, word)| (*pa, *word))
    }

    /// Frame `pfn` is zeros.
    pub(crate) fn zero_frame(&mut self, pfn: u64) {
        self.words.retain(|pa, _| pa / PGSIZE != pfn);
    }

    /// Frame `to` is what frame `from` is.
    pub(crate) fn copy_frame(&mut self, from: u64, to: u64) {
        self.zero_frame(to);
        let words: Vec<_> = self.written().filter(|(pa, _)| pa / PGSIZE == from).collect();
        for (pa, word) in words {
            self.write(to * PGSIZE + pa % PGSIZE, word);
        }
    }
}
