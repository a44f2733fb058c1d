//! An address space as JOS draws it: the regions from the top down, on a readable scale.
//!
//! The height of each mapped run and each hole grows with the logarithm of its size, so that 4 KB is
//! visible beside 256 GB.

use maud::{Markup, html};

use super::text::{address, filling, perm, size};
use crate::shot::{Region, Run, Space};

/// The height in `em` of a number of bytes: one line for a page, half a line more for 256 MB.
fn height(bytes: u64) -> String {
    let doublings = f64::from(bytes.ilog2().saturating_sub(layout::PGSHIFT));
    format!("min-height:{:.2}em", 1.6 + doublings * 0.07)
}

/// The regions, with the mapped runs in each.
pub(crate) fn draw(space: &Space, va_bits: u32) -> Markup {
    html! {
        ol.space {
            @for region in &space.regions {
                li.region.invalid[region.invalid].empty[is_empty(region)] {
                    div.box style=[is_empty(region).then(|| height(region.last - region.base + 1))] {
                        div.head {
                            b { (region.name) }
                            @if is_empty(region) {
                                span.absent { @if region.invalid { "never mapped" } @else { "nothing mapped" } }
                            }
                            span.access title="kernel/user may at most" { (region.access) }
                            span.size { (size(region.last - region.base + 1)) }
                        }
                        (content(region, va_bits))
                    }
                    div.edge {
                        code { (address(region.base, va_bits)) }
                        @if !region.boundary.is_empty() { b { (region.boundary.join(", ")) } }
                    }
                }
            }
        }
    }
}

/// Whether nothing at all is mapped in a region.
fn is_empty(region: &Region) -> bool {
    region.runs.is_empty() && region.tables == 0
}

/// The mapped runs of a region and the holes between them, from the top down.
fn content(region: &Region, va_bits: u32) -> Markup {
    // One past the highest address that is not drawn yet; `None` means 2^64.
    let mut above = region.last.checked_add(1);
    let mut rows = Vec::new();
    for run in region.runs.iter().rev() {
        rows.push(hole(run.last.checked_add(1), above));
        rows.push(mapped(run, va_bits));
        above = Some(run.va);
    }
    if region.tables > 0 {
        rows.push(html! {
            div.run.user data-key={ "tables " (region.tables) } {
                (block(filling(&region.tables_perm))) (perm(&region.tables_perm))
                span { (region.tables) " page tables, by the directory's entry for itself" }
            }
        });
    } else if !is_empty(region) {
        rows.push(hole(Some(region.base), above));
    }
    html! { @for row in rows { (row) } }
}

fn block(name: &str) -> Markup {
    html! {
        svg.block aria-hidden="true" {
            rect width="100%" height="100%" fill={ "url(#f-" (name) ")" } {}
        }
    }
}

/// A hole at the addresses `[start, end)`, if it is not empty; `None` means 2^64.
fn hole(start: Option<u64>, end: Option<u64>) -> Markup {
    let Some(bytes) = start.map(|start| end.unwrap_or(0).wrapping_sub(start)) else {
        return html! {};
    };
    html! {
        @if bytes > 0 {
            div.run.hole style=(height(bytes)) { (block("hole")) span { "hole of " (size(bytes)) } }
        }
    }
}

fn mapped(run: &Run, va_bits: u32) -> Markup {
    let key = format!("{:x} {:x} {}", run.va, run.size(), run.perm);
    let user = run.perm.contains('u');
    html! {
        div.run.user[user] data-key=(key) style=(height(run.size())) {
            (block(filling(&run.perm)))
            (perm(&run.perm))
            span.what {
                code { (address(run.va, va_bits)) }
                " → " code { (format!("{:#x}", run.pa)) } " · " b { (size(run.size())) } " by "
                (size(run.smallest))
                @if run.largest > run.smallest { "–" (size(run.largest)) }
            }
        }
    }
}
