//! The answers: `answers/labN.rs`, with one function for each exercise, whose body is the answer.

use std::collections::BTreeMap;
use std::path::Path;

use syn::spanned::Spanned;

use crate::exercises::Lab;
use crate::{Outcome, files, holes};

/// The answers, by the names of their exercises.
pub(crate) fn answers(lab: &Lab) -> Outcome<BTreeMap<String, String>> {
    let path = files::own_folder().join(format!("answers/lab{}.rs", lab.number));
    let text = files::read(&path)?;
    let file = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let functions = file.items.iter().filter_map(|item| match item {
        syn::Item::Fn(function) => Some(function),
        _ => None,
    });
    let body = |block: &syn::Block| {
        let inside = block.span().byte_range();
        let inside = &text[inside.start + 1..inside.end - 1];
        format!("{}\n", inside.trim_start_matches('\n').trim_end())
    };
    Ok(functions.map(|function| (function.sig.ident.to_string(), body(&function.block))).collect())
}

/// Puts answers into a handout: all, those named, or after `-` all but those named.
pub(crate) fn put(lab: &Lab, tree: &Path, names: &[&str]) -> Outcome<()> {
    let answers = answers(lab)?;
    let (all_others, names) = match names {
        ["-", names @ ..] => (true, names),
        [] => (true, names),
        names => (false, names),
    };
    for name in names {
        lab.exercise(name)?;
    }
    for exercise in &lab.exercises {
        if names.contains(&exercise.name.as_str()) != all_others {
            let answer = answers.get(&exercise.name);
            let answer =
                answer.ok_or_else(|| format!("there is no answer to {}", exercise.name))?;
            holes::fill(tree, exercise, answer)?;
        }
    }
    Ok(())
}
