//! `mutants LIST SOURCES COPY`: plants mutants into a copy of a source tree, all of them at once, each behind
//! a switch (see `switch/`) that is off until a test is run with `MUTANT=number`.
//!
//! LIST is the JSON that `cargo mutants --list --json` prints, with an `id` for each mutant, a number below
//! 65536. The files that it names are read from the folder SOURCES and written to COPY. The planted mutants are
//! printed as JSON: `{"planted": [id...], "in_const_fn": [id...]}`. A mutant in a `const fn` is planted for
//! calls at run time; the compiler's own calls do not see it. `run.py` runs the tests.

mod plant;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use plant::{Mutant, plant};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [list, sources, copy] = arguments.as_slice() else {
        eprintln!("usage: mutants LIST SOURCES COPY");
        return ExitCode::FAILURE;
    };
    match plant_all(list, Path::new(sources), Path::new(copy)) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plant_all(list: &str, sources: &Path, copy: &Path) -> Result<Value, Box<dyn Error>> {
    let list: Vec<Value> =
        serde_json::from_slice(&fs::read(list).map_err(|error| format!("{list}: {error}"))?)?;
    let mut files: BTreeMap<&str, Vec<Mutant>> = BTreeMap::new();
    for value in &list {
        let file = value["file"].as_str().ok_or("a mutant without a file")?;
        let mutant = Mutant::from_json(value).ok_or_else(|| format!("not understood: {value}"))?;
        files.entry(file).or_default().push(mutant);
    }
    let (mut planted, mut in_const_fn) = (Vec::new(), Vec::new());
    for (file, mutants) in files {
        let source =
            fs::read_to_string(sources.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let result = plant(&source, &mutants).map_err(|error| format!("{file}: {error}"))?;
        // An unchanged file keeps its time, or cargo would build it anew.
        if fs::read_to_string(copy.join(file)).ok().as_deref() != Some(&result.source) {
            fs::write(copy.join(file), result.source)
                .map_err(|error| format!("{file}: {error}"))?;
        }
        planted.extend(result.planted);
        in_const_fn.extend(result.in_const_fn);
    }
    Ok(json!({ "planted": planted, "in_const_fn": in_const_fn }))
}
