//! The simulated screen, as its viewer sees it: VGA text mode, with its cells in memory.

use std::string::String;
use std::vec::Vec;

use super::pc;
use crate::window;

/// The address of the first cell.
const CELLS: u64 = 0xB_8000;
const ROWS: usize = 25;
const COLUMNS: usize = 80;

/// Fills the screen with `word`, as firmware leaves it.
pub(crate) fn fill(word: u16) {
    for i in 0..ROWS * COLUMNS {
        // SAFETY: the cells are plain memory, and nobody borrows them.
        unsafe { window::at::<u16>(CELLS).add(i).write(word) };
    }
}

/// The characters of a row, each with its colours.
pub(crate) fn cells(row: usize) -> Vec<u16> {
    // SAFETY: as in `fill`.
    let cell = |column| unsafe { window::at::<u16>(CELLS).add(row * COLUMNS + column).read() };
    (0..COLUMNS).map(cell).collect()
}

/// The text of a row, without the blanks at its end. All characters must be light grey on black.
pub(crate) fn row(row: usize) -> String {
    let character = |cell: u16| {
        assert_eq!(cell >> 8, 0x07, "the colours in row {row}");
        char::from(cell as u8)
    };
    let row: String = cells(row).into_iter().map(character).collect();
    row.trim_end().into()
}

/// The rows down to the last that has text.
pub(crate) fn text() -> Vec<String> {
    let mut rows: Vec<_> = (0..ROWS).map(row).collect();
    let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
    rows.truncate(used);
    rows
}

/// The row and the column of the cursor.
pub(crate) fn cursor() -> (usize, usize) {
    let (_, registers) = pc().crtc;
    let at = usize::from(registers[14]) << 8 | usize::from(registers[15]);
    (at / COLUMNS, at % COLUMNS)
}
