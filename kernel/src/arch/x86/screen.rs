//! The screen: VGA text mode, 80 columns by 25 rows at physical 0xB8000.
//!
//! A cell is a word: the character (code page 437) in the low byte, the colours in the high byte, here
//! always the same. The cells are also kept in RAM, because reading the device is slow. On a
//! machine without VGA, writes go to the hole in RAM for devices and are harmless.

use core::ptr::NonNull;

use libjos::monitor::line::width;
use volatile::VolatilePtr;

use crate::arch::instructions::Port;
use crate::window;

const ROWS: usize = 25;
const COLUMNS: usize = 80;

/// Light grey on black.
const COLOURS: u16 = 0x07 << 8;
const BLANK: u16 = COLOURS | b' ' as u16;
/// Cells that one write to the device shows.
const TOGETHER: usize = size_of::<usize>() / size_of::<u16>();
/// A small square, shown in place of all characters outside of ASCII.
const UNKNOWN: u8 = 0xFE;

/// Physical address of the first cell.
const TEXT_BUFFER: u64 = 0xB_8000;
/// The cells' physical address, for the fault tests.
pub(crate) const CELLS: Option<u64> = Some(TEXT_BUFFER);
/// The CRT controller's index port; the data port follows.
const CRTC: u16 = 0x3D4;
/// The controller's registers for the cursor's position: high byte, low byte.
const CURSOR_HIGH: u8 = 14;
const CURSOR_LOW: u8 = 15;

/// The screen.
pub(crate) struct Screen {
    cells: [[u16; COLUMNS]; ROWS],
    row: usize,
    column: usize,
}

impl Screen {
    pub(crate) const fn new() -> Self {
        Self { cells: [[BLANK; COLUMNS]; ROWS], row: 0, column: 0 }
    }

    /// Clears the screen.
    pub(crate) fn init(&mut self) {
        *self = Self::new();
        self.show_all();
        self.show_cursor();
    }

    /// Shows `text`, but does not move the cursor, which takes longer than a character.
    pub(crate) fn write(&mut self, text: &str) {
        text.chars().for_each(|c| self.put(c));
    }

    fn put(&mut self, c: char) {
        match c {
            '\n' => self.new_line(),
            '\r' => self.column = 0,
            '\t' => (0..8 - self.column % 8).for_each(|_| self.put(' ')),
            // Back by one cell, across the start of a line too.
            '\x08' => {
                let at = (self.row * COLUMNS + self.column).saturating_sub(1);
                (self.row, self.column) = (at / COLUMNS, at % COLUMNS);
            }
            '\x07' => {}
            ' '..='~' => self.put_cell(c as u8),
            // As many cells as a terminal uses, so that both cursors stay at the same column.
            _ => (0..width(c)).for_each(|_| self.put_cell(UNKNOWN)),
        }
    }

    /// Puts a character of code page 437 at the cursor and advances.
    fn put_cell(&mut self, byte: u8) {
        let word = COLOURS | u16::from(byte);
        self.cells[self.row][self.column] = word;
        show(self.row * COLUMNS + self.column, word);
        self.column += 1;
        if self.column == COLUMNS {
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.column = 0;
        if self.row + 1 < ROWS {
            self.row += 1;
        } else {
            self.cells.copy_within(1.., 0);
            self.cells[ROWS - 1] = [BLANK; COLUMNS];
            self.show_all();
        }
    }

    fn show_all(&self) {
        for (number, cells) in self.cells.as_flattened().chunks_exact(TOGETHER).enumerate() {
            let word = cells.iter().rev().fold(0, |word, cell| word << 16 | usize::from(*cell));
            show(number * TOGETHER, word);
        }
    }

    /// Moves the cursor to where the next character goes.
    pub(crate) fn show_cursor(&self) {
        let at = (self.row * COLUMNS + self.column) as u16;
        let [low, high] = at.to_le_bytes();
        let mut index = Port::<u8>::new(CRTC);
        let mut data = Port::<u8>::new(CRTC + 1);
        for (register, value) in [(CURSOR_HIGH, high), (CURSOR_LOW, low)] {
            // SAFETY: on a PC these two ports belong to the CRT controller or to no device, and only
            // this function uses them. The cursor's position has no effect on memory.
            unsafe {
                index.write(register);
                data.write(value);
            }
        }
    }
}

/// Puts one cell on the screen, or several side by side.
fn show<W: Copy>(cell: usize, word: W) {
    assert!(cell + size_of::<W>() / size_of::<u16>() <= ROWS * COLUMNS);
    let at = TEXT_BUFFER + (cell * size_of::<u16>()) as u64;
    let cell = NonNull::new(window::at(at)).expect("KERNBASE is not 0");
    // SAFETY: the word lies in the device's text buffer, which the window shows permanently and which is kept out of every
    // allocator.
    unsafe { VolatilePtr::<W>::new(cell) }.write(word);
}

const _: () = assert!(COLUMNS.is_multiple_of(TOGETHER));

#[cfg(test)]
mod tests;
