//! [`EnvConsole`]: the console, as far as programs reach it.

/// The console behind `cputs` and `cgetc`.
pub trait EnvConsole {
    /// Prints bytes, which need not be text.
    fn write(&mut self, bytes: &[u8]);

    /// Takes a byte that was typed, if there is one. Does not wait.
    fn cgetc(&mut self) -> Option<u8>;
}
