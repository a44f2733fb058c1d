//! Sums: frames by owner, tables by level, bytes by permission.

use std::collections::BTreeMap;

use layout::PGSIZE;
use maud::{Markup, html};

use super::text::{count, perm, size};
use crate::shot::{Entry, Frames, Owner, Space, State, Table};

/// The legend of the grids, with the number of each owner's frames.
pub(crate) fn owners(frames: &Frames) -> Markup {
    let mut owned = BTreeMap::new();
    let (mut states, mut all) = ([0; 3], 0);
    for run in &frames.runs {
        *owned.entry(run.owner).or_insert(0) += run.count;
        all += run.count;
        if let Some(info) = run.info {
            let state = match info.state {
                State::Free => 0,
                State::InUse => 1,
                State::Reserved => 2,
            };
            states[state] += run.count;
        }
    }
    html! {
        ul.legend {
            @for (index, owner) in Owner::ALL.iter().enumerate() {
                @if let Some(frames) = owned.get(owner) {
                    li {
                        button type="button" data-owner=(index) title="show me" {
                            svg aria-hidden="true" {
                                rect width="100%" height="100%" fill={ "url(#f-o" (index) ")" } {}
                            }
                            span.name { (owner.name()) }
                            span.frames { (count(*frames, "frame")) " · " (size(frames * PGSIZE)) }
                        }
                    }
                }
            }
        }
        p.totals {
            (count(all, "frame")) " of 4 KB, " (size(all * PGSIZE)) " in all. "
            @if states == [0; 3] { "The array pages says nothing of them yet." }
            @else {
                "By the array pages: " (count(states[0], "")) " free, " (count(states[1], ""))
                " in use, " (count(states[2], "")) " reserved."
            }
        }
    }
}

/// The bytes that an address space maps, and the number of its tables.
pub(crate) fn mapped(space: &Space) -> Markup {
    let mut bytes = BTreeMap::new();
    for run in space.regions.iter().flat_map(|region| &region.runs) {
        *bytes.entry(run.perm.as_str()).or_insert(0) += run.size();
    }
    let mut tables = BTreeMap::new();
    count_tables(&space.root, &mut tables);
    let all: usize = tables.values().sum();
    html! {
        table.sums {
            caption { "Mapped bytes by permission" }
            @for (letters, bytes) in bytes.iter().rev() {
                tr { th scope="row" { (perm(letters)) } td { (size(*bytes)) } td { (words(letters)) } }
            }
            @if bytes.is_empty() { tr { td { "nothing" } } }
        }
        table.sums {
            caption { "Tables by level" }
            @for (level, number) in tables.iter().rev() {
                tr { th scope="row" { "level " (level) } td { (number) } td {} }
            }
            tr { th scope="row" { "all" } td { (all) } td { (size(all as u64 * PGSIZE)) } }
        }
    }
}

fn count_tables(table: &Table, tables: &mut BTreeMap<u32, usize>) {
    *tables.entry(table.level).or_insert(0) += 1;
    for row in &table.rows {
        if let Entry::Table { table, .. } = &row.entry {
            count_tables(table, tables);
        }
    }
}

/// Permissions in words.
fn words(letters: &str) -> String {
    let who = if letters.contains('u') { "user and kernel" } else { "kernel" };
    let verbs = [('r', "read"), ('w', "write"), ('c', "copy on write"), ('x', "execute")];
    let may: Vec<_> = verbs
        .iter()
        .filter(|(letter, _)| letters.contains(*letter))
        .map(|(_, verb)| *verb)
        .collect();
    let global = if letters.contains('g') { "; global" } else { "" };
    format!("{who}: {}{global}", may.join(", "))
}
