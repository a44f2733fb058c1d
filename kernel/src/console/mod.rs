//! The console: it prints on the serial line and the screen, and reads from the serial line and the
//! keyboard. JOS's `kern/console.c`.
//!
//! One lock guards all three devices. A panic takes the lock from its holder (`seize`), so that its
//! report always comes out.

mod kept;
mod typed;

pub use typed::Source;
pub(crate) use typed::Unread;

use core::fmt::{self, Write};
use core::time::Duration;

use crate::arch::clock::alarm;
use crate::arch::interrupts;
use crate::arch::keyboard::Keyboard;
use crate::arch::screen::Screen;
use crate::arch::serial::Serial;
use crate::lock::{Lock, interrupts_off};
use kept::Kept;
use typed::Typed;

/// Clears a terminal, and moves its cursor to the first row (ECMA-48, 8.3.39 and 8.3.21).
const CLEAR_TERMINAL: &str = "\x1b[2J\x1b[H";

/// The time between two looks at devices that do not interrupt the processor. A serial line of 115200 baud fills its
/// FIFO of 16 bytes in 1.4 ms.
const LOOK: Duration = Duration::from_millis(1);

static CONSOLE: Lock<Console> = Lock::new(Console::new());

/// The three devices. A device that the machine does not have does nothing.
struct Console {
    serial: Serial,
    screen: Screen,
    keyboard: Keyboard,
    typed: Typed,
    /// Text that is printed, and not written yet.
    kept: Kept,
    /// Whether text is kept until its print ends. The report of a panic may break off at any piece.
    keeps: bool,
    /// Whether output goes to the screen.
    has_screen: bool,
    /// Whether nothing was printed yet on the current line.
    at_line_start: bool,
    /// Whether each typed byte interrupts the processor.
    wakes: bool,
}

impl Console {
    const fn new() -> Self {
        Self {
            serial: Serial::new(),
            screen: Screen::new(),
            keyboard: Keyboard::new(),
            typed: Typed::new(),
            kept: Kept::new(),
            keeps: true,
            has_screen: true,
            at_line_start: true,
            wakes: false,
        }
    }

    /// Moves typed bytes from the devices into `typed`, up to its size. Further bytes wait in the
    /// devices, and behind the serial port in QEMU.
    fn poll(&mut self) {
        while self.typed.has_room() {
            if let Some(byte) = self.serial.try_read() {
                self.typed.push(byte, Source::Serial);
                continue;
            }
            let typed = &mut self.typed;
            if self.keyboard.try_read(|byte| typed.push(byte, Source::Keyboard)).is_none() {
                interrupts::typed_is_read();
                return;
            }
        }
    }

    /// Sends `text` on the serial line, and waits for a slow reader. Polls meanwhile, since the
    /// devices keep at most 16 typed bytes.
    fn send(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            bytes = &bytes[self.serial.send(bytes)..];
            self.poll();
        }
    }

    /// Adds `text` to the text that is printed. It is written at the latest by [`write_kept`](Self::write_kept).
    fn add(&mut self, text: &str) {
        if let Some(last) = text.as_bytes().last() {
            self.at_line_start = *last == b'\n';
        }
        if !(self.keeps && self.kept.add(text)) {
            self.write_kept();
            self.write(text);
        }
    }

    /// Writes the text that is kept. Without any, no device is touched: the screen may be the fault that is reported.
    fn write_kept(&mut self) {
        let kept = self.kept.take();
        if !kept.text().is_empty() {
            self.write(kept.text());
        }
    }

    /// Writes `text` to all devices.
    fn write(&mut self, text: &str) {
        for (i, line) in text.split('\n').enumerate() {
            // Terminals need a carriage return with a line feed.
            self.send(if i > 0 { "\r\n" } else { "" });
            self.send(line);
        }
        // The screen comes last: it is memory, and a write to memory can fault.
        if self.has_screen {
            self.screen.write(text);
        }
    }
}

/// Sets up the devices. Earlier output is lost.
pub(crate) fn init() {
    let mut console = CONSOLE.lock();
    console.serial.init();
    console.screen.init();
}

/// Makes typed bytes interrupt the processor, as far as the devices can.
pub(crate) fn wake_when_typed() {
    let console = &mut *CONSOLE.lock();
    console.wakes = console.serial.allow_interrupts() & console.keyboard.allow_interrupts();
}

/// Takes typed bytes from the devices, so that they have room for more.
pub(crate) fn take_typed() {
    CONSOLE.lock().poll();
}

/// Prints `text`. The `Display` of its values may itself print.
pub fn print(text: fmt::Arguments<'_>) {
    // Writing to the console never fails; only a `Display` can.
    let _ = Unlocked.write_fmt(text);
    let mut console = CONSOLE.lock();
    console.write_kept();
    console.screen.show_cursor();
}

/// The console, locked while each piece of text is added, and not while a piece is formatted.
struct Unlocked;

impl Write for Unlocked {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        CONSOLE.lock().add(text);
        Ok(())
    }
}

/// Starts a new line, unless the current one is empty.
pub fn fresh_line() {
    let mut console = CONSOLE.lock();
    if !console.at_line_start {
        console.add("\n");
        console.write_kept();
    }
}

/// Whether the current line is empty.
pub(crate) fn at_line_start() -> bool {
    CONSOLE.lock().at_line_start
}

/// Clears the screen, and the terminal on the serial line.
pub fn clear() {
    let mut console = CONSOLE.lock();
    console.write_kept();
    console.send(CLEAR_TERMINAL);
    console.screen.init();
    console.at_line_start = true;
}

/// The next typed byte and its device, if there is one. Enter is `\n`, backspace 8 or 127; keys
/// without a character send escape sequences.
#[must_use]
pub fn try_read() -> Option<(u8, Source)> {
    let mut console = CONSOLE.lock();
    console.typed.pop().or_else(|| {
        console.poll();
        console.typed.pop()
    })
}

/// Waits for the next typed byte. The processor halts meanwhile: until it is interrupted by a typed byte or, if not each
/// typed byte does that, by the timer.
#[must_use]
pub fn read() -> (u8, Source) {
    loop {
        // A byte that is typed from here on wakes the processor.
        let _off = interrupts_off();
        if let Some(byte) = try_read() {
            return byte;
        }
        let wakes = CONSOLE.lock().wakes || alarm(LOOK);
        if wakes {
            interrupts::wait();
        }
        core::hint::spin_loop();
    }
}

/// Tells which typed bytes were not read yet; reads none.
#[must_use]
pub(crate) fn unread() -> Unread {
    let mut console = CONSOLE.lock();
    console.poll();
    console.typed.unread()
}

/// Whether Ctrl-C was typed. If so, removes it and all bytes typed before it.
#[must_use]
pub fn interrupted() -> bool {
    let mut console = CONSOLE.lock();
    console.poll();
    console.typed.drop_interrupted()
}

/// Waits until all output has left the serial port.
pub fn flush() {
    let mut console = CONSOLE.lock();
    console.write_kept();
    console.serial.flush();
}

/// Stops output to the screen: from here on only the serial line is written to.
pub(crate) fn leave_screen() {
    CONSOLE.lock().has_screen = false;
}

/// Takes the console's lock from its holder.
///
/// # Safety
///
/// The holder must never run again.
pub(crate) unsafe fn seize() {
    // SAFETY: the holder's borrow of the console is never used again, so the next lock gives the only
    // borrow. A device that was interrupted in the middle of a write accepts the next one.
    unsafe { CONSOLE.seize() };
    CONSOLE.lock().keeps = false;
}

#[cfg(test)]
pub(crate) mod tests;
