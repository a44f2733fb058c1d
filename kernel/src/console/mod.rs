//! The console: what is printed goes to the serial line and to the screen; what is typed comes
//! from the serial line and from the keyboard. JOS's `kern/console.c`.
//!
//! One lock guards all three devices. A panic takes the lock from whoever holds it
//! (`seize`), so that its report always comes out.

mod keyboard;
mod serial;
mod vga;

use core::fmt::{self, Write};

use spin::Mutex;

use keyboard::Keyboard;
use serial::Serial;
use vga::Vga;

static CONSOLE: Mutex<Console> = Mutex::new(Console::new());

/// The three devices. Each does nothing where the machine does not have it.
struct Console {
    serial: Serial,
    vga: Vga,
    keyboard: Keyboard,
}

impl Console {
    const fn new() -> Self {
        Self { serial: Serial::new(), vga: Vga::new(), keyboard: Keyboard::new() }
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.serial.write(text);
        self.vga.write(text);
        Ok(())
    }
}

/// Prints on the console, like `std`'s. (A debugger shows the line that it is called from.)
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! print {
    ($($arg:tt)*) => { $crate::console::print(format_args!($($arg)*)) };
}

/// Prints a line on the console, like `std`'s.
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::console::print(format_args!("{}\n", format_args!($($arg)*))) };
}

/// Sets up the devices. What is printed before is lost.
pub fn init() {
    let mut console = CONSOLE.lock();
    console.serial.init();
    console.vga.init();
}

/// Prints `text`, all of it under the lock.
pub fn print(text: fmt::Arguments<'_>) {
    let mut console = CONSOLE.lock();
    // Formatting fails only where a `Display` does; the console takes everything.
    let _ = console.write_fmt(text);
    console.vga.show_cursor();
}

/// Ends the line at hand, if there is one.
pub fn fresh_line() {
    let mut console = CONSOLE.lock();
    if !console.vga.at_line_start() {
        let _ = console.write_str("\n");
    }
}

/// The next byte that was typed, if there is one. Enter is `\n`, backspace 8 or 127.
#[must_use]
pub fn try_read() -> Option<u8> {
    let mut console = CONSOLE.lock();
    console.serial.try_read().or_else(|| console.keyboard.try_read())
}

/// Waits for the next byte that is typed.
#[must_use]
pub fn read() -> u8 {
    loop {
        if let Some(byte) = try_read() {
            return byte;
        }
        core::hint::spin_loop();
    }
}

/// Waits until all that was printed has left the serial port.
pub fn flush() {
    CONSOLE.lock().serial.flush();
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
