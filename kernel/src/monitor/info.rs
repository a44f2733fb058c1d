//! `kerninfo` and `cr`, which show the kernel and the processor under it.

use core::fmt::Write;

use libjos::mem::pages::PageAllocator;
use libjos::paging::format::{Format as _, Perm};
use monitor::explain::note_permissions;
use monitor::processor::Field;
use monitor::{Arguments, CommandError};

use crate::arch::control;
use crate::arch::{ADDRESS_COLUMNS, Format, Layout, features};
use crate::boot_info;
use crate::pmap;
use crate::symbols;

/// `kerninfo`: where the kernel is, how it was started, and on which processor.
#[inline(never)]
pub(super) fn kerninfo<'w>(
    arguments: &Arguments<'w>,
    out: &mut dyn Write,
) -> Result<(), CommandError<'w>> {
    arguments.none()?;
    writeln!(out, "Special kernel symbols:")?;
    writeln!(
        out,
        "  {:<8} {:>ADDRESS_COLUMNS$}        {:#010x} (phys)",
        "_start",
        "",
        symbols::paddr(symbols::entry()).as_u64()
    )?;
    let shown = ["entry", "etext", "edata", "end"];
    let all = symbols::linker_symbols().into_iter();
    for (name, va) in all.filter(|(name, _)| shown.contains(name)) {
        let pa = symbols::paddr(va).as_u64();
        writeln!(out, "  {name:<8} {:#0ADDRESS_COLUMNS$x} (virt) {pa:#010x} (phys)", va.as_u64())?;
    }
    writeln!(out, "Sections, in whole pages:")?;
    let (text_end, rodata_end) = (symbols::text_end_exclusive(), symbols::rodata_end_exclusive());
    for (name, start, end, what) in [
        ("text", symbols::stext(), text_end, "code: read, execute"),
        ("rodata", text_end, rodata_end, "constants: read"),
        ("data", rodata_end, symbols::end(), "data, bss, stacks: read, write"),
    ] {
        let (first, size) = (start.as_u64(), (end - start) / 1024);
        // Where the format cannot withhold execution, all of the kernel can be executed.
        let more = Format::ALWAYS.contains(Perm::X) && name != "text";
        let more = if more { ", execute" } else { "" };
        writeln!(out, "  {name:<8} {first:#0ADDRESS_COLUMNS$x} {size:>6} KB  {what}{more}")?;
    }
    if let Some(table) = symbols::table() {
        let (size, count) = (table.size().div_ceil(1024), table.symbols().len());
        writeln!(out, "  of the constants, {size} KB are {count} names and the source lines")?;
    }
    let footprint = symbols::end() - symbols::entry();
    writeln!(out, "Kernel executable memory footprint: {}KB", footprint.div_ceil(1024))?;

    let boot_info = boot_info::get();
    write!(out, "Started by: {}", boot_info.protocol.name())?;
    if let Some(loader) = boot_info.loader {
        write!(out, ", {loader}")?;
    }
    writeln!(out, "\nCommand line: {}", boot_info.command_line)?;
    for part in boot_info.reserved() {
        let (start, size) = (part.range.start.as_u64(), part.range.size());
        writeln!(out, "  {} at {start:#x}, {size} bytes", part.name)?;
    }
    features::describe(out)?;
    if let Some(processor) = boot_info.processor {
        writeln!(out, "  {processor}")?;
    }
    note_permissions::<Format>(out)?;

    let pmap = pmap::lock();
    writeln!(out, "{}", pmap.boot().memory.totals::<Layout>())?;
    writeln!(out, "Pages: {}, free: {}", pmap.pages().npages(), pmap.pages().nfree())?;
    Ok(())
}

/// Bits of a register, which holds an address.
const REGISTER_BITS: u32 = 4 * (ADDRESS_COLUMNS as u32 - 2);

/// `cr`: every bit of the control registers.
pub(super) fn cr<'w>(
    arguments: &Arguments<'w>,
    out: &mut dyn Write,
) -> Result<(), CommandError<'w>> {
    arguments.none()?;
    for (register, value) in control::read().0 {
        writeln!(out, "{} = {value:#0ADDRESS_COLUMNS$x}: {}", register.name, register.meaning)?;
        for field in register.fields {
            let Field { bit: low, width, name, meaning } = *field;
            // A narrow register has the lower part of the field alone.
            let (high, value) = ((low + width).min(REGISTER_BITS) - 1, field.of(value));
            match width {
                1 => writeln!(out, "  {low:>5}  {name:<11}{value}  {meaning}")?,
                _ => writeln!(out, "  {high:>2}:{low:<2}  {name:<11}{value:#x}  {meaning}")?,
            }
        }
        let unknown = register.unknown(value);
        if unknown != 0 {
            writeln!(out, "  bits without a name here: {unknown:#x}")?;
        }
    }
    Ok(())
}
