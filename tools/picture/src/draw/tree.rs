//! Page tables as a tree that opens by click and by keyboard. The highest entries come first, as in the map beside it.

use maud::{Markup, html};

use super::text::{address, allows, count, perm, size};
use crate::shot::{Entry, Row, Space, Table};

/// The tables of an address space, from the root down.
pub(crate) fn draw(space: &Space, va_bits: u32) -> Markup {
    html! {
        p.tools {
            button.open type="button" { "Open all" } " "
            button.close type="button" { "Close all" }
        }
        details.table open data-key={ (space.name) " root" } {
            summary { b { (space.name) } " " (about(&space.root)) }
            (rows(&space.root, va_bits))
        }
    }
}

fn about(table: &Table) -> Markup {
    html! {
        "level " (table.level) " table at " code { (format!("{:#x}", table.pa)) } ", "
        (table.present) " of " (entries(table)) " entries present"
    }
}

fn entries(table: &Table) -> usize {
    table.rows.last().map_or(0, |row| row.last + 1)
}

fn rows(table: &Table, va_bits: u32) -> Markup {
    html! {
        ol.rows { @for row in table.rows.iter().rev() { li { (self::row(table, row, va_bits)) } } }
    }
}

fn row(table: &Table, row: &Row, va_bits: u32) -> Markup {
    let key = format!("{:x} {}..{} {:x}", table.pa, row.first, row.last, row.word);
    let span = html! { code.va { (address(row.va, va_bits)) } };
    let index = match row.first == row.last {
        true => format!("[{}]", row.first),
        false => format!("[{}..{}]", row.first, row.last),
    };
    let index = html! { code.index { (index) } };
    let word = format!("entry {:#x}", row.word);
    let bytes = row.va_last - row.va + 1;
    match &row.entry {
        Entry::Absent => html! {
            div.entry.absent { (index) span { "not present, " (size(bytes)) } (span) }
        },
        Entry::Pages { pa, perm: letters, accessed, dirty } => html! {
            div.entry data-key=(key) title=(word) {
                (index) (perm(letters)) (span)
                span.leads {
                    "→ " code { (format!("{pa:#x}")) } ", "
                    (pages(row)) (used(row, "accessed", *accessed)) (used(row, "dirty", *dirty))
                }
            }
        },
        Entry::Table { allows: most, table: below } => html! {
            details.entry.table data-key=(key) {
                summary title=(word) {
                    (index) (allows(most)) (span) span.leads { "→ " (about(below)) }
                }
                (rows(below, va_bits))
            }
        },
        Entry::Elsewhere { pa, allows: most, why } => html! {
            div.entry data-key=(key) title=(word) {
                (index) (allows(most)) (span)
                span.leads { "→ table at " code { (format!("{pa:#x}")) } ": " (why) }
            }
        },
    }
}

/// The number and the size of a row's pages.
fn pages(row: &Row) -> Markup {
    let number = (row.last - row.first + 1) as u64;
    let bytes = (row.va_last - row.va + 1) / number;
    html! { (count(number, "page")) " of " (size(bytes)) }
}

/// The number of entries in which the processor has set a flag.
fn used(row: &Row, name: &str, set: usize) -> Markup {
    let all = row.last - row.first + 1;
    html! {
        @if set == all { ", " (name) } @else if set > 0 { ", " (set) " " (name) }
    }
}
