//! The screen: VGA text mode, 80 columns by 25 rows at physical 0xB8000.
//!
//! A cell is a word: the character (code page 437) in the low byte, the colours in the high byte, here
//! always the same. The cells are also kept in RAM, because reading the device is slow; it is written to by whole rows.
//! On a machine without VGA, writes go to the hole in RAM for devices and are harmless.

use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

use libjos::mem::addr::{PhysAddr, PhysRange};
use monitor::line::width;
use volatile::VolatilePtr;

use crate::arch::instructions::Port;
use crate::window;

const ROWS: usize = 25;
const COLUMNS: usize = 80;

/// Light grey on black.
const COLOURS: u16 = 0x07 << 8;
const BLANK: u16 = COLOURS | b' ' as u16;
/// A small square, shown in place of all characters outside of ASCII.
const UNKNOWN: u8 = 0xFE;

/// Physical address of the first cell.
const TEXT_BUFFER: u64 = 0xB_8000;
/// The memory of the cells.
pub(crate) const CELLS: Option<PhysRange> =
    Some(PhysRange::from_size(PhysAddr::new(TEXT_BUFFER), (ROWS * size_of::<Row>()) as u64));
/// The CRT controller's index port; the data port follows.
const CRTC: u16 = 0x3D4;
/// The controller's registers for the cursor's position: high byte, low byte.
const CURSOR_HIGH: u8 = 14;
const CURSOR_LOW: u8 = 15;

/// The screen.
pub(crate) struct Screen {
    /// A ring of rows, so that a scroll moves none of them.
    rows: [Row; ROWS],
    /// The index in `rows` of the row at the top of the screen.
    top: usize,
    row: usize,
    column: usize,
    /// The rows of the screen that may differ from what the device shows.
    changed: Range<usize>,
}

type Row = [u16; COLUMNS];

impl Screen {
    pub(crate) const fn new() -> Self {
        Self { rows: [[BLANK; COLUMNS]; ROWS], top: 0, row: 0, column: 0, changed: 0..1 }
    }

    /// Clears the screen.
    pub(crate) fn init(&mut self) {
        *self = Self { changed: 0..ROWS, ..Self::new() };
        self.show();
        self.show_cursor();
    }

    /// Shows `text`, but does not move the cursor, which takes longer than a character.
    pub(crate) fn write(&mut self, text: &str) {
        text.chars().for_each(|c| self.put(c));
        self.show();
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
                self.changed.start = self.changed.start.min(self.row);
            }
            '\x07' => {}
            ' '..='~' => self.put_cell(c as u8),
            // As many cells as a terminal uses, so that both cursors stay at the same column.
            _ => (0..width(c)).for_each(|_| self.put_cell(UNKNOWN)),
        }
    }

    /// Puts a character of code page 437 at the cursor and advances.
    fn put_cell(&mut self, byte: u8) {
        self.rows[self.index(self.row)][self.column] = COLOURS | u16::from(byte);
        self.column += 1;
        if self.column == COLUMNS {
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.column = 0;
        if self.row + 1 < ROWS {
            self.row += 1;
            self.changed.end = self.changed.end.max(self.row + 1);
        } else {
            self.rows[self.top] = [BLANK; COLUMNS];
            self.top = self.index(1);
            self.changed = 0..ROWS;
        }
    }

    /// The index in `rows` of a row of the screen.
    fn index(&self, row: usize) -> usize {
        let index = self.top + row;
        if index < ROWS { index } else { index - ROWS }
    }

    /// Shows the rows that have changed.
    fn show(&mut self) {
        if self.changed == (0..ROWS) {
            let (last, first) = self.rows.split_at(self.top);
            show_rows(0, first);
            show_rows(first.len(), last);
        } else {
            for row in self.changed.clone() {
                show_rows(row, slice::from_ref(&self.rows[self.index(row)]));
            }
        }
        self.changed = self.row..self.row + 1;
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

/// Puts rows on the screen, from `row` on.
fn show_rows(row: usize, rows: &[Row]) {
    assert!(row + rows.len() <= ROWS);
    let cells = rows.as_flattened();
    let at = TEXT_BUFFER + (row * size_of::<Row>()) as u64;
    let place = NonNull::new(window::at(at)).expect("KERNBASE is not 0");
    // SAFETY: the cells lie in the device's text buffer, which the window shows permanently and which is kept out of every
    // allocator.
    let device = unsafe { VolatilePtr::<u16>::new(place) };
    // SAFETY: as above. The device is memory, so one copy will do, of any width and in any order.
    unsafe {
        device.as_raw_ptr().copy_from_nonoverlapping(NonNull::from(cells).cast(), cells.len());
    }
}

#[cfg(test)]
mod tests;
