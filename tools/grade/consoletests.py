"""The graded tests of the console: the screen and the keyboard.

They read the screen's memory and press keys from outside (control.py), since the output on the serial line shows
neither.
"""

import re
import time

from arch import ARCH, PC
from control import COLUMNS, ROWS, VGA_TEXT, require
from gradelib import FAILURE, Machine, Test
from words import CHECKS, MB, REFUSAL, REFUSED, WELCOME, opening, span

MORE = "-- more --"
# The line of showmappings about KERNBASE+0x1000.
MAPPED = span(ARCH.kernbase + 0x1000, ARCH.kernbase + 0x1FFF)
FIRST_PAGE = f"{MAPPED} -> {ARCH.physical(ARCH.map.phys_base + 0x1000)} {ARCH.perm('-rw-g')} 4 KB {ARCH.first_pages}"
WHITE_ON_RED = 0x4F
WORDS = tuple(letter * 250 for letter in "abcdefghijklmnopqrstuvwxyz")  # 6500 bytes


def wait(control, condition, wish):
    """The screen, as soon as the condition holds for it; Refused if it does not hold within some seconds."""
    end = time.monotonic() + min(20, control.left() - 1)
    while True:
        screen = control.screen()
        if condition(screen):
            return screen
        require(time.monotonic() < end, f"{wish}; on the screen there is: {screen}")
        time.sleep(0.02)


def last_line(screen):
    """The last line that is not empty."""
    return next((line for line in reversed(screen) if line), "")


def wait_for_last(control, line):
    """The screen, as soon as this is its last line."""
    return wait(control, lambda screen: last_line(screen) == line, f"the last line should be {line!r}")


def cursor(control):
    """Row and column of the screen's cursor."""
    at = 0
    for register in (14, 15):
        control.monitor(f"o /b 0x3d4 {register}")
        at = at << 8 | int(control.monitor("i /b 0x3d5").split("=")[1], 16)
    return divmod(at, COLUMNS)


def shows_the_boot(control):
    """The screen shows the boot from its first row on, and nothing from before it."""
    wanted = [*opening(256 * MB), *CHECKS, *WELCOME, "K>"]
    screen = wait_for_last(control, "K>")
    require(screen == wanted + [""] * (ROWS - len(wanted)), f"the screen is not that of a boot: {screen}")
    require(cursor(control) == (len(wanted) - 1, 3), f"the cursor is at {cursor(control)}")


def shows_the_end_of_help(control):
    """The last 24 lines of `help`: everything above them has scrolled away."""
    screen = wait_for_last(control, "K>")
    names = [line.split(" ")[0] for line in screen]
    require(names[:2] == ["vmprint", "map"] and names[-3:] == ["reboot", "exit", "K>"], f"no scrolling: {screen}")
    line = "map [[-e] ID] Display the memory map, and what is mapped in it"
    require(screen[1].split() == line.split(), f"on the screen: {screen[1]}")
    require(cursor(control) == (ROWS - 1, 3), f"the cursor is at {cursor(control)}")


def clears_the_screen(control):
    """By the command `clear`, and by Ctrl-L."""
    cleared = ["K>"] + [""] * (ROWS - 1)
    for way in "clear\n", "\x0c":
        control.press(way)
        wait(control, lambda screen: screen == cleared, f"there should be the prompt alone after {way!r}")
        require(cursor(control) == (0, 3), f"the cursor is at {cursor(control)}")
        control.press("page\n")
        wait(control, lambda screen: screen[:3] == ["K> page", "auto", "K>"], "the answer should be auto")
    control.press("clear\n\n")
    wait(control, lambda screen: screen[:3] == ["K>", "K>", ""], "there should be two prompts")
    return True


def shows_odd_lines(control):
    """A long line continues in the next row; deleted characters disappear; a wide character takes two cells."""
    said = f"Unknown command 'x{'y' * 100}z■■■'"
    screen = wait_for_last(control, "K>")
    typed = f"K> x{'y' * 100}z■■■"
    wanted = ["K>", typed[:COLUMNS], typed[COLUMNS:], said[:COLUMNS], said[COLUMNS:], "K>"]
    require(screen == wanted + [""] * (ROWS - len(wanted)), f"the screen is not {wanted}: {screen}")


