//! The console: what is printed goes to the serial line and to the screen; what is typed comes
//! from the serial line and from the keyboard. JOS's `kern/console.c`.
//!
//! One lock guards all three devices. A panic takes the lock from whoever holds it
//! (`seize`), so that its report always comes out.

mod typed;

pub use typed::Source;

use core::fmt::{self, Write};

use spin::Mutex;

use crate::arch::keyboard::Keyboard;
use crate::arch::screen::Screen;
use crate::arch::serial::Serial;
use typed::Typed;

/// Clears a terminal, and moves its cursor to the first row (ECMA-48, 8.3.39 and 8.3.21).
const CLEAR_TERMINAL: &str = "\x1b[2J\x1b[H";

static CONSOLE: Mutex<Console> = Mutex::new(Console::new());

/// The three devices. Each does nothing where the machine does not have it.
struct Console {
    serial: Serial,
    screen: Screen,
    keyboard: Keyboard,
    typed: Typed,
    /// The screen is written to.
    has_screen: bool,
    /// Nothing was printed yet on the line at hand.
    at_line_start: bool,
}

impl Console {
    const fn new() -> Self {
        Self {
            serial: Serial::new(),
            screen: Screen::new(),
            keyboard: Keyboard::new(),
            typed: Typed::new(),
            has_screen: true,
            at_line_start: true,
        }
    }

    /// Takes in what was typed, as far as there is room. What there is no room for waits in the
    /// devices, and behind the serial port in QEMU.
    fn poll(&mut self) {
        while self.typed.has_room() {
            if let Some(byte) = self.serial.try_read() {
                self.typed.push(byte, Source::Serial);
                continue;
            }
            let typed = &mut self.typed;
            if self.keyboard.try_read(|byte| typed.push(byte, Source::Keyboard)).is_none() {
                return;
            }
        }
    }

    /// Sends `text` on the serial line, and waits where that is slow. The devices keep no more than
    /// 16 bytes of what is typed meanwhile, so it is taken in.
    fn send(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            bytes = &bytes[self.serial.send(bytes)..];
            self.poll();
        }
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            // A line feed goes with a carriage return, as terminals want it.
            self.send(if i > 0 { "\r\n" } else { "" });
            self.send(line);
        }
        if let Some(last) = text.as_bytes().last() {
            self.at_line_start = *last == b'\n';
        }
        // Last, for the screen is memory, and a write to memory can fault.
        if self.has_screen {
            self.screen.write(text);
        }
        Ok(())
    }
}

/// Sets up the devices. What is printed before is lost.
pub(crate) fn init() {
    let mut console = CONSOLE.lock();
    console.serial.init();
    console.screen.init();
}

/// Prints `text`. It may be of types whose `Display` prints, too.
pub fn print(text: fmt::Arguments<'_>) {
    // Formatting fails only where a `Display` does; the console takes everything.
    let _ = Unlocked.write_fmt(text);
    CONSOLE.lock().screen.show_cursor();
}

/// The console, locked for each piece of text by itself, and not while a piece is made.
struct Unlocked;

impl Write for Unlocked {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        CONSOLE.lock().write_str(text)
    }
}

/// Ends the line at hand, if there is one.
pub fn fresh_line() {
    let mut console = CONSOLE.lock();
    if !console.at_line_start {
        let _ = console.write_str("\n");
    }
}

/// Clears the screen, and the terminal on the serial line.
pub fn clear() {
    let mut console = CONSOLE.lock();
    console.send(CLEAR_TERMINAL);
    console.screen.init();
    console.at_line_start = true;
}

/// The next byte that was typed, and where, if there is one. Enter is `\n`, backspace 8 or 127;
/// keys without a character send escape sequences.
#[must_use]
pub fn try_read() -> Option<(u8, Source)> {
    let mut console = CONSOLE.lock();
    console.typed.pop().or_else(|| {
        console.poll();
        console.typed.pop()
    })
}

/// Waits for the next byte that is typed.
#[must_use]
pub fn read() -> (u8, Source) {
    loop {
        if let Some(byte) = try_read() {
            return byte;
        }
        core::hint::spin_loop();
    }
}

/// Whether Ctrl-C was typed. It is taken out then, with all that was typed before it.
#[must_use]
pub fn interrupted() -> bool {
    let mut console = CONSOLE.lock();
    console.poll();
    console.typed.drop_interrupted()
}

/// Waits until all that was printed has left the serial port.
pub fn flush() {
    CONSOLE.lock().serial.flush();
}

/// Leaves the screen as it is: from here on all is printed on the serial line alone.
pub(crate) fn leave_screen() {
    CONSOLE.lock().has_screen = false;
}

/// Takes the console from whoever holds it.
///
/// # Safety
///
/// Whoever held the lock never runs again.
pub(crate) unsafe fn seize() {
    // SAFETY: the holder's borrow of the console is never used again, so the next lock is the
    // only one. A device that was left in the middle of a write takes the next one.
    unsafe { CONSOLE.force_unlock() };
}
