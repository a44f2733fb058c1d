//! [`KernelNames`]: the names of the kernel's addresses, and the words that Tab completes to.

use core::fmt::{self, Write};

use libjos::mem::addr::VirtAddr;
use monitor::line::Complete;
use monitor::{COMMANDS, KERN_PGDIR, KernelCommand, MemoryCommand, Names, Verb, constants, find};

use crate::arch::Layout;
use crate::faults;
use crate::programs;
use crate::symbols;
use crate::user;

/// The kernel's names.
pub(super) struct KernelNames;

impl Names for KernelNames {
    fn address(&self, name: &str) -> Option<u64> {
        let linker = symbols::linker_symbols().into_iter().find(|(known, _)| *known == name);
        linker
            .map(|(_, va)| va.as_u64())
            .or_else(|| symbols::table().and_then(|table| table.find(name)))
    }

    fn describe(&self, va: u64, out: &mut dyn Write) -> fmt::Result {
        let Some(part) = symbols::part_of(VirtAddr::new(va)) else { return Ok(()) };
        write!(out, " (kernel {part}")?;
        if let Some(symbol) = symbols::table().and_then(|table| table.symbol_at(va)) {
            write!(out, ", {}", symbol.name)?;
            if va > symbol.address {
                write!(out, "+{:#x}", va - symbol.address)?;
            }
        }
        out.write_str(")")
    }
}

impl Complete for KernelNames {
    fn candidates(&self, before: &str, word: &str, each: &mut dyn FnMut(&str)) {
        match wanted(before) {
            Wanted::Command => COMMANDS.iter().for_each(|command| each(command.name())),
            Wanted::Fault => faults::all().for_each(|fault| each(fault.name)),
            Wanted::Program => programs::for_each_name(each),
            Wanted::Environment => environments(each),
            Wanted::Paging => ["on", "off", "auto"].into_iter().for_each(each),
            Wanted::Number => addresses(word, each),
        }
    }

    fn is_whole(&self, before: &str) -> bool {
        wanted(before) != Wanted::Number
    }
}

/// The kind of word that is wanted.
#[derive(PartialEq, Eq)]
enum Wanted {
    Command,
    Fault,
    Paging,
    Program,
    Environment,
    Number,
}

/// The kind of word that is wanted behind `before`.
fn wanted(before: &str) -> Wanted {
    let Some(name) = before.split_ascii_whitespace().next() else { return Wanted::Command };
    match find(name).map(|command| command.verb) {
        Some(Verb::Kernel(KernelCommand::Help)) => Wanted::Command,
        Some(Verb::Kernel(KernelCommand::Fault)) => Wanted::Fault,
        Some(Verb::Kernel(KernelCommand::Page)) => Wanted::Paging,
        Some(Verb::Kernel(KernelCommand::Run)) => Wanted::Program,
        Some(Verb::Memory(
            MemoryCommand::Env | MemoryCommand::Kill | MemoryCommand::Map | MemoryCommand::Vmprint,
        )) => Wanted::Environment,
        _ => Wanted::Number,
    }
}

/// Calls `each` with the id of each environment.
fn environments(each: &mut dyn FnMut(&str)) {
    let Some(envs) = user::environments() else { return };
    for (_, env) in envs.all() {
        let digit = |i| b"0123456789abcdef"[(env.env_id.0 >> (28 - 4 * i)) as usize & 0xF];
        let digits: [u8; 8] = core::array::from_fn(digit);
        each(core::str::from_utf8(&digits).unwrap_or_default());
    }
}

/// Calls `each` with the names of addresses. Functions and variables need a letter to tell them apart
/// by, and come with whole paths if one is being typed.
fn addresses(word: &str, each: &mut dyn FnMut(&str)) {
    constants::<Layout>().for_each(|(name, _)| each(name));
    each(KERN_PGDIR);
    symbols::linker_symbols().iter().for_each(|(name, _)| each(name));
    let Some(table) = symbols::table().filter(|_| !word.is_empty()) else { return };
    for symbol in table.symbols() {
        each(if word.contains("::") { symbol.name } else { symbol.short_name() });
    }
}

#[cfg(test)]
mod tests;