def moves_the_mouse(control):
    """Turns on the mouse, which the kernel does not use, and moves it: it shares the keyboard's ports."""
    for port, byte in ((0x64, 0xD4), (0x60, 0xF4)):  # what comes next is for the mouse; report
        control.monitor(f"o /b {port:#x} {byte:#x}")
    control.monitor("mouse_move 5 5")
    control.monitor("mouse_button 1")


def keys(control):
    """Types on the keyboard: letters, signs, capitals by shift and by caps lock, and all keys that edit a line."""
    moves_the_mouse(control)
    control.press("exIt?\n")
    control.key("caps_lock")
    control.press("a")
    control.key("caps_lock")
    control.press("b\n")
    control.key("up", "left", "left", "right", "delete", "home")
    control.press("x")
    control.key("end")
    control.press("yz\b\n")
    control.key("up", "up", "down")
    control.press("\n")
    control.press("exit 7\x03")
    control.press("showm\tKERNBA\t+0x1000\n")
    control.leave()
    return True


def pages_by_keyboard(control):
    """The pager's output for a command typed on the keyboard waits after each screen for a key on the keyboard."""
    control.press("vmprint\n")
    first = wait_for_last(control, MORE)
    require(first[0].startswith("page table 0x"), f"the first screen does not begin the list: {first}")
    control.press("\n")
    second = wait(control, lambda screen: screen[:23] == first[1:24] and screen[24] == MORE, "Enter: one line more")
    control.press(" ")
    third = wait(control, lambda screen: screen[24] == MORE and screen[:24] != second[:24], "space: a screen more")
    require(third[23] != second[23] and third[0] not in second, f"space: not a whole screen more: {second}, {third}")
    control.press("q")
    wait_for_last(control, "K>")
    control.press("help\n")
    wait(control, lambda screen: screen[0][:5] == "help " and screen[24] == MORE, "help: it begins with itself")
    control.press("q")
    wait_for_last(control, "K>")
    # 24 lines fill the screen, and the pager does not wait.
    control.press("dump KERNBASE 384\n")
    first, last = f"{ARCH.kernbase:x}", f"{ARCH.kernbase + 23 * 16:x}"
    filled = lambda screen: first in screen[0] and last in screen[23] and screen[24] == "K>"
    wait(control, filled, "dump: on one screen, without a key")
    control.press("fault\n")
    wait(control, lambda screen: screen[0] == "read-null" and screen[24] == MORE, "fault: it begins with read-null")
    control.press("q")
    wait_for_last(control, "K>")
    control.press("kerninfo\n")
    screen = wait_for_last(control, MORE)
    require(screen[0] == "Special kernel symbols:", f"the rows of a long line were not counted: {screen}")
    control.press("\x03")
    wait_for_last(control, "K>")
    control.leave()
    return True


def types_ahead(control):
    """Types while a long listing is stuck, since nobody reads the serial line; then lets it go on."""
    control.press("vmprint\n" * 5)
    last = None
    while last != (last := control.screen()):
        time.sleep(0.3)
    control.press("type-ahead" * 6 + "\n")
    control.leave()
    return True


def without_exit(stub, symbols):
    """A machine without isa-debug-exit, like a real PC: when the kernel gives up, it halts."""
    start = symbols["cannot_start"]
    code = stub.read_memory(start, 256)
    exit_code = b"\x66\xba\xf4\x00\xee"  # mov dx, 0xf4; out dx, al
    at = start + code.index(exit_code) + len(exit_code) - 1
    stub.write_memory(at, b"\x90")


