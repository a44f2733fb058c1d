//! Numbers and permissions as text on the page.

use layout::KB;
use maud::{Markup, html};

/// A number of bytes in a suitable unit: exact if four digits are enough, else rounded and marked so.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
    let unit = |power: usize| KB.pow(power as u32);
    let exact = (0..units.len()).rev().find(|power| bytes.is_multiple_of(unit(*power)));
    let power = exact.unwrap_or(0);
    if bytes / unit(power) < 10_000 {
        return format!("{} {}", bytes / unit(power), units[power]);
    }
    let power = bytes.ilog(KB) as usize;
    format!("≈ {:.1} {}", bytes as f64 / unit(power) as f64, units[power])
}

/// An address in groups of four digits: 0xffff_ffff_f000_0000.
pub(crate) fn address(number: u64, va_bits: u32) -> String {
    let groups =
        (0..va_bits / 16).rev().map(|group| format!("{:04x}", number >> (16 * group) & 0xffff));
    format!("0x{}", groups.collect::<Vec<_>>().join("_"))
}

/// The filling for permissions in libjos' letters, `urwxg`.
pub(crate) fn filling(perm: &str) -> &'static str {
    match (perm.contains('w'), perm.contains('x')) {
        (true, true) => "wx",
        (true, false) => "rw",
        (false, true) => "rx",
        (false, false) => "ro",
    }
}

/// Permissions as a small box with colour, pattern and letters; user permissions have a second border.
pub(crate) fn perm(perm: &str) -> Markup {
    html! {
        span.perm.user[perm.contains('u')] {
            svg aria-hidden="true" {
                rect width="100%" height="100%" fill={ "url(#f-" (filling(perm)) ")" } {}
            }
            b { (perm) }
        }
    }
}

/// The meaning of the letters, and a sentence about those that a format cannot withhold.
pub(crate) fn letters(note: &str) -> Markup {
    let meanings = [
        ("u", "the user may, too"),
        ("r", "read"),
        ("w", "write"),
        ("c", "copied when written to"),
        ("x", "execute"),
        ("g", "global: outlives a change of page directory in the TLB"),
    ];
    html! {
        p.letters {
            "What is mapped: "
            @for (letter, meaning) in meanings { b { code { (letter) } } " " (meaning) " · " }
            b { code { "-" } } " not. What a region is for: " b { code { "RW/--" } }
            " is the most that the kernel / the user may do there (" b { code { "R" } } " read, "
            b { code { "W" } } " write)."
            @if !note.is_empty() { " " (note) "." }
        }
    }
}

/// A number with its noun: `1 frame`, `2 frames`.
pub(crate) fn count(number: u64, one: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if one.is_empty() {
        grouped
    } else {
        format!("{grouped} {one}{}", if number == 1 { "" } else { "s" })
    }
}

/// A line of a comment in the sources; text between backquotes is code.
pub(crate) fn prose(line: &str) -> Markup {
    html! {
        @for (index, part) in line.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The permissions that a table's entry allows the pages below it.
pub(crate) fn allows(perm: &str) -> Markup {
    html! { span.perm.plain title="the most that pages below may have" { b { "≤ " (perm) } } }
}
