//! The kernel monitor: a prompt, and a table of commands. JOS's `kern/monitor.c`.

use core::fmt;

use libjos::addr::VirtAddr;
use libjos::pages::PageAllocator;

use crate::backtrace;
use crate::boot_info;
use crate::exit::{self, Status};
use crate::pmap;
use crate::readline::readline;
use crate::symbols;

const PROMPT: &str = "K> ";
/// The longest line: with the prompt it fits on the screen, so that erasing never has to cross
/// the edge.
const LONGEST_LINE: usize = 80 - 1 - PROMPT.len();
/// Most words of a command.
const MAXARGS: usize = 16;

/// A command of the monitor.
struct Command {
    name: &'static str,
    /// What may follow the name.
    arguments: &'static str,
    description: &'static str,
    /// Gets the words after the name; `Err` where they make no sense.
    run: fn(&[&str]) -> Result<(), Misuse>,
}

/// The words after a command's name make no sense to it.
struct Misuse;

/// How to type the command.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.arguments.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}", self.name, self.arguments)
    }
}

const COMMANDS: &[Command] = &[
    Command {
        name: "help",
        arguments: "",
        description: "Display this list of commands",
        run: help,
    },
    Command {
        name: "kerninfo",
        arguments: "",
        description: "Display information about the kernel",
        run: kerninfo,
    },
    Command {
        name: "backtrace",
        arguments: "",
        description: "Display the calls that led here",
        run: backtrace,
    },
    Command {
        name: "exit",
        arguments: "[CODE]",
        description: "Leave QEMU; a CODE other than 0 is a failure",
        run: exit,
    },
];

/// Reads commands and runs them, for ever.
pub fn monitor() {
    println!("Welcome to the JOS kernel monitor!");
    println!("Type 'help' for a list of commands.");
    let mut buffer = [0; LONGEST_LINE];
    loop {
        runcmd(readline(PROMPT, &mut buffer));
    }
}

/// Splits `line` into words and runs the command that the first one names.
fn runcmd(line: &str) {
    let mut words = [""; MAXARGS];
    let mut nwords = 0;
    for word in line.split_ascii_whitespace() {
        let Some(slot) = words.get_mut(nwords) else {
            println!("Too many arguments (max {MAXARGS})");
            return;
        };
        *slot = word;
        nwords += 1;
    }
    let Some((name, arguments)) = words[..nwords].split_first() else { return };
    match COMMANDS.iter().find(|command| command.name == *name) {
        None => println!("Unknown command '{name}'"),
        Some(command) => {
            if let Err(Misuse) = (command.run)(arguments) {
                println!("usage: {command}");
            }
        }
    }
}

fn no_arguments(arguments: &[&str]) -> Result<(), Misuse> {
    if arguments.is_empty() { Ok(()) } else { Err(Misuse) }
}

fn help(arguments: &[&str]) -> Result<(), Misuse> {
    no_arguments(arguments)?;
    for command in COMMANDS {
        println!("{command} - {}", command.description);
    }
    Ok(())
}

fn kerninfo(arguments: &[&str]) -> Result<(), Misuse> {
    no_arguments(arguments)?;
    println!("Special kernel symbols:");
    println!("  {:<8} {:>18}        {:#010x} (phys)", "_start", "", symbols::_start().as_u64());
    let symbols: [(&str, VirtAddr); 4] = [
        ("entry", symbols::entry()),
        ("etext", symbols::etext()),
        ("edata", symbols::edata()),
        ("end", symbols::end()),
    ];
    for (name, va) in symbols {
        let pa = symbols::paddr(va).as_u64();
        println!("  {name:<8} {:#018x} (virt) {pa:#010x} (phys)", va.as_u64());
    }
    let footprint = symbols::end() - symbols::entry();
    println!("Kernel executable memory footprint: {}KB", footprint.div_ceil(1024));

    let boot_info = boot_info::get();
    print!("Started by: {}", boot_info.protocol().name());
    if let Some(loader) = boot_info.loader() {
        print!(", {loader}");
    }
    println!("\nCommand line: {}", boot_info.command_line());

    let pmap = pmap::lock();
    println!("{}", pmap.boot().memory.totals::<layout::Jos64>());
    println!("Pages: {}, free: {}", pmap.pages.npages(), pmap.pages.nfree());
    Ok(())
}

fn backtrace(arguments: &[&str]) -> Result<(), Misuse> {
    no_arguments(arguments)?;
    println!("Backtrace:");
    backtrace::print_here();
    Ok(())
}

fn exit(arguments: &[&str]) -> Result<(), Misuse> {
    let status = match arguments {
        [] => Status::Success,
        [code] => match code.parse::<i32>() {
            Ok(0) => Status::Success,
            Ok(_) => Status::Failure,
            Err(_) => return Err(Misuse),
        },
        _ => return Err(Misuse),
    };
    exit::exit(status)
}
