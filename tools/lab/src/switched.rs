//! A tree for tests of the lab itself: each body is the answer, a usual mistake, or missing, as each run picks.
//!
//! So one build serves all. The program reads the choice from the environment on a host; in a kernel's image the grader
//! writes it into RAM before the kernel starts.

use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use crate::answers::answers;
use crate::exercises::Lab;
use crate::{Outcome, files, holes};

/// `mistakes.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistakes {
    mistake: Vec<Mistake>,
}

/// A usual mistake: a change of an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    name: String,
    exercise: String,
    old: String,
    new: String,
    /// The words that a complaint about it must have.
    says: String,
}

const SWITCH: &str = r#"//! Which body each exercise has: 0 the answer, 255 none, and else a mistake.
#![allow(missing_docs)]

use core::sync::atomic::{AtomicU8, Ordering};

#[used]
pub static BODIES: [AtomicU8; 32] = [const { AtomicU8::new(0) }; 32];

#[inline(never)]
pub fn body(exercise: usize) -> u8 {
    #[cfg(any(test, feature = "std"))]
    if let Some(picked) = std::env::var_os("LAB_BODIES") {
        let picked = picked.into_string().expect("numbers");
        let all = picked.split(',').filter_map(|pair| pair.split_once('='));
        let mut own = all.filter(|(number, _)| number.parse() == Ok(exercise));
        return own.next().map_or(0, |(_, body)| body.parse().expect("a number"));
    }
    BODIES[exercise].load(Ordering::Relaxed)
}
"#;

/// The usual mistakes of a lab.
fn read(lab: &Lab) -> Outcome<Vec<Mistake>> {
    let path = lab.folder.join("mistakes.toml");
    let Mistakes { mistake: mistakes } = toml::from_str(&files::read(&path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    for mistake in &mistakes {
        lab.exercise(&mistake.exercise)?;
    }
    Ok(mistakes)
}

/// Prints the usual mistakes.
pub(crate) fn list(lab: &Lab) -> Outcome<()> {
    for mistake in read(lab)? {
        let number = lab.exercise(&mistake.exercise)?.number;
        println!("{number}\t{}\t{}", mistake.says, mistake.name);
    }
    Ok(())
}

/// Puts switched bodies into a handout.
pub(crate) fn put(lab: &Lab, tree: &Path) -> Outcome<()> {
    let (answers, mistakes) = (answers(lab)?, read(lab)?);
    for exercise in &lab.exercises {
        let Some(answer) = answers.get(&exercise.name) else {
            return Err(format!("there is no answer to {}", exercise.name));
        };
        let number = exercise.number;
        let mut body = format!("match crate::lab_switch::body({number}) {{\n0 => {{\n{answer}}}\n");
        for (own, mistake) in (1..).zip(&mistakes) {
            if mistake.exercise == exercise.name {
                if answer.matches(&mistake.old).count() != 1 {
                    return Err(format!("\"{}\" does not fit its answer", mistake.name));
                }
                let wrong = answer.replace(&mistake.old, &mistake.new);
                let _ = writeln!(body, "{own} => {{\n{wrong}}}");
            }
        }
        let _ = writeln!(body, "_ => panic!(\"exercise {number}: not yet implemented\"),\n}}");
        holes::fill(tree, exercise, &body)?;
    }
    files::write(&tree.join("libjos/src/lab_switch.rs"), SWITCH)?;
    let root = tree.join("libjos/src/lib.rs");
    let text = files::read(&root)?;
    files::write(&root, text.replace("pub mod machine;", "pub mod lab_switch;\npub mod machine;"))
}
