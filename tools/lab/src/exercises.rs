//! A lab's exercises, as `labN/exercises.toml` lists them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Outcome, files};

/// A lab.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lab {
    /// Its number.
    pub(crate) number: u32,
    /// The exercises' tests on simulated machines, as arguments of `cargo test -p libjos`.
    pub(crate) tests: Vec<String>,
    /// Names that every body may use.
    pub(crate) all: Uses,
    #[serde(rename = "exercise")]
    pub(crate) exercises: Vec<Exercise>,
    /// The folder with all that belongs to it.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// The body of one function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exercise {
    pub(crate) number: u32,
    /// The function.
    pub(crate) name: String,
    /// The file that it lies in.
    pub(crate) file: PathBuf,
    /// Points for it, tested alone.
    pub(crate) points: u32,
    /// Names that its body may use beside those that all may.
    #[serde(flatten)]
    pub(crate) uses: Uses,
}

/// The names that a body may use.
#[derive(Debug, Deserialize)]
pub(crate) struct Uses {
    /// Methods, by their last name.
    #[serde(default)]
    pub(crate) methods: BTreeSet<String>,
    /// Functions, constants, variants and types by their paths.
    #[serde(default)]
    pub(crate) paths: BTreeSet<String>,
    /// Macros, by name.
    #[serde(default)]
    pub(crate) macros: BTreeSet<String>,
}

impl Lab {
    /// The lab in a folder.
    pub(crate) fn read(folder: &Path) -> Outcome<Self> {
        let path = folder.join("exercises.toml");
        if !path.is_file() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            return Err(format!("there is no {name}: tools/lab has no folder with its exercises"));
        }
        let lab: Self = toml::from_str(&files::read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { folder: folder.into(), ..lab })
    }

    /// The exercise with this name.
    pub(crate) fn exercise(&self, name: &str) -> Outcome<&Exercise> {
        let found = self.exercises.iter().find(|exercise| exercise.name == name);
        found.ok_or_else(|| format!("lab {} has no exercise \"{name}\"", self.number))
    }
}
