//! The marked parts of this project's sources, and what a handout has in their place.
//!
//! A part is marked by two lines of comment, in Rust, in any language whose comments begin with `#`, or in Markdown
//! (`<!--`):
//!
//! ```text
//! // lab 2: begin page_alloc
//! ...
//! // lab 2: end
//! ```
//!
//! Its place is taken by the part of that name in `lab2/given.*`, or in `given.*` beside it, which every lab gets; by
//! nothing if the name is `omit`. Marks without a number (`lab: begin NAME`) are every lab's. The marks of other labs
//! are taken out, and the text between them stays.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::Outcome;
use crate::exercises::Lab;
use crate::holes::hole;

/// Marked parts, by name.
#[derive(Debug, Default)]
pub(crate) struct Given {
    parts: BTreeMap<String, String>,
    /// The names of those that were used.
    used: BTreeSet<String>,
}

/// A line of a marked text.
enum Line<'a> {
    /// The beginning of a part: the lab's number, if it is one lab's alone, and the part's name.
    Begin(Option<u32>, &'a str),
    End(Option<u32>),
    OtherLab,
    Text,
}

fn read_line(lab: u32, line: &str) -> Line<'_> {
    let line = line.trim();
    let document = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    let comment = document.unwrap_or(line).trim_start_matches(['/', '#']).trim();
    let Some((whose, word)) = comment.strip_prefix("lab").and_then(|rest| rest.split_once(": "))
    else {
        return Line::Text;
    };
    let whose = match whose.strip_prefix(' ').map(str::parse) {
        Some(Ok(number)) => Some(number),
        None if whose.is_empty() => None,
        _ => return Line::Text,
    };
    match (word, word.strip_prefix("begin ")) {
        ("end", _) | (_, Some(_)) if whose.is_some_and(|number| number != lab) => Line::OtherLab,
        ("end", _) => Line::End(whose),
        (_, Some(name)) => Line::Begin(whose, name),
        _ => Line::Text,
    }
}

/// A marked part of a text.
struct Part {
    /// The text between the part before and this one.
    before: String,
    name: String,
    inside: String,
}

/// The marked parts of a text, and the text behind the last.
fn split(lab: u32, text: &str) -> Outcome<(Vec<Part>, String)> {
    let (mut parts, mut before) = (Vec::new(), String::new());
    let mut part = None::<(Option<u32>, String, String)>;
    for line in text.split_inclusive('\n') {
        match (read_line(lab, line), &mut part) {
            (Line::Begin(whose, name), None) => part = Some((whose, name.into(), String::new())),
            (Line::End(whose), Some((begun, ..))) if whose == *begun => {
                let (_, name, inside) = part.take().unwrap_or_default();
                parts.push(Part { before: std::mem::take(&mut before), name, inside });
            }
            (Line::Text, Some((.., inside))) => inside.push_str(line),
            (Line::Text, None) => before.push_str(line),
            (Line::OtherLab, _) => {}
            _ => return Err(format!("a mark out of order: {}", line.trim())),
        }
    }
    match part {
        Some((_, name, _)) => Err(format!("the part \"{name}\" has no end")),
        None => Ok((parts, before)),
    }
}

impl Given {
    /// Adds the marked parts of a file.
    pub(crate) fn add(&mut self, lab: u32, text: &str) -> Outcome<()> {
        for Part { name, inside, .. } in split(lab, text)?.0 {
            if self.parts.insert(name.clone(), inside).is_some() {
                return Err(format!("the part \"{name}\" is there twice"));
            }
        }
        Ok(())
    }

    /// Puts what is given in the place of all marked parts of `text`.
    pub(crate) fn put(&mut self, lab: u32, text: &str) -> Outcome<String> {
        let (parts, rest) = split(lab, text)?;
        let mut out = String::new();
        for Part { before, name, .. } in parts {
            out.push_str(&before);
            if name != "omit" {
                let part = self.parts.get(&name);
                out.push_str(part.ok_or_else(|| format!("nothing is given for \"{name}\""))?);
                self.used.insert(name);
            }
        }
        Ok(out + &rest)
    }

    /// The parts that no source has a place for.
    pub(crate) fn unused(&self) -> Vec<&str> {
        let names = self.parts.keys().filter(|name| !self.used.contains(*name));
        names.map(String::as_str).collect()
    }
}

/// Puts the holes for bodies in the place of the lines `exercise!(NAME)`.
pub(crate) fn dig(lab: &Lab, text: &str) -> Outcome<String> {
    let lines = text.split_inclusive('\n').map(|line| {
        let code = line.trim();
        match code.strip_prefix("exercise!(").and_then(|rest| rest.strip_suffix(')')) {
            Some(name) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                Ok(hole(lab.exercise(name)?, indent))
            }
            None => Ok(line.into()),
        }
    });
    lines.collect()
}
