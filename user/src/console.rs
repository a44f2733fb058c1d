//! `cprintf!`: formatted output, a system call for each 256 bytes.

use core::fmt::{self, Write};

use crate::syscall::sys_cputs;

/// Prints, as `print!` does.
#[macro_export]
macro_rules! cprintf {
    ($($arguments:tt)*) => { $crate::console::vcprintf(format_args!($($arguments)*)) };
}

/// Output on its way. Whatever fits is printed by one call, so that lines of several environments do not mix.
struct PrintBuf {
    length: usize,
    bytes: [u8; 256],
}

impl PrintBuf {
    fn flush(&mut self) {
        sys_cputs(&self.bytes[..self.length]);
        self.length = 0;
    }
}

impl Write for PrintBuf {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.length == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// Prints formatted arguments, for `cprintf!`.
pub fn vcprintf(arguments: fmt::Arguments<'_>) {
    let mut out = PrintBuf { length: 0, bytes: [0; 256] };
    // It takes all bytes; an error is the value's own.
    let _ = out.write_fmt(arguments);
    out.flush();
}
