//! `dump`: memory in hexadecimal and as text. It reads only RAM, through the window, and leaves devices
//! alone.

use core::fmt::Write;

use layout::{MemLayout, PGSIZE};

use super::arguments::Arguments;
use super::error::CommandError;
use super::extents::{Extent, extents};
use super::session::Session;
use libjos::machine::Machine;
use libjos::mem::addr::PhysAddr;
use libjos::paging::format::Geometry;
use libjos::pmap::Pmap;

/// Bytes of a line.
const LINE: u64 = 16;
/// The bytes that `dump` shows without N.
const DEFAULT_SIZE: u64 = 64;

impl<M: Machine> Session<'_, M> {
    /// `dump [-p|-e ID] ADDRESS [N]`: N bytes at ADDRESS, a virtual one or, with -p, a physical one.
    pub(super) fn dump<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        if let (true, Some(id)) = (arguments.physical, arguments.env) {
            return Err(CommandError::Surplus(id));
        }
        let (first, size) = arguments.one_or_two()?;
        let size = size.map_or(Ok(DEFAULT_SIZE), |size| self.value(size))?;
        let first = if arguments.physical { self.value(first)? } else { self.va(first)?.as_u64() };
        if size == 0 {
            return Ok(());
        }
        let end = if arguments.physical { u64::MAX } else { M::Layout::VA_LAST };
        let last = first.checked_add(size - 1).filter(|last| *last <= end);
        let last = last.ok_or(CommandError::Wraps { first, size })?;
        let root = self.root;
        let mut dump = Dump { pmap: self.pmap, out: self.out };
        if arguments.physical {
            return dump.physical(first, last, first);
        }
        for extent in extents(dump.pmap, root, first, last) {
            let Extent { first, last, run } = extent;
            match run.map(|run| run.pa.as_u64()) {
                None => {
                    let (gap, digits) = (extent.gap::<M::Layout>(), Dump::<M>::DIGITS);
                    writeln!(dump.out, "{first:0digits$x}-{last:0digits$x}: {gap}")?;
                }
                Some(pa) => dump.physical(pa, pa + (last - first), first)?,
            }
        }
        Ok(())
    }
}

/// The source of the bytes, and the writer of the lines.
struct Dump<'a, M: Machine> {
    pmap: &'a Pmap<M>,
    out: &'a mut dyn Write,
}

impl<M: Machine> Dump<'_, M> {
    /// Digits of an address.
    const DIGITS: usize = M::Format::ADDRESS_COLUMNS - 2;

    /// Shows the physical bytes `[first, last]`, with addresses that begin at `label`.
    fn physical<'w>(&mut self, first: u64, last: u64, label: u64) -> Result<(), CommandError<'w>> {
        let mut at = first;
        loop {
            let is_ram = self.pmap.is_ram(PhysAddr::new(at));
            let end = if is_ram {
                self.line(at, last.min(at | (LINE - 1)), label + (at - first))?
            } else {
                let end = self.end_of_hole(at, last);
                let (from, to) = (label + (at - first), label + (end - first));
                let (digits, why) = (Self::DIGITS, "no RAM, or out of reach: left alone");
                writeln!(self.out, "{from:0digits$x}-{to:0digits$x}: {why}")?;
                end
            };
            if end >= last {
                return Ok(());
            }
            at = end + 1;
        }
    }

    /// The last address before RAM begins again after `at`, up to `last`.
    fn end_of_hole(&self, at: u64, last: u64) -> u64 {
        let runs = self.pmap.boot().memory.usable().runs().iter().map(|run| run.start);
        // The window's last frame is a hole in its run.
        let behind = PhysAddr::new(M::Layout::WINDOW_LAST_FRAME + PGSIZE);
        // RAM that is out of reach is as good as none.
        let is_next = |start: &PhysAddr| start.as_u64() > at && self.pmap.is_ram(*start);
        let next = runs.chain([behind]).filter(is_next).min();
        next.map_or(last, |start| last.min(start.as_u64() - 1))
    }

    /// Shows the bytes `[first, last]`, which are RAM and at most a line, and returns `last`.
    fn line<'w>(&mut self, first: u64, last: u64, label: u64) -> Result<u64, CommandError<'w>> {
        let mut bytes = [0; LINE as usize];
        let bytes = &mut bytes[..(last - first + 1) as usize];
        self.pmap.machine().load_bytes(PhysAddr::new(first), bytes);
        write!(self.out, "{label:0digits$x}:", digits = Self::DIGITS)?;
        for i in 0..LINE as usize {
            let space = if i % 2 == 0 { " " } else { "" };
            match bytes.get(i) {
                Some(byte) => write!(self.out, "{space}{byte:02x}")?,
                None => write!(self.out, "{space}  ")?,
            }
        }
        self.out.write_str("  ")?;
        for byte in bytes {
            let printable = *byte == b' ' || byte.is_ascii_graphic();
            self.out.write_char(if printable { char::from(*byte) } else { '.' })?;
        }
        self.out.write_str("\n")?;
        Ok(last)
    }
}
