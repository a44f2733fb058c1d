//! The kernel monitor: a prompt, and the commands of the crate `monitor`. JOS's `kern/monitor.c`.
//!
//! `monitor` has the table of commands, and runs those that need no processor. Here are the loop, the
//! other commands, the kernel's names, and the pager of long output.

mod info;
mod names;
mod pager;
mod programs;

use core::fmt::Write;

use libjos::app::process::ExitCode;
use libjos::env::Environments;
use monitor::expression::evaluate;
use monitor::line::{History, LONGEST};
use monitor::{
    Arguments, COMMANDS, Command, CommandError, Held, KernelCommand, Session, Verb, find, parse,
};

use crate::application;
use crate::backtrace;
use crate::boot_info;
use crate::clock::{self, Hours};
use crate::cmdline;
use crate::console;
use crate::exit;
use crate::faults;
use crate::pmap;
use crate::readline::{Answer, readline};
use crate::user;
use names::KernelNames;
use pager::{Pager, Paging};
use programs::Background;

const PROMPT: &str = "K> ";
/// Columns of a command's usage in the list of commands.
const USAGE_COLUMNS: usize = 28;

/// The monitor's memory from one command to the next.
#[derive(Default)]
struct MonitorState {
    held: Held,
    paging: Paging,
    background: Background,
}

/// Runs the program that the command line names, if any, and all that it makes. Then reads commands and runs them, for
/// ever.
pub fn monitor() {
    let mut state = MonitorState::default();
    if let Some(program) = cmdline::options().program
        && programs::create(program, &mut Pager::new(false))
    {
        programs::go_on();
    }
    println!("Welcome to the JOS kernel monitor!");
    println!("Type 'help' for a list of commands.");
    let mut history = History::default();
    loop {
        match readline(PROMPT, &history, &KernelNames, &mut |redraw| state.background.read(redraw))
        {
            Answer::Line { line, source } => {
                history.push(&line);
                let mut pager = Pager::new(state.paging.waits(source));
                runcmd(&line, &mut state, &mut pager);
            }
            Answer::TooLong => println!("a line of more than {LONGEST} bytes is refused whole"),
            Answer::EndOfInput => println!("Type 'exit' to leave QEMU."),
        }
    }
}

/// Runs the command in `line`.
fn runcmd(line: &str, state: &mut MonitorState, pager: &mut Pager) {
    let (command, arguments) = match parse(line) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => return,
        Err(error) => return println!("{error}"),
    };
    let result = run(command.verb, &arguments, state, pager);
    pager.flush();
    match result {
        Ok(()) | Err(CommandError::Stopped) => {}
        Err(error) => {
            println!("{error}");
            if error.is_usage() {
                println!("usage: {}", command.usage);
            }
        }
    }
}

fn run<'w>(
    verb: Verb,
    arguments: &Arguments<'w>,
    state: &mut MonitorState,
    pager: &mut Pager,
) -> Result<(), CommandError<'w>> {
    match verb {
        Verb::Memory(verb) => {
            let (mut envs, mut pmap) = (user::environments(), pmap::lock());
            let envs = envs.as_deref_mut().map(|envs| envs as &mut dyn Environments<_>);
            let mut session = Session::new(&mut pmap, envs, &mut state.held, &KernelNames, pager);
            session.run(verb, arguments, boot_info::get().memory_entries())
        }
        Verb::Kernel(KernelCommand::Help) => help(arguments, pager),
        Verb::Kernel(KernelCommand::Kerninfo) => info::kerninfo(arguments, pager),
        Verb::Kernel(KernelCommand::Backtrace) => backtrace(arguments),
        Verb::Kernel(KernelCommand::Cr) => info::cr(arguments, pager),
        Verb::Kernel(KernelCommand::Fault) => fault(arguments, pager),
        Verb::Kernel(KernelCommand::Uptime) => uptime(arguments),
        Verb::Kernel(KernelCommand::Page) => page(arguments, &mut state.paging),
        Verb::Kernel(KernelCommand::Clear) => {
            arguments.none()?;
            console::clear();
            Ok(())
        }
        Verb::Kernel(KernelCommand::Reboot) => {
            arguments.none()?;
            exit::reboot()
        }
        Verb::Kernel(KernelCommand::Exit) => exit(arguments),
        Verb::Kernel(KernelCommand::Run) => programs::run(arguments, &mut state.background, pager),
        Verb::Kernel(KernelCommand::Continue) => programs::cont(arguments, &mut state.background),
        Verb::Kernel(KernelCommand::Step) => programs::step(arguments, &mut state.background),
    }
}

fn help<'w>(arguments: &Arguments<'w>, pager: &mut Pager) -> Result<(), CommandError<'w>> {
    let Some(name) = arguments.at_most_one()? else {
        for command in COMMANDS {
            let Command { usage, summary, .. } = command;
            writeln!(pager, "{usage:USAGE_COLUMNS$} {summary}")?;
        }
        return Ok(());
    };
    let command = find(name).ok_or(CommandError::UnknownCommand(name))?;
    let Command { usage, summary, details, .. } = command;
    writeln!(pager, "{usage}\n{summary}.")?;
    details.iter().try_for_each(|line| writeln!(pager, "{line}"))?;
    Ok(())
}

#[inline(never)]
fn backtrace<'w>(arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
    arguments.none()?;
    println!("Backtrace:");
    backtrace::print_here();
    Ok(())
}

fn fault<'w>(arguments: &Arguments<'w>, pager: &mut Pager) -> Result<(), CommandError<'w>> {
    match arguments.at_most_one()? {
        Some(word) => {
            let bad = CommandError::BadWord { word, wanted: "a fault; `fault` lists them" };
            faults::run(faults::find(word.as_bytes()).ok_or(bad)?)
        }
        None => Ok(faults::all().try_for_each(|fault| writeln!(pager, "{}", fault.name))?),
    }
}

fn uptime<'w>(arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
    arguments.none()?;
    match clock::uptime() {
        Some(time) => println!("up {}", Hours(time)),
        None => println!("nothing says how fast the time-stamp counter runs"),
    }
    Ok(())
}

fn page<'w>(arguments: &Arguments<'w>, paging: &mut Paging) -> Result<(), CommandError<'w>> {
    match arguments.at_most_one()? {
        Some("on") => *paging = Paging::On,
        Some("off") => *paging = Paging::Off,
        Some("auto") => *paging = Paging::Auto,
        Some(word) => return Err(CommandError::BadWord { word, wanted: "on, off or auto" }),
        None => println!("{paging}"),
    }
    Ok(())
}

fn exit<'w>(arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
    let code = match arguments.at_most_one()? {
        None => ExitCode::SUCCESS,
        Some(word) => {
            let bad = CommandError::BadWord { word, wanted: "a number from 0 to 255" };
            let code = evaluate(word, &|_| None).ok().and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.ok_or(bad)?)
        }
    };
    application::end(code)
}

#[cfg(test)]
mod tests;
