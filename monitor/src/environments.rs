//! `envs`, `env`, `kill`: the environments; and the environment that other commands look at.

use core::fmt::{self, Write};

use layout::{MemLayout, PGSIZE};

use super::arguments::Arguments;
use super::error::CommandError;
use super::extents::extents;
use super::line::{COLUMNS, EditableText, Fixed};
use super::session::Session;
use libjos::env::abi::{ENVGENSHIFT, EnvId};
use libjos::env::{EnvIndex, Record};
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{Entry, Geometry};
use libjos::paging::mappings::{Mapping, leaves};

/// A status, in JOS's words.
fn status(env: &Record) -> &'static str {
    let words = ["FREE", "DYING", "RUNNABLE", "RUNNING", "NOT_RUNNABLE"];
    words.get(env.status as usize).copied().unwrap_or("unknown")
}

/// A number in at most five columns: large ones are rounded down, to thousands (K) or millions (M).
struct Short(u64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..100_000 => write!(f, "{:>5}", self.0),
            100_000..10_000_000 => write!(f, "{:>4}K", self.0 / 1000),
            _ => write!(f, "{:>4}M", self.0 / 1_000_000),
        }
    }
}

impl<M: Machine> Session<'_, M> {
    /// The environment at `index`, if there is one.
    pub(super) fn record(&self, index: EnvIndex) -> Option<Record> {
        self.envs.as_deref()?.record(index)
    }

    /// The kernel's page directory, as that of [`EnvId::NONE`], and those of all environments.
    pub(super) fn directories(&self) -> impl Iterator<Item = (EnvId, PhysAddr)> {
        let envs = EnvIndex::all().filter_map(|index| self.record(index));
        let kernels = (EnvId::NONE, self.pmap.kern_root());
        core::iter::once(kernels).chain(envs.map(|env| (env.id, env.root)))
    }

    /// The environment whose id is `word`: hexadecimal, with `0x` before it or without.
    fn environment<'w>(&self, word: &'w str) -> Result<(EnvIndex, Record), CommandError<'w>> {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        let wanted = "the id of an environment, such as 00001000";
        let id = EnvId(number.ok_or(CommandError::BadWord { word, wanted })?.cast_signed());
        let index = EnvIndex::new(id.index());
        if let Some(env) = self.record(index)
            && env.id == id
        {
            return Ok((index, env));
        }
        // An id has a generation, and the index; generations count up.
        let last = self.envs.as_deref().map_or(EnvId::NONE, |envs| envs.last_id(index));
        let steps = last.0.wrapping_sub(id.0);
        let has_ended = id.0 >= 1 << ENVGENSHIFT && steps >= 0 && steps % (1 << ENVGENSHIFT) == 0;
        Err(CommandError::NoEnv { id, has_ended })
    }

    /// Makes commands look at the page directory of the environment whose id is `word`, if there is a word.
    pub(super) fn look_at<'w>(&mut self, word: Option<&'w str>) -> Result<(), CommandError<'w>> {
        if let Some(word) = word {
            self.root = self.environment(word)?.1.root;
        }
        Ok(())
    }

    /// Makes commands look at the environment that `map` and `vmprint` are given the id of, with `-e` or without.
    pub(super) fn look_at_one<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        match arguments.env {
            Some(_) => arguments.none(),
            None => self.look_at(arguments.at_most_one()?),
        }
    }

    /// The pages that the directory at `root` maps below UTOP.
    pub(super) fn user_pages(&self, root: PhysAddr) -> impl Iterator<Item = Mapping> {
        self.user_pages_from(root, VirtAddr::new(0))
    }

    /// The pages that the directory at `root` maps from `first` on, below UTOP.
    pub(super) fn user_pages_from(
        &self,
        root: PhysAddr,
        first: VirtAddr,
    ) -> impl Iterator<Item = Mapping> {
        let last = VirtAddr::new(M::Layout::UTOP - 1);
        leaves::<M::Format, M>(self.pmap.machine(), root, first, last)
    }

    /// How many page tables there are below the table of `level` at `table`, which maps the addresses from `base`
    /// on, for addresses below UTOP.
    fn tables_below(&self, level: u32, table: PhysAddr, base: VirtAddr) -> usize {
        let entries = (0..M::Format::ENTRIES).map(|i| (i, M::Format::address(level, base, i)));
        let entries = entries.take_while(|(_, va)| va.as_u64() < M::Layout::UTOP);
        let below = entries.map(|(i, va)| match self.pmap.entry(level, table, i) {
            Entry::Table { pa, .. } => 1 + self.tables_below(level - 1, pa, va),
            _ => 0,
        });
        below.sum()
    }

    /// `envs`: a line for each environment.
    pub(super) fn envs<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        arguments.none()?;
        let mut any = false;
        for index in EnvIndex::all() {
            let Some(env) = self.record(index) else { continue };
            if !any {
                let title = "ID       PARENT   STATUS        RUNS PAGES PROGRAM          AT";
                writeln!(self.out, "{title}")?;
                any = true;
            }
            let pages = self.user_pages(env.root).map(|page| page.size / PGSIZE).sum();
            let (runs, pages, pc) = (Short(env.runs.into()), Short(pages), env.pc.as_u64());
            let Record { id, parent, name, .. } = env;
            let status = status(&env);
            write!(self.out, "{id} {parent} {status:<12} {runs} {pages} {name:<16} {pc:#x}")?;
            writeln!(self.out, "{}", if env.receives { " recv" } else { "" })?;
        }
        if !any {
            writeln!(self.out, "there are no environments")?;
        }
        Ok(())
    }

    /// `env ID`: an environment, its registers, its memory, and who shares that.
    pub(super) fn env<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let (index, env) = self.environment(arguments.one()?)?;
        let Record { id, parent, runs, name, pc, upcall, root, .. } = env;
        write!(self.out, "environment {id} ({name})")?;
        match parent {
            EnvId::NONE => writeln!(self.out, ", started by the kernel")?,
            _ => writeln!(self.out, ", child of {parent}")?,
        }
        let waits = if env.receives { ", waits for a message" } else { "" };
        let times = if runs == 1 { "time" } else { "times" };
        writeln!(self.out, "  {}, switched to {runs} {times}{waits}", status(&env))?;
        write!(self.out, "  goes on at {pc}; a page fault ")?;
        match upcall.as_u64() {
            0 => writeln!(self.out, "ends it")?,
            _ => writeln!(self.out, "is handed to {upcall}")?,
        }
        writeln!(self.out, "Registers:")?;
        // A name of four letters and a word, and blanks around them.
        let mut columns = Columns::new(self.out, M::Format::ADDRESS_COLUMNS + 8);
        if let Some(envs) = self.envs.as_deref() {
            envs.write_registers(index, &mut columns)?;
        }
        writeln!(self.out, "\nPages:")?;
        for extent in extents(self.pmap, root, 0, M::Layout::UTOP - 1) {
            if extent.run.is_some() {
                self.out.write_str("  ")?;
                extent.write::<M::Format>(self.out)?;
                writeln!(self.out)?;
            }
        }
        let pages: u64 = self.user_pages(root).map(|page| page.size / PGSIZE).sum();
        let tables = 1 + self.tables_below(M::Format::ROOT, root, VirtAddr::new(0));
        writeln!(self.out, "  {pages} in all, and {tables} page tables; the root is at {root}")?;
        self.sharing(root)
    }

    /// `kill ID`: ends an environment.
    pub(super) fn kill<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let (index, _) = self.environment(arguments.one()?)?;
        if let Some(envs) = self.envs.as_deref_mut() {
            envs.kill(self.pmap, index);
        }
        Ok(())
    }
}

/// Writes short lines side by side, as many as fit on the screen.
struct Columns<'a> {
    out: &'a mut dyn Write,
    /// Columns from the beginning of a line to that of the next.
    width: usize,
    /// The line at hand, ASCII. A part that does not fit on the screen is left out.
    line: Fixed<COLUMNS>,
    /// Columns that are written already.
    column: usize,
}

impl<'a> Columns<'a> {
    fn new(out: &'a mut dyn Write, width: usize) -> Self {
        Self { out, width, line: Fixed::EMPTY, column: 0 }
    }

    /// Writes the line at hand.
    fn end_line(&mut self) -> fmt::Result {
        let line = core::mem::take(&mut self.line);
        let mut start = self.column.next_multiple_of(self.width);
        if start + line.len() > COLUMNS {
            self.out.write_str("\n")?;
            (self.column, start) = (0, 0);
        }
        write!(self.out, "{:1$}{2}", "", start - self.column, &*line)?;
        self.column = start + line.len();
        Ok(())
    }
}

impl Write for Columns<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, part) in text.split('\n').enumerate() {
            if i > 0 {
                self.end_line()?;
            }
            let end = self.line.len();
            let _ = self.line.replace(end..end, part);
        }
        Ok(())
    }
}
