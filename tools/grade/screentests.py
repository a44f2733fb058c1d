"""The graded tests of the screen's memory: every cell and the cursor, compared with the output on the serial line.

The tests have a screen of their own, which knows the control characters that the kernel prints; at each prompt it gets
the whole serial output so far.
"""

import re
import unicodedata

from arch import PC
from consoletests import cursor, utf_8, wait
from control import COLUMNS, ROWS, VGA_TEXT, require
from exittests import ELSEWHERE, HALTED, end_with_success
from gradelib import Machine, Test
from words import CHECKS, WELCOME

LIGHT_GREY = 0x07  # on black
SQUARE = 0xFE  # of code page 437: stands for characters outside of ASCII
CLEAR = "\x1b[2J\x1b[H"


class Screen:
    """What a screen of 80 columns by 25 rows shows after some output."""

    def __init__(self, text):
        self.cells, self.at = [ord(" ")] * (COLUMNS * ROWS), 0
        for part in re.split(f"({re.escape(CLEAR)})", text):
            if part == CLEAR:
                self.cells, self.at = [ord(" ")] * (COLUMNS * ROWS), 0
            else:
                for char in part:
                    self.put(char)

    def put(self, char):
        """Show a character, or do what a control character asks for."""
        row, column = divmod(self.at, COLUMNS)
        if char == "\n":
            self.at = (row + 1) * COLUMNS + column
        elif char == "\r":
            self.at = row * COLUMNS
        elif char == "\b":
            self.at = max(self.at - 1, 0)
        elif char == "\t":
            for _ in range(8 - column % 8):
                self.put(" ")
        elif " " <= char <= "~":
            self.show(ord(char))
        elif char != "\a":
            for _ in range(2 if unicodedata.east_asian_width(char) == "W" else 1):
                self.show(SQUARE)
        self.scroll()

    def show(self, code):
        """Fill the cell at the cursor."""
        self.cells[self.at] = code
        self.at += 1
        self.scroll()

    def scroll(self):
        """Make room for a new last row, if the cursor has left the screen."""
        if self.at >= COLUMNS * ROWS:
            self.cells = self.cells[COLUMNS:] + [ord(" ")] * COLUMNS
            self.at -= COLUMNS


def as_on_the_line(control):
    """Compare every cell, its colours, and the cursor. The serial output comes before the screen's."""
    wanted = Screen(control.output.decode())

    def characters():
        return list(control.memory(VGA_TEXT, 2 * COLUMNS * ROWS)[::2])

    wait(control, lambda _: characters() == wanted.cells, "the screen should show what the serial line says")
    colours = set(control.memory(VGA_TEXT, 2 * COLUMNS * ROWS)[1::2])
    require(colours == {LIGHT_GREY}, f"there are cells of the colours {colours}")
    require(cursor(control) == divmod(wanted.at, COLUMNS), f"the cursor is at {cursor(control)}, not at {wanted.at}")


def compared(*texts):
    """Texts for Machine.typed, each answered by one prompt, with a comparison at each. (After a second prompt the
    screen would show more than the output that the comparison has. A prompt after `clear` begins no line, so it does
    not count.)
    """
    return (as_on_the_line, *(step for text in texts for step in (text, as_on_the_line)))


def entered(*lines):
    """Lines, each with the key Enter."""
    return (line + "\r" for line in lines)


# Lines that end before, at, and behind the last column.
EDGES = [letter * (COLUMNS - len("Unknown command ''") + more) for letter, more in (("x", -1), ("y", 0), ("z", 1))]
EDITED = (
    "abc\b\bd\x1b[D\x1b[De\x7f\x7ff", "e" * 77 + "f\b\b\b", "x" * 200 + "\x1b[H\x1b[3~y\x1b[Fz", utf_8("漢é\b漢")
)

TESTS = [
    Test(
        "screen: each cell, its colours and the cursor", 10,
        Machine(
            typed=(
                # The pager beeps at a key that it does not know.
                *compared(
                    *entered("clear\rpage", *EDGES, *EDITED, "help", "", "kerninfo", "page on"), "vmprint\rxq",
                    "clear\r\r",
                ),
                "exit\r",
            ),
        ),
        (*CHECKS, *WELCOME, "K> exit"), tags=("screen",), needs=(PC,),
    ),
    # The application repeats the tabs that are typed; without isa-debug-exit the screen stays.
    Test(
        "screen: tabs", 5,
        Machine(
            "hello", words="-- ?", prompt=("Who is there? ", HALTED + "\r\n"), exit_port=ELSEWHERE,
            typed=(*compared("\ta\tbcdefgh\ti" + "n" * 60 + "\tj\r"), end_with_success),
        ),
        (*CHECKS, re.compile("Hello, \ta\tbcdefgh\ti.*"), HALTED), tags=("screen",), needs=(PC,),
    ),
]
