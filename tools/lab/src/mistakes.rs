//! The usual mistakes of a lab: `labN/mistakes.toml`.

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
pub(crate) struct Mistake {
    name: String,
    /// The name of the exercise.
    pub(crate) exercise: String,
    old: String,
    new: String,
    /// The words that a complaint about it must have.
    says: String,
}

impl Mistake {
    /// An answer with this mistake made in it.
    pub(crate) fn make(&self, answer: &str) -> Outcome<String> {
        if answer.matches(&self.old).count() != 1 {
            return Err(format!("\"{}\" does not fit its answer", self.name));
        }
        Ok(answer.replace(&self.old, &self.new))
    }
}

/// The usual mistakes of a lab.
pub(crate) fn read(lab: &Lab) -> Outcome<Vec<Mistake>> {
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

/// Puts an answer with a mistake into a handout. `number` counts the mistakes from 1.
pub(crate) fn put(lab: &Lab, tree: &Path, number: &str) -> Outcome<()> {
    let (answers, mistakes) = (answers(lab)?, read(lab)?);
    let number = number.parse().ok().and_then(|number: usize| number.checked_sub(1));
    let mistake = number.and_then(|number| mistakes.get(number));
    let mistake = mistake.ok_or_else(|| format!("mistakes are 1 to {}", mistakes.len()))?;
    let answer = answers
        .get(&mistake.exercise)
        .ok_or_else(|| format!("{} has no answer", mistake.exercise))?;
    holes::fill(tree, lab.exercise(&mistake.exercise)?, &mistake.make(answer)?)
}
