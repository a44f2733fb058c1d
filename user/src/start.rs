//! From the entry to `umain`, and the end: JOS's `entry.S`, `libmain.c` and `exit.c`. The entry itself is the
//! machine's (`arch`).

use core::ffi::CStr;

use crate::env;
use crate::inc::EnvId;
use crate::syscall::sys_env_destroy;

/// Makes `umain` the program's main function: `fn umain(args: Args)`. When it returns, the environment ends.
#[macro_export]
macro_rules! main {
    ($umain:path) => {
        const _: () = {
            // SAFETY: the library calls a program's main function by this name. Each program has one.
            #[unsafe(no_mangle)]
            extern "Rust" fn umain(args: $crate::start::Args) {
                $umain(args);
            }

            // SAFETY: the library reads a program's name by this name.
            #[unsafe(no_mangle)]
            static BINARYNAME: &str = env!("CARGO_BIN_NAME");
        };
    };
}

// SAFETY: `main!` defines both.
unsafe extern "Rust" {
    safe fn umain(args: Args);
    safe static BINARYNAME: &'static str;
}

/// The words with which the program was started; the first is its name. JOS's `argc` and `argv`.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    argc: usize,
    argv: *const *const u8,
}

impl Args {
    /// The number of words.
    #[must_use]
    pub fn argc(self) -> usize {
        self.argc
    }

    /// A word; `None` from `argc` on, and if it is not UTF-8.
    #[must_use]
    pub fn get(self, n: usize) -> Option<&'static str> {
        if n >= self.argc {
            return None;
        }
        // SAFETY: who starts the program leaves at `argv` pointers to `argc` strings that end with 0, on the
        // program's stack above all frames, where nothing changes them.
        let word = unsafe { CStr::from_ptr((*self.argv.add(n)).cast()) };
        word.to_str().ok()
    }
}

/// The name that the program was built by.
#[must_use]
pub fn binaryname() -> &'static str {
    BINARYNAME
}

/// The entry's caller.
pub(crate) extern "C" fn libmain(argc: usize, argv: *const *const u8) -> ! {
    env::find_thisenv();
    umain(Args { argc, argv });
    exit()
}

/// Ends this environment.
pub fn exit() -> ! {
    let _ = sys_env_destroy(EnvId::NONE);
    unreachable!("the kernel has ended this environment");
}
