//! [`readline`]: a line from the console. JOS's `lib/readline.c`.

use crate::console;
use libjos::line::{Echo, LineEditor};

/// Prints `prompt`, reads a line into `buffer` and returns it. A longer line is cut off, with the
/// bell; Ctrl-C gives an empty one.
#[unsafe(no_mangle)]
pub fn readline<'a>(prompt: &str, buffer: &'a mut [u8]) -> &'a str {
    print!("{prompt}");
    let mut editor = LineEditor::new(buffer);
    loop {
        match editor.feed(console::read()) {
            Echo::Nothing => {}
            Echo::Character(byte) => print!("{}", char::from(byte)),
            Echo::Erase(count) => (0..count).for_each(|_| print!("\x08 \x08")),
            Echo::Bell => print!("\x07"),
            Echo::Done => {
                println!();
                return editor.finish();
            }
            Echo::Interrupt => {
                println!("^C");
                return editor.finish();
            }
        }
    }
}
