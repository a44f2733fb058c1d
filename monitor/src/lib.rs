//! The kernel monitor of JOS64, as far as it needs no processor: the table of commands, their words, and the
//! commands that look at the memory system or change it.
//!
//! | module | holds |
//! |---|---|
//! | `commands`, `table` | [`COMMANDS`]: every command's name, usage and help; `docs/monitor.md` is made of it |
//! | `arguments`, [`expression`] | words and options; numbers, names and sums |
//! | `error` | why a command is refused |
//! | `session`, `held` | the surroundings of every command; the pages that `alloc` gave out |
//! | `extents` | an address range as runs that are mapped and gaps that are not |
//! | [`explain`], [`processor`] | an address explained; the bits of registers and error codes |
//! | [`line`](mod@line) | the line editor |
//! | `mappings`, `dump`, `frames`, `play`, `environments` | the commands themselves |
//! | `sharing` | who shares an environment's frames |
//!
//! A command writes to a writer that it is given, and ends early if that reports an error: so a
//! reader can stop a long listing. Wrong words and refused wishes are errors, and change nothing.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod arguments;
mod commands;
mod dump;
mod environments;
mod error;
pub mod explain;
pub mod expression;
mod extents;
mod frames;
mod held;
pub mod line;
mod mappings;
mod play;
pub mod processor;
mod session;
mod sharing;
mod table;
#[cfg(test)]
mod tests;

pub use arguments::{Arguments, MAXARGS, parse};
pub use commands::{Command, KernelCommand, Manual, MemoryCommand, Verb, find};
pub use error::CommandError;
pub use held::Held;
pub use session::{KERN_PGDIR, Names, Session, constants};
pub use table::COMMANDS;

use libjos::machine::Machine;
use libjos::mem::memory_map::MemoryMapEntry;

impl<M: Machine> Session<'_, M> {
    /// Runs a command. `loader` is the memory map as the loader gave it.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; except for [`CommandError::Stopped`], nothing has changed then.
    pub fn run<'w>(
        &mut self,
        command: MemoryCommand,
        arguments: &Arguments<'w>,
        loader: impl Iterator<Item = MemoryMapEntry>,
    ) -> Result<(), CommandError<'w>> {
        self.look_at(arguments.env)?;
        match command {
            MemoryCommand::Showmappings => self.showmappings(arguments),
            MemoryCommand::Setperm => self.setperm(arguments),
            MemoryCommand::Dump => self.dump(arguments),
            MemoryCommand::Translate => self.translate(arguments),
            MemoryCommand::Vmprint => self.vmprint(arguments),
            MemoryCommand::Map => self.map(arguments),
            MemoryCommand::Memmap => self.memmap(arguments, loader),
            MemoryCommand::Pages => self.pages(arguments),
            MemoryCommand::Freelist => self.freelist(arguments),
            MemoryCommand::Alloc => self.alloc(arguments),
            MemoryCommand::Free => self.free(arguments),
            MemoryCommand::Insert => self.insert(arguments),
            MemoryCommand::Remove => self.remove(arguments),
            MemoryCommand::Checks => self.checks(arguments),
            MemoryCommand::Envs => self.envs(arguments),
            MemoryCommand::Env => self.env(arguments),
            MemoryCommand::Kill => self.kill(arguments),
        }
    }
}
