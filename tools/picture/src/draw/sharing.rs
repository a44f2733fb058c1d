//! Environments side by side: a column for each, a row for each page, and in the cells the frames, coloured by how many
//! uses they have.

use layout::PGSIZE;
use maud::{Markup, html};

use super::text::{address, count, perm, size};
use crate::shot::{Cell, Environment, PageRow, Sharing};

/// The environments of a shot; nothing if there are none.
pub(crate) fn draw(sharing: &Sharing, va_bits: u32) -> Markup {
    if sharing.envs.is_empty() {
        return html! {};
    }
    html! {
        section.sharing aria-labelledby="sharing-h" {
            h2 #sharing-h { "Environments" }
            p.about {
                "What each maps below UTOP, the highest address first. A cell is a frame, or a run of them, with its "
                b { code { "pp_ref" } } ", the number of mappings: "
                @for (uses, number) in [("by1", "×1"), ("by2", "×2"), ("by3", "×3 and more")] {
                    span.uses.(uses) { (number) } " "
                }
                "· " b { "COW" } " marked by the program's fork: whoever writes to it first gets a copy. Above UTOP all map the "
                "kernel's half."
            }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "page" }
                            @for env in &sharing.envs { th scope="col" { (heading(env)) } }
                        }
                    }
                    tbody {
                        @for row in sharing.rows.iter().rev() { (self::row(row, va_bits)) }
                    }
                }
            }
            @if sharing.more_envs > 0 { p.note { "… and " (count(sharing.more_envs as u64, "environment")) " more." } }
            @if sharing.more_rows > 0 { p.note { "… and " (count(sharing.more_rows as u64, "row")) " more, at higher addresses." } }
        }
    }
}

fn heading(env: &Environment) -> Markup {
    html! {
        code { (env.id) }
        @if !env.program.is_empty() { " " b { (env.program) } }
        span.note { (env.status) @if env.in_use { ", its directory in use" } }
    }
}

fn row(row: &PageRow, va_bits: u32) -> Markup {
    let bytes = row.last - row.va + 1;
    html! {
        tr data-key={ "page " (format!("{:x} {:x}", row.va, bytes)) } {
            th scope="row" {
                code { (address(row.va, va_bits)) }
                @if bytes > PGSIZE { " " (size(bytes)) }
                span.note { (row.region) }
            }
            @for cell in &row.cells {
                @match cell {
                    Some(cell) => (frames(cell, bytes / PGSIZE)),
                    None => td.none { "–" },
                }
            }
        }
    }
}

fn frames(cell: &Cell, number: u64) -> Markup {
    html! {
        td.{ "by" (cell.pp_ref.clamp(1, 3)) } {
            code { (format!("{:#x}", cell.pa)) } @if number > 1 { " +" (number - 1) }
            " " (perm(&cell.perm)) " ×" (cell.pp_ref) @if cell.cow { " " b { "COW" } }
        }
    }
}
