"""The graded tests of the keyboard: every key of a US keyboard, pressed and released, alone and with modifiers.

A key with a character shows it in the line that the monitor repeats; a key without one must leave the line as it is.
"""

import re

from arch import PC
from consoletests import wait
from gradelib import Machine, Test
from words import CHECKS, WELCOME

# QEMU's names of the keys, with their characters alone and with Shift.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIGNS = {
    **dict(zip("1234567890", zip("1234567890", "!@#$%^&*()"))), "grave_accent": "`~", "minus": "-_", "equal": "=+",
    "bracket_left": "[{", "bracket_right": "]}", "backslash": "\\|", "semicolon": ";:", "apostrophe": "'\"",
    "comma": ",<", "dot": ".>", "slash": "/?",
}
KEYPAD = {
    "kp_divide": "/", "kp_multiply": "*", "kp_subtract": "-", "kp_add": "+", "kp_decimal": ".",
    **{f"kp_{digit}": digit for digit in "0123456789"},
}
WITHOUT_CHARACTER = (
    *(f"f{number}" for number in range(1, 13)), "insert", "pgup", "pgdn", "scroll_lock", "shift", "shift_r", "ctrl",
    "ctrl_r", "alt", "alt_r", "meta_l", "meta_r", "menu", "pause", "print",
)
# Keys that edit a line: what is pressed after `abc`, and the line that results.
EDITING = (
    (("left", "x"), "abxc"), (("left", "left", "right", "x"), "abxc"), (("home", "x"), "xabc"),
    (("home", "end", "x"), "abcx"), (("left", "delete"), "ab"), (("backspace",), "ab"), (("ctrl-a", "x"), "xabc"),
    (("ctrl-a", "ctrl-e", "x"), "abcx"), (("ctrl-b", "x"), "abxc"), (("ctrl-b", "ctrl-b", "ctrl-f", "x"), "abxc"),
    (("ctrl-b", "ctrl-d"), "ab"), (("ctrl-h",), "ab"), (("ctrl-b", "ctrl-k"), "ab"), (("ctrl-u", "x"), "x"),
    (("spc", "d", "ctrl-w", "x"), "abc"), (("ctrl_r-u", "x"), "x"), (("shift_r-x",), "abcX"),
    (("ctrl-p", "x"), "abcXx"), (("up", "up", "down", "y"), "abcXxy"), (("ctrl-p", "ctrl-p", "ctrl-n", "z"), "abcXxyz"),
    # The keypad without Num Lock.
    *(
        (("num_lock", *pressed, "num_lock"), line)
        for pressed, line in (
            (("kp_7", "x"), "xabc"), (("kp_4", "x"), "abxc"), (("kp_4", "kp_4", "kp_6", "x"), "abxc"),
            (("kp_7", "kp_1", "x"), "abcx"), (("kp_4", "kp_decimal"), "ab"), (("kp_8", "kp_8", "kp_2", "x"), "abx"),
            (("kp_0", "kp_3", "kp_9"), "abc"),
        )
    ),
    (("esc", "bracket_left", "shift-d", "x"), "abxc"), (WITHOUT_CHARACTER, "abc"),
)


def answer(word):
    """The monitor's answer to a line that is no command."""
    return f"Unknown command '{word}'"


def keyboard(title, lines, words):
    """A test of lines, each made of keys, and of the words in which they result."""

    def presses_keys(control):
        for line, word in zip(lines, words):
            control.key(*line, *(() if "kp_enter" in line else ("ret",)))
            said = [answer(word), "K>"]
            wait(control, lambda screen: [row for row in screen if row][-2:] == said, f"the keys should give {word!r}")
        control.leave()
        return True

    return Test(
        f"keyboard: {title}", 10, Machine(typed=(presses_keys,)), (*CHECKS, *WELCOME, *map(answer, words), "K> exit"),
        (re.compile("kernel panic.*"),), tags=("keyboard",), needs=(PC,),
    )


SHIFTED = "".join(shifted for _, shifted in SIGNS.values())
TESTS = [
    keyboard(
        "every character, by every key",
        (
            LETTERS, [f"shift-{letter}" for letter in LETTERS], ["caps_lock", *LETTERS, "caps_lock"],
            ["caps_lock", *(f"shift-{letter}" for letter in LETTERS), "caps_lock"], SIGNS,
            [f"shift-{name}" for name in SIGNS], ["caps_lock", *SIGNS, "caps_lock"], [*KEYPAD, "kp_enter"],
        ),
        (
            LETTERS, LETTERS.upper(), LETTERS.upper(), LETTERS, "".join(alone for alone, _ in SIGNS.values()), SHIFTED,
            "".join(alone for alone, _ in SIGNS.values()), "".join(KEYPAD.values()),
        ),
    ),
    keyboard(
        "every key that edits, and those that do nothing", [("a", "b", "c", *pressed) for pressed, _ in EDITING],
        [line for _, line in EDITING],
    ),
]