def shows_why_it_cannot_start(control):
    """The kernel's error is on the screen, in its first rows; then this ends QEMU as the kernel would have."""
    cells = control.memory(VGA_TEXT, 2 * (len(REFUSAL) + 2))
    text = cells[: 2 * len(REFUSAL) : 2].decode("cp437")
    require(text == REFUSAL, f"on the screen there is {text!r}")
    colours = cells[1::2]
    require(set(colours[: len(REFUSAL)]) == {WHITE_ON_RED}, "not all of it is white on red")
    require(WHITE_ON_RED not in colours[len(REFUSAL) :], "something is behind it: the line's end?")
    control.send("human-monitor-command", **{"command-line": "o /b 0xf4 0x11"})
    return True


def utf_8(text):
    """As a terminal types it: Machine.typed is sent byte by byte."""
    return text.encode().decode("latin-1")


def hello(title, typed, name):
    """An application asks for a name."""
    return Test(
        f"console: {title}", 5, Machine("hello", words="-- ?", typed=(typed,), prompt="Who is there? "),
        (*CHECKS, re.compile(r"Who is there\? .*"), f"Hello, {name}!"), tags=("console", "application"),
    )


TESTS = [
    Test(
        "console: the screen shows what is said, and scrolls", 10,
        Machine(
            typed=(
                shows_the_boot, "help\r", shows_the_end_of_help, clears_the_screen,
                utf_8(f"x{'y' * 100}ab\x7f\x7fz漢é\r"), shows_odd_lines, "exit\r",
            )
        ),
        (*WELCOME, "K> exit"),
        tags=("console",), needs=(PC,),
    ),
    Test(
        "console: the keyboard types and edits", 10, Machine(typed=(keys,)),
        (
            *WELCOME, "Unknown command 'exIt?'", "Unknown command 'Ab'",
            *["Unknown command 'xAy'"] * 2,
            "K> exit 7^C", "K> showmappings KERNBASE+0x1000",
            FIRST_PAGE, "K> exit",
        ),
        tags=("console",), needs=(PC,),
    ),
    Test(
        "console: long output waits for the keyboard", 10,
        Machine(words="-- " + "x" * 600, typed=(pages_by_keyboard,)), (*WELCOME, "K> exit"),
        tags=("console",), needs=(PC,),
    ),
    Test(
        "console: typed while a listing runs, on the keyboard", 10, Machine(typed=("page off\r", types_ahead)),
        (*WELCOME, f"Unknown command '{'type-ahead' * 6}'", "K> exit"), tags=("console",), needs=(PC,),
    ),
    Test(
        # More bytes than the kernel's queue holds: the rest waits at the sender.
        "console: typed while a listing runs, on the serial line", 10,
        Machine(typed=("vmprint\r" * 3 + "".join(f"{word}\r" for word in WORDS), "exit\r")),
        (*WELCOME, *(f"Unknown command '{word}'" for word in WORDS), "K> exit"), tags=("console",),
    ),
    Test(
        "console: Ctrl-C stops a listing, whatever waits before it", 10,
        Machine(typed=("vmprint\r" * 20 + "exit 9\r" * 200 + "\x03", "exit\r")),
        (*WELCOME, "K> vmprint", "^C", "K> exit"), (re.compile("Exit code.*|Unknown command.*"),), tags=("console",),
    ),
    Test(
        "console: why the kernel cannot start is on the screen", 10,
        Machine(
            cpu=REFUSED, at_entry=without_exit, typed=(shows_why_it_cannot_start,), prompt=REFUSAL + "\r\n",
        ),
        (REFUSAL,), status=FAILURE, whole=True, tags=("console",), needs=(PC,),
    ),
    hello("an application reads UTF-8", utf_8("Zoe\x7fë 漢字x\x1b[D\x1b[D\x7f\r"), "Zoë 字x"),
    hello("an application reads a line of any length", utf_8("äöü" * 2000 + "\r"), "äöü" * 2000),
    hello("an application reads bytes that are no UTF-8", "\xff\xe2\x82!\r", "\ufffd\ufffd!"),
    hello("an application reads the end of input", "x\x7f\x04", "nobody"),
]
