//! [`COMMANDS`]: the table of commands, of which `help` and `docs/monitor.md` are made.

use core::fmt;

/// A command's code, by who runs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// It works on the memory system: [`Session::run`](super::Session::run) runs it.
    Memory(MemoryCommand),
    /// It needs the processor or the console: the kernel runs it.
    Kernel(KernelCommand),
}

/// Commands that work on the memory system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the table below says what each is")]
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
}

/// Commands that need the processor or the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the table below says what each is")]
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
}

/// A command of the monitor.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The code that it stands for.
    pub verb: Verb,
    /// The word that is typed.
    pub name: &'static str,
    /// The words that may follow the name, options included.
    pub arguments: &'static str,
    /// Its effect, in a few words.
    pub summary: &'static str,
    /// All that `help NAME` tells of it, in lines that fit on the screen.
    pub details: &'static [&'static str],
}

/// The command's usage.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.arguments.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}", self.name, self.arguments)
    }
}

/// The command called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// All commands, in the order in which `help` lists them.
pub const COMMANDS: &[Command] = &[
    Command {
        verb: Verb::Kernel(KernelCommand::Help),
        name: "help",
        arguments: "[COMMAND]",
        summary: "Display this list of commands, or all about one",
        details: &["Lists the commands, or says all there is to know about COMMAND."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Kerninfo),
        name: "kerninfo",
        arguments: "",
        summary: "Display information about the kernel",
        details: &[
            "Where the kernel's parts are, virtual and physical, and how large; how it was",
            "started, and with which command line; the processor and what it can do.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Backtrace),
        name: "backtrace",
        arguments: "",
        summary: "Display the calls that led here",
        details: &[
            "The chain of frame pointers from here up, each call with its function, file",
            "and line. A call that the compiler put into another function is marked",
            "(inlined).",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Showmappings),
        name: "showmappings",
        arguments: "LO [HI]",
        summary: "Display what the pages from LO to HI lead to",
        details: &[
            "From the page of LO to the page of HI, both included; HI is LO unless it is",
            "given. A line for each run of pages that go on in both address spaces with the",
            "same permissions: virtual addresses, the physical one where the run begins,",
            "permissions (u user, r read, w write, x execute, g global), bytes, and the",
            "size of its pages. If the machine cannot withhold x, the last line says so.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Setperm),
        name: "setperm",
        arguments: "[-f] VA +w -u ...",
        summary: "Change the permissions of the page of VA",
        details: &[
            "Each word gives (+) or takes away (-) permissions: u user, w write, x execute,",
            "g global (from UTOP up alone, where all address spaces are the same). Others",
            "stay. From UTOP up, in the kernel's part, it takes -f and may break the kernel.",
            "A part of a large page is split off first.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Dump),
        name: "dump",
        arguments: "[-p] ADDRESS [N]",
        summary: "Display N bytes of memory (64)",
        details: &[
            "In hexadecimal and as text. ADDRESS is a virtual one or, with -p, a physical",
            "one. Gaps in the mapping are shown. Only RAM is read: devices are left alone.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Translate),
        name: "translate",
        arguments: "VA",
        summary: "Display the walk of VA, level by level",
        details: &[
            "The bits of VA, boxed by what they pick; then each entry on the way, with the",
            "table that it is in, its index and its value, and what it leads to or why it",
            "stops.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Vmprint),
        name: "vmprint",
        arguments: "",
        summary: "Display every entry of the page tables",
        details: &[
            "As xv6 prints them: a line for each entry that is present, indented by dots for",
            "each level. `map` and `showmappings` say the same in fewer lines.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Map),
        name: "map",
        arguments: "",
        summary: "Display the memory map, and what is mapped in it",
        details: &[
            "Each region with what kernel/user may do there, and below it every run of",
            "pages that is mapped. W marks writable pages, X executable ones, ! those that",
            "the memory map does not allow there.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Cr),
        name: "cr",
        arguments: "",
        summary: "Display the control registers, bit by bit",
        details: &[
            "Each bit with its value and what it does: CR0 to CR4 on a PC (on x86-64 CR8 and",
            "EFER too), on RISC-V sstatus, satp, stvec, sie, sepc, scause and stval.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Memmap),
        name: "memmap",
        arguments: "",
        summary: "Display the loader's memory map, what became of it",
        details: &["The entries as the loader gave them; then who has the memory now."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Pages),
        name: "pages",
        arguments: "[PA]",
        summary: "Count the pages by state, or display the one of PA",
        details: &["For one page: its PageInfo, its owner, and every mapping of it."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Freelist),
        name: "freelist",
        arguments: "[N]",
        summary: "Display the first N runs of page_free_list (16)",
        details: &["In the order in which page_alloc hands pages out."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Alloc),
        name: "alloc",
        arguments: "[N]",
        summary: "Allocate N pages (1)",
        details: &["By page_alloc, with zeros. `free` gives them back."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Free),
        name: "free",
        arguments: "[-f] PA",
        summary: "Free the page of PA",
        details: &[
            "PA is in a page that `alloc` gave out. A page that is mapped too stays in use",
            "until it is removed there. With -f it is any page in use: the kernel may break.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Insert),
        name: "insert",
        arguments: "[-f] VA PA [+w ...]",
        summary: "Map the page of VA to the page of PA",
        details: &[
            "By page_insert: what was mapped there is unmapped. Permissions are given as to",
            "setperm; without them the page can only be read. A page that `alloc` did not",
            "give out takes -f, and so does an address from UTOP up.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Remove),
        name: "remove",
        arguments: "[-f] VA",
        summary: "Unmap the page of VA",
        details: &[
            "By page_remove; page tables that map nothing any more are freed. From UTOP up",
            "it takes -f.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Checks),
        name: "checks",
        arguments: "[-f]",
        summary: "Run all of mem_init's checks again",
        details: &[
            "A check that fails is a panic. check_kern_pgdir fails where the application's",
            "part is not empty, so `checks` does not begin then, unless -f is given.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Fault),
        name: "fault",
        arguments: "[NAME]",
        summary: "Commit a deliberate fault, which ends everything",
        details: &["NAME is as in test=NAME on the command line; without it, they are listed."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Uptime),
        name: "uptime",
        arguments: "",
        summary: "Display the time since the kernel began",
        details: &[
            "By the processor's time-stamp counter. Its rate is what a hypervisor or the",
            "processor states, or else what the timer chip (8254) measures.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Page),
        name: "page",
        arguments: "[on|off|auto]",
        summary: "Say whether long output waits after each screen",
        details: &[
            "auto, as at the start: output waits if the command came from the keyboard,",
            "because the screen forgets what scrolls off; a terminal on the serial line",
            "keeps it. At -- more -- the space bar shows another screen, Enter another line,",
            "q no more.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Clear),
        name: "clear",
        arguments: "",
        summary: "Clear the screen",
        details: &["As Ctrl-L does."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Reboot),
        name: "reboot",
        arguments: "",
        summary: "Reset the machine",
        details: &["Under `make qemu` and `make qemu-nox` a reset ends QEMU."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Exit),
        name: "exit",
        arguments: "[CODE]",
        summary: "Leave QEMU; a CODE other than 0 is a failure",
        details: &[
            "CODE is a number up to 255. QEMU's status is 33 for success and 35 for a",
            "failure.",
        ],
    },
];

/// The text of `docs/monitor.md`, as its `Display`.
#[cfg(any(test, feature = "std"))]
#[derive(Clone, Copy, Debug)]
pub struct Manual;

#[cfg(any(test, feature = "std"))]
impl fmt::Display for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(include_str!("manual.md"))?;
        writeln!(f, "| command | |\n|---|---|")?;
        for command in COMMANDS {
            let name = command.name;
            // A bar would end the cell.
            let bars = std::format!("{command}").replace('|', "\\|");
            writeln!(f, "| [`{bars}`](#{name}) | {} |", command.summary)?;
        }
        for command in COMMANDS {
            let Command { name, summary, .. } = command;
            writeln!(f, "\n## {name}\n\n    {command}\n\n{summary}.\n")?;
            for line in command.details {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}
