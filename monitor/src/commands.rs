//! [`Command`]: a command of the monitor, and the manual that is made of the table of them.

use core::fmt;

use super::table::COMMANDS;

/// A command's code, by who runs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// It works on the memory system and the environments: [`Session::run`](super::Session::run) runs it.
    Memory(MemoryCommand),
    /// It needs the processor, the console, or the programs' files: the kernel runs it.
    Kernel(KernelCommand),
}

/// Commands that work on the memory system and the environments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the table says what each is")]
pub enum MemoryCommand {
    Showmappings,
    Setperm,
    Dump,
    Translate,
    Vmprint,
    Map,
    Memmap,
    Pages,
    Freelist,
    Alloc,
    Free,
    Insert,
    Remove,
    Checks,
    Envs,
    Env,
    Kill,
}

/// Commands that need the processor, the console, or the programs' files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the table says what each is")]
pub enum KernelCommand {
    Help,
    Kerninfo,
    Backtrace,
    Cr,
    Fault,
    Uptime,
    Page,
    Clear,
    Reboot,
    Exit,
    Run,
    Continue,
    Step,
}

/// A command of the monitor.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The code that it stands for.
    pub verb: Verb,
    /// Its name, and the words that may follow, options included.
    pub usage: &'static str,
    /// Its effect, in a few words.
    pub summary: &'static str,
    /// All that `help NAME` tells of it, in lines that fit on the screen.
    pub details: &'static [&'static str],
}

impl Command {
    /// The word that is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.usage.split_once(' ').map_or(self.usage, |(name, _)| name)
    }
}

/// The command called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name() == name)
}

/// The text of `docs/monitor.md`, as its `Display`.
#[derive(Clone, Copy, Debug)]
pub struct Manual;

impl fmt::Display for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(include_str!("manual.md"))?;
        writeln!(f, "| command | |\n|---|---|")?;
        for command in COMMANDS {
            // A bar would end the cell.
            let usage = command.usage.replace('|', "\\|");
            writeln!(f, "| [`{usage}`](#{}) | {} |", command.name(), command.summary)?;
        }
        for command in COMMANDS {
            let Command { usage, summary, details, .. } = command;
            writeln!(f, "\n## {}\n\n    {usage}\n\n{summary}.\n", command.name())?;
            for line in *details {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}
