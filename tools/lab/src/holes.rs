//! The places in a handout where a body is to be written, each between two lines of comment.

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::exercises::Exercise;
use crate::{Outcome, files};

/// The end of the comment before a body.
const FROM: &str = "your code from here";
/// The end of the comment after it.
const TO: &str = "to here";
/// The most bytes of a file that is looked into.
const MOST: u64 = 1 << 20;

/// A comment around the body of `exercise`.
fn mark(exercise: &Exercise, end: &str) -> String {
    format!("// exercise {} ({}): {end}", exercise.number, exercise.name)
}

// lab: begin omit
/// The hole for a body, at this indentation.
pub(crate) fn hole(exercise: &Exercise, indent: &str) -> String {
    let missing = format!("panic!(\"exercise {}: not yet implemented\")", exercise.number);
    let lines = [mark(exercise, FROM), missing, mark(exercise, TO)];
    lines.map(|line| format!("{indent}{line}\n")).concat()
}
// lab: end

/// Whether a text has a comment like those around bodies.
pub(crate) fn has_mark(text: &str) -> bool {
    text.contains(&format!("): {FROM}")) || text.contains(&format!("): {TO}"))
}

/// Where the body of `exercise` begins and ends in `text`, and its indentation.
fn find(text: &str, exercise: &Exercise) -> Outcome<(usize, usize, String)> {
    let only = |mark: String| {
        let mut places = text.match_indices(&mark);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => Ok(at),
            (None, _) => Err(format!("the line \"{mark}\" is missing")),
            _ => Err(format!("the line \"{mark}\" is there more than once")),
        }
    };
    let (from, to) = (only(mark(exercise, FROM))?, only(mark(exercise, TO))?);
    let line_of = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
    let start = text[from..].find('\n').map_or(text.len(), |length| from + length + 1);
    let end = line_of(to);
    let indent = &text[line_of(from)..from];
    if start > end || !indent.trim().is_empty() || !text[end..to].trim().is_empty() {
        return Err("the two lines around the body are not as they were handed out".into());
    }
    Ok((start, end, indent.into()))
}

/// The body of `exercise` in a tree.
pub(crate) fn body(tree: &Path, exercise: &Exercise) -> Outcome<String> {
    let path = tree.join(&exercise.file);
    // A link, of the file or of a folder above it, leads out of a submission: to another student's, for instance.
    let mut above = exercise.file.ancestors().filter(|part| !part.as_os_str().is_empty());
    if let Some(link) = above.find(|part| tree.join(part).is_symlink()) {
        return Err(format!("{} is a link, and links are not followed", link.display()));
    }
    let meta = path.symlink_metadata();
    let meta = meta.map_err(|_| format!("there is no file {}", exercise.file.display()))?;
    // A device has no end.
    if !meta.is_file() || meta.len() > MOST {
        return Err(format!("{} is no source file", exercise.file.display()));
    }
    let text = files::read(&path)
        .map_err(|_| format!("{} is not text in UTF-8", exercise.file.display()))?
        .replace("\r\n", "\n");
    let (start, end, _) = find(&text, exercise)?;
    Ok(text[start..end].into())
}

/// Puts a body into a tree, in place of what is there: to the byte, since what was judged is what must run.
pub(crate) fn put(tree: &Path, exercise: &Exercise, body: &str) -> Outcome<()> {
    let path = tree.join(&exercise.file);
    let text = files::read(&path)?;
    let (start, end, _) = find(&text, exercise)?;
    files::write(&path, format!("{}{body}{}", &text[..start], &text[end..]))
}

// lab: begin omit
/// Puts an answer into a tree, indented as its place is.
pub(crate) fn fill(tree: &Path, exercise: &Exercise, answer: &str) -> Outcome<()> {
    let (_, _, indent) = find(&files::read(&tree.join(&exercise.file))?, exercise)?;
    let common = answer.lines().filter(|line| !line.trim().is_empty());
    let common = common.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let lines = answer.lines().map(|line| match line.get(common..) {
        Some(line) if !line.trim().is_empty() => format!("{indent}{line}\n"),
        _ => "\n".into(),
    });
    put(tree, exercise, &lines.collect::<String>())
}
// lab: end
